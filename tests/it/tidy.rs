//! The rules of this source tree that neither the compiler nor clippy holds.

use std::fs;
use std::path::{Path, PathBuf};

/// Where there is Rust.
const ALL: [&str; 5] = ["src", "tests", "examples", "fuzz/checks", "fuzz/fuzz_targets"];

/// The modules in reading order: a later one may use an earlier one.
const ORDER: [&str; 10] = [
    "api",
    "process",
    "lease",
    "store",
    "github",
    "sync",
    "report",
    "reconcile",
    "cli",
    "controller",
];

/// Where the order is not the rule: who, whom, and whether it may.
const EXCEPTIONS: [(&str, &str, bool); 2] = [
    // What comes from GitHub has nothing to do with the lock.
    ("github", "lease", false),
    // The command line starts the operator, which takes its configuration from there.
    ("cli", "controller", true),
];

/// What code under `src` may name in one place only; an empty place is none.
const PLACES: [(&str, &str); 4] = [
    ("jiff", "src/lease/record.rs"),
    ("sqlx", "src/store/"),
    ("octocrab::", "src/github/octo.rs"),
    ("env::var", ""),
];

/// What a file that calls itself pure does not do.
const IMPURE: [&str; 4] = [".await", "Utc::now", "Instant::now(", "kube::Client"];

/// What nobody leaves behind, taken apart so that this file does not contain it.
const LEFTOVERS: [&str; 4] =
    [concat!("#[", "ignore"), concat!("TO", "DO"), concat!("FIX", "ME"), concat!("dbg", "!")];

/// The one reason to ignore a test: `make e2e` runs it.
const NODE: &str = concat!("#[", "ignore = \"needs a node: make e2e\"]");

/// A source file: its path from the root of the tree, with `/`, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    /// Its lines with their numbers, without those that are only comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// The first paragraph of what it says about itself.
    fn summary(&self) -> String {
        let about = self.text.lines().map_while(|line| line.strip_prefix("//!"));
        let first = about.take_while(|line| !line.trim().is_empty());
        first.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// The numbers of the lines in its `mod tests`, which ends with the brace under its `mod`.
    fn tests(&self) -> std::ops::Range<usize> {
        let Some((from, opening)) = self.lines().find(|(_, line)| opens_tests(line)) else {
            return 0..0;
        };
        let indent = opening.len() - opening.trim_start().len();
        let closing = format!("{}}}", &opening[..indent]);
        let end = self.lines().find(|(at, line)| *at > from && *line == closing);
        from..end.map_or(usize::MAX, |(at, _)| at)
    }

    /// The module that it belongs to, if it is not one of the crate's own two files.
    fn module(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split_once('/').map(|(module, _)| module)
    }
}

fn opens_tests(line: &str) -> bool {
    line.trim_start().starts_with("mod tests {")
}

/// All Rust files below these folders of the tree.
fn files(folders: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in folders {
        walk(&root.join(folder), &mut paths);
    }
    paths.sort();
    assert!(!paths.is_empty(), "no file in {folders:?}");
    let read = |path: &PathBuf| File {
        path: path.strip_prefix(root).unwrap().components().map(name).collect::<Vec<_>>().join("/"),
        text: fs::read_to_string(path).unwrap(),
    };
    paths.iter().map(read).collect()
}

fn name(part: std::path::Component<'_>) -> String {
    part.as_os_str().to_str().unwrap().to_owned()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Fails with all offenders, one a line.
#[track_caller]
fn none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n  {}\n", offenders.join("\n  "));
}

/// The modules of the crate that a line of code names.
fn used(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("crate::") {
        rest = after;
        if before.ends_with(|last: char| last.is_alphanumeric() || last == '_' || last == '$') {
            continue;
        }
        match after.strip_prefix('{') {
            Some(group) => found.extend(members(group)),
            None => found.push(identifier(after)),
        }
    }
    found
}

