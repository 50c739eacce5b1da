//! The seeds of the fuzz targets, and inputs that once broke something, played through the same
//! checks as there.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

#[path = "../../fuzz/checks/mod.rs"]
mod checks;

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    seeds
}

#[test]
fn no_seed_breaks_what_must_hold() {
    let mut played = 0;
    let mut broken = Vec::new();
    for (target, check) in checks::TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        played += seeds.len();
        for seed in seeds {
            let input = fs::read(&seed).unwrap();
            if std::panic::catch_unwind(|| check(&input)).is_err() {
                broken.push(seed.display().to_string());
            }
        }
    }
    println!("seeds: {played}");
    assert!(broken.is_empty(), "broken by\n{}", broken.join("\n"));
}

#[test]
fn every_target_is_built_and_has_a_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let mut checks: Vec<_> = checks::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    checks.sort();
    assert_eq!(names("seeds"), checks);
    assert_eq!(names("fuzz_targets"), checks);
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for name in checks {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

/// Text of the pieces that mean something to a parser.
fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(pieces), 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_name_that_stands_in_a_url_or_none(
        name in text(&["a", "B", "9", "/", ".", "..", "-", "_", "*", "%2e", " ", "?", "#", "\0", "\u{ff0e}"]),
    ) {
        checks::names(name.as_bytes());
    }

    #[test]
    fn any_link_is_below_the_base_or_refused(
        base in prop::sample::select(vec!["https://h", "https://h/api/v3/", "http://127.0.0.1:1"]),
        rest in text(&["/", "a", ".", "..", "%2e", "%2F", "@", ":", "\\", "?", "#", "//", "h", "\t"]),
    ) {
        let url = format!("{}{rest}", base.trim_end_matches('/'));
        checks::links(format!("{base}\n{url}\n<{url}>; rel=\"next\"").as_bytes());
    }
}
