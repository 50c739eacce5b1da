//! The lists of the README are made from the code.

use std::fs;
use std::path::Path;

use clap::{Arg, CommandFactory};
use serde_json::Value;
use singletrack::api::{Reason, crd};
use singletrack::cli::{Cli, Exit};
use singletrack::report::EVENTS;
use singletrack::store::{PRIVATE, PRIVATE_VIEWS, QUESTIONS, Sqlite, Store, TABLES, VIEWS};

/// Checks that the section of this name says `expected`. If not, writes it, and fails so that you
/// commit it.
#[track_caller]
fn ensure_section(name: &str, expected: &str) {
    // One test at a time rewrites the file.
    static FILE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _file = FILE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name}: made from the code -->\n"), "<!-- end -->");
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no section {name}"));
    let (found, after) = rest.split_once(end).unwrap();
    if found != expected {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
        panic!("section {name} of the README was out of date and has been rewritten: commit it");
    }
}

fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    let rule: Vec<String> = headings.iter().map(|_| "---".to_owned()).collect();
    let rows: String = rows.into_iter().map(|row| line(&row)).collect();
    line(&headings) + &line(&rule) + &rows
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// The properties of a part of the resource's schema.
fn properties(part: &str) -> Vec<(String, Value)> {
    let crd = serde_json::to_value(crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
    schema["properties"].as_object().unwrap().clone().into_iter().collect()
}

#[test]
fn the_fields_of_the_spec() {
    let rows = properties("spec").into_iter().map(|(name, field)| {
        let kind = match field["enum"].as_array() {
            Some(values) => {
                let values = values.iter().filter_map(Value::as_str).map(code);
                values.collect::<Vec<_>>().join(", ")
            }
            None => field["type"].as_str().unwrap_or_default().to_owned(),
        };
        let default = match &field["default"] {
            Value::Null => String::new(),
            value => format!(", default `{}`", value.to_string().trim_matches('"')),
        };
        let about = field["description"].as_str().unwrap_or_default().replace('\n', " ");
        vec![code(&name), format!("{kind}{default}"), about]
    });
    ensure_section("spec", &table(&["field", "values", "meaning"], rows));
}

#[test]
fn the_fields_of_the_status() {
    let rows = properties("status").into_iter().map(|(name, field)| {
        let about = field["description"].as_str().unwrap_or_default().replace('\n', " ");
        vec![code(&name), about]
    });
    ensure_section("status", &table(&["field", "meaning"], rows));
}

#[test]
fn the_reasons() {
    let rows = Reason::ALL.map(|reason| vec![code(reason.as_str()), reason.meaning().to_owned()]);
    ensure_section("reasons", &table(&["reason", "meaning"], rows));
}

#[test]
fn the_events() {
    let rows = EVENTS.map(|(reason, meaning)| vec![code(reason), meaning.to_owned()]);
    ensure_section("events", &table(&["Event", "meaning"], rows));
}

#[test]
fn the_exit_codes() {
    let rows = Exit::ALL.map(|exit| vec![exit.code().to_string(), exit.meaning().to_owned()]);
    let more = vec!["130".to_owned(), "ended by a second signal".to_owned()];
    ensure_section("exit codes", &table(&["code", "meaning"], rows.into_iter().chain([more])));
}

#[test]
fn the_commands() {
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let rows = shown.map(|command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        vec![code(command.get_name()), about]
    });
    ensure_section("commands", &table(&["command", "what it does"], rows));
}

#[test]
fn the_flags_of_the_operator() {
    let command = Cli::command();
    let operator = command.find_subcommand("controller").unwrap();
    let variable = |arg: &Arg| arg.get_env().map(|name| name.to_string_lossy().into_owned());
    let rows = operator.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| {
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let about = about.replace('\n', " ");
        Some(vec![code(&format!("--{}", arg.get_long()?)), code(&variable(arg)?), about])
    });
    ensure_section("flags", &table(&["flag", "variable", "meaning"], rows));
}

#[tokio::test]
async fn the_tables_and_views() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::at(&folder.path().join("store.db"));
    store.prepare("readme").await.unwrap();
    let names = async |kind: &str| -> Vec<String> {
        let sql = format!(
            "SELECT name FROM sqlite_master WHERE type = '{kind}' AND name NOT LIKE '\\_%' \
             ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY name"
        );
        store.query(&sql).await.unwrap().1.into_iter().flatten().collect()
    };
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let public = TABLES.map(|(name, _)| name);
    let all = public.into_iter().chain(PRIVATE).collect();
    assert_eq!(names("table").await, sorted(all), "src/store/describe.rs lists each table");
    let views = VIEWS.map(|(name, _)| name).into_iter().chain(PRIVATE_VIEWS).collect();
    assert_eq!(names("view").await, sorted(views));
    store.close().await;
    let rows = VIEWS.into_iter().chain(TABLES);
    let rows = rows.map(|(name, what)| vec![code(name), what.to_owned()]);
    ensure_section("tables", &table(&["view or table", "what is in it"], rows));
}

#[test]
fn the_questions() {
    let views = VIEWS.map(|(name, _)| name);
    let asked = |view: &&str| QUESTIONS.iter().any(|(name, ..)| name == view);
    let unasked: Vec<&str> = views.into_iter().filter(|view| !asked(view)).collect();
    assert_eq!(unasked, ["issue_labels"], "it stands beside open_issues");
    let told = |(view, question, sql): (&str, &str, &str)| {
        format!("{question} `{view}`\n\n```sql\n{sql}\n```\n\n")
    };
    let text: String = QUESTIONS.into_iter().map(told).collect();
    ensure_section("questions", &format!("{}\n", text.trim_end()));
}

#[test]
fn arguments_show_no_secret() {
    use clap::Parser;
    let arguments = [
        "singletrack",
        "controller",
        "--github-token",
        "ghp_marked",
        "--https-proxy",
        "http://user:ghp_marked@proxy.test:1",
    ];
    let shown = format!("{:?}", Cli::try_parse_from(arguments).unwrap());
    assert!(!shown.contains("ghp_marked"), "{shown}");
}

/// The table of what breaks without a rule has a row for each that the model has taken away, with the
/// number of steps that it took.
#[test]
fn each_counterexample_is_told_as_it_is_kept() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let kept = std::fs::read_dir(root.join("tests/model/snapshots")).unwrap();
    let mut told = 0;
    for file in kept {
        let path = file.unwrap().path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let steps = text.lines().last().and_then(|line| line.split_whitespace().next()).unwrap();
        let broken = text.lines().nth(1).and_then(|line| line.strip_prefix("Broken: ")).unwrap();
        let end = format!("| {steps} | {broken} | [{name}](tests/model/snapshots/{name}.txt) |");
        assert!(readme.lines().any(|line| line.ends_with(&end)), "no row ends with {end}");
        told += 1;
    }
    let rows = readme.lines().filter(|line| line.contains("](tests/model/snapshots/")).count();
    assert_eq!(rows, told);
}
