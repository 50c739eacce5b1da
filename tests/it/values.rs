//! The list of the chart's values is made from the chart.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A value of the chart: its path, its default, and what the comment above it says.
#[derive(Debug)]
struct Row {
    path: String,
    default: Value,
    meaning: String,
}

/// The rows of the file. A key with a comment is one row, whatever is below it; one without a
/// comment is only a place for others.
fn rows(text: &str) -> Vec<Row> {
    let defaults: Value = serde_saphyr::from_str(text).expect("it is YAML");
    let mut rows: Vec<Row> = Vec::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut inside: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(said) = line.strip_prefix('#') {
            // What is further in is an example.
            if !said.starts_with("  ") {
                comment.push(said.trim());
            }
            continue;
        }
        let Some((key, _)) = line.split_once(':').filter(|_| !line.starts_with("- ")) else {
            comment.clear();
            continue;
        };
        if inside.is_some_and(|outer| indent > outer) {
            comment.clear();
            continue;
        }
        inside = None;
        parents.retain(|(outer, _)| *outer < indent);
        parents.push((indent, key.to_owned()));
        let keys: Vec<&str> = parents.iter().map(|(_, key)| key.as_str()).collect();
        let default = keys.iter().fold(&defaults, |value, key| &value[key]);
        let is_place = default.as_object().is_some_and(|map| !map.is_empty());
        if !comment.is_empty() || !is_place {
            let meaning = comment.join(" ");
            rows.push(Row { path: keys.join("."), default: default.clone(), meaning });
            inside = Some(indent);
        }
        comment.clear();
    }
    rows
}

fn cell(default: &Value) -> String {
    match default {
        Value::Null => String::new(),
        Value::String(text) if text.is_empty() => String::new(),
        Value::String(text) => format!("`{text}`"),
        Value::Object(map) if !map.is_empty() => "see the file".to_owned(),
        other => format!("`{}`", other.to_string().replace(',', ", ")),
    }
}

#[test]
fn every_value_is_listed_with_its_meaning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("charts/singletrack/values.yaml")).unwrap();
    let mut table = "| value | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for Row { path, default, meaning } in rows(&text) {
        assert!(!meaning.is_empty(), "{path} has no comment in values.yaml");
        let meaning = meaning.replace('|', "\\|");
        writeln!(table, "| `{path}` | {} | {meaning} |", cell(&default)).unwrap();
    }
    let path = root.join("docs/values.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- values: made from the chart -->\n", "<!-- end -->");
    let (before, rest) = page.split_once(begin).expect("the section is there");
    let (found, after) = rest.split_once(end).expect("it ends");
    if found != table {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        panic!("docs/values.md was out of date and has been rewritten: commit it");
    }
}

#[test]
fn a_comment_makes_a_row_and_what_is_below_it_none() {
    let text = "# One.\na: 1\nb:\n  # Two,\n  # in two lines.\n  c: \"\"\n# Three.\nd:\n  e: 2\n  \
                # inner\n  f: [3]\n#  example: 1\n# Four.\ng: {}\n";
    let found = rows(text);
    let paths: Vec<_> = found.iter().map(|row| (row.path.as_str(), row.meaning.as_str())).collect();
    let expected = [("a", "One."), ("b.c", "Two, in two lines."), ("d", "Three."), ("g", "Four.")];
    assert_eq!(paths, expected);
    assert_eq!(cell(&found[2].default), "see the file");
    assert_eq!(cell(&found[0].default), "`1`");
}