/// The first names in a group such as `{api::{Phase, Reason}, store}`.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(identifier(group[from..at].trim_start()));
                from = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn identifier(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Whether a module may use another, or `None` if one of them is not in the order.
fn may_use(from: &str, to: &str) -> Option<bool> {
    let place = |module| ORDER.iter().position(|known| *known == module);
    let (here, there) = (place(from)?, place(to)?);
    let exception = EXCEPTIONS.iter().find(|(who, whom, _)| (*who, *whom) == (from, to));
    Some(exception.map_or(there <= here, |(_, _, may)| *may))
}

#[test]
fn every_file_has_at_most_400_lines() {
    let long = |file: &File| {
        let lines = file.text.lines().count();
        (lines > 400).then(|| format!("{}: {lines} lines", file.path))
    };
    let offenders: Vec<_> = files(&ALL).iter().filter_map(long).collect();
    none("too long", &offenders);
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let silent = |file: &File| (!file.text.starts_with("//! ")).then(|| file.path.clone());
    let offenders: Vec<_> = files(&ALL).iter().filter_map(silent).collect();
    none("no //!", &offenders);
}

#[test]
fn a_file_that_calls_itself_pure_is_pure() {
    let mut offenders = Vec::new();
    let all = files(&ALL);
    let pure = all.iter().filter(|file| file.summary().ends_with("Pure."));
    for file in pure {
        let tests = file.tests();
        for (at, line) in file.code().filter(|(at, _)| !tests.contains(at)) {
            if let Some(word) = IMPURE.iter().find(|word| line.contains(**word)) {
                offenders.push(format!("{}:{at}: {word}", file.path));
            }
        }
    }
    none("not pure", &offenders);
}

#[test]
fn types_of_others_stay_where_they_belong() {
    let mut offenders = Vec::new();
    for file in files(&["src"]) {
        for (word, place) in PLACES {
            if !place.is_empty() && file.path.starts_with(place) {
                continue;
            }
            let found = file.code().filter(|(_, line)| line.contains(word));
            offenders.extend(found.map(|(at, _)| format!("{}:{at}: {word}", file.path)));
        }
    }
    none("only in one place", &offenders);
}

#[test]
fn nothing_is_left_for_later() {
    let mut offenders = Vec::new();
    for file in files(&ALL) {
        for (at, line) in file.lines().filter(|(_, line)| line.trim() != NODE) {
            if let Some(word) = LEFTOVERS.iter().find(|word| line.contains(**word)) {
                offenders.push(format!("{}:{at}: {word}", file.path));
            }
        }
    }
    none("left behind", &offenders);
}

#[test]
fn a_module_uses_only_those_before_it() {
    let mut offenders = Vec::new();
    for file in files(&["src"]) {
        let Some(from) = file.module() else { continue };
        // On one line, so that a group is seen whole.
        let code = file.code().map(|(_, line)| line.trim()).collect::<Vec<_>>().join(" ");
        for to in used(&code) {
            if may_use(from, to) != Some(true) {
                offenders.push(format!("{}: {from} uses {to}", file.path));
            }
        }
    }
    none("against the order", &offenders);
}

#[test]
fn names_in_paths_are_found() {
    let rows: [(&str, &[&str]); 5] = [
        ("use crate::api::Phase;", &["api"]),
        ("use crate::{api::{Phase, Reason}, store};", &["api", "store"]),
        ("let x = crate::api::crd(crate::store::chain());", &["api", "store"]),
        ("$crate::api othercrate::api pub(crate) x", &[]),
        ("use crate::{self as it, sync::{run}, };", &["self", "sync"]),
    ];
    for (line, expected) in rows {
        assert_eq!(used(line), expected, "{line}");
    }
}

#[test]
fn every_planted_bug_fits_the_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut fits = 0;
    for file in fs::read_dir(root.join("tests/planted")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|end| end != "patch") {
            continue;
        }
        let mut command = std::process::Command::new("git");
        command.args(["apply", "--check"]).arg(&path).current_dir(root);
        let said = command.output().unwrap();
        assert!(said.status.success(), "{}: {said:?}", path.display());
        fits += 1;
    }
    assert_eq!(fits, 15);
}
