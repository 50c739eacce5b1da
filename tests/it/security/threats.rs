//! The table of SECURITY.md names tests that are there.

use std::fs;
use std::path::Path;

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn each_threat_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let mut code = String::new();
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut code);
    }
    let rows = page.lines().filter(|line| {
        line.starts_with("| ") && !line.starts_with("| Threat") && !line.starts_with("| ---")
    });
    let mut count = 0;
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        let names: Vec<_> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty() || cells[2].contains("not tested here"), "{row}");
        for name in names {
            let defined = format!("fn {name}(");
            assert!(code.contains(&defined), "{name} is named in SECURITY.md and is no test");
        }
        count += 1;
    }
    assert!(count > 15, "{count} threats");
}
