//! Where the code of others comes from. `make deny` asks more, where it is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The values of a key, in a file where each stands on a line of its own.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let start = format!("{key} = \"");
    text.lines().filter_map(|line| line.strip_prefix(&start)?.strip_suffix('"')).collect()
}

#[test]
fn every_crate_comes_from_the_one_registry_with_its_checksum() {
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let text = read(lock);
        let sources: BTreeSet<_> = values(&text, "source").into_iter().collect();
        assert_eq!(sources.len(), 1, "{lock}: {sources:?}");
        let source = sources.first().unwrap();
        assert!(
            source.starts_with("registry+") && source.ends_with("/crates.io-index"),
            "{source}"
        );
        let (sources, sums) = (values(&text, "source").len(), values(&text, "checksum").len());
        assert_eq!(sources, sums, "{lock}: one has no checksum");
    }
}

/// Two versions of a crate are named in deny.toml with the reason, and none that is not there.
#[test]
fn two_versions_of_a_crate_are_named() {
    let lock = read("Cargo.lock");
    let mut versions = BTreeMap::<_, usize>::new();
    for name in values(&lock, "name") {
        *versions.entry(name).or_default() += 1;
    }
    let twice: BTreeSet<_> =
        versions.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect();
    let policy = read("deny.toml");
    let skip = policy.split("skip = [").nth(1).and_then(|rest| rest.split("\n]").next()).unwrap();
    let skipped: BTreeSet<_> = skip
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split(['"', '@']).next())
        .collect();
    assert_eq!(twice, skipped);
}

#[test]
fn nothing_of_ours_runs_while_it_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(!root.join("build.rs").exists());
    let manifest = read("Cargo.toml");
    for word in ["build =", "[patch", "git =", "proc-macro = true"] {
        let line = manifest.lines().find(|line| line.trim_start().starts_with(word));
        assert_eq!(line, None);
    }
    assert!(!manifest.contains("git = \""));
}
