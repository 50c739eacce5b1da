//! Compares what came of a case with what its file expects.

use std::collections::BTreeMap;

use serde_json::Value;
use singletrack::store::{Answer, Database, RepositoryRecord};
use singletrack::sync::Conclusion;

use super::case::Case;
use crate::support::normal;

/// What came of a case.
pub(super) struct Seen {
    pub(super) conclusion: Conclusion,
    pub(super) records: Vec<RepositoryRecord>,
    pub(super) requests: Vec<String>,
    pub(super) minted: usize,
    pub(super) waited: i64,
    pub(super) cursor_moved: bool,
    pub(super) store: Database,
}

/// What is not as expected, in sentences.
pub(super) async fn check(case: &Case, seen: &Seen) -> Vec<String> {
    let expect = &case.expect;
    let mut problems = Vec::new();
    let mut same = |what: &str, expected: Option<String>, found: String| {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            problems.push(format!("{what} is {found}, not {expected}"));
        }
    };
    let conclusion = &seen.conclusion;
    same("phase", expect.phase.clone(), conclusion.phase.as_str().to_owned());
    same("reason", expect.reason.clone(), conclusion.reason.as_str().to_owned());
    let phase = seen.records.first().map(|record| record.phase.as_str()).unwrap_or_default();
    same("repository phase", expect.repository_phase.clone(), phase.to_owned());
    let text = |number: Option<i64>| number.map(|number| number.to_string());
    same("repositories", text(expect.repositories_count), count(seen, "repositories").await);
    same("commits", text(expect.commits_count), count(seen, "commits").await);
    same("set aside", text(expect.quarantined), count(seen, "sync_quarantine").await);
    same(
        "cursor moved",
        expect.cursor_moved.map(|moved| moved.to_string()),
        seen.cursor_moved.to_string(),
    );
    same("tokens minted", text(expect.tokens_minted), seen.minted.to_string());
    let mut at_least = |what: &str, least: Option<i64>, found: i64| {
        if let Some(least) = least.filter(|least| found < *least) {
            problems.push(format!("{what} {found}, not at least {least}"));
        }
    };
    at_least("retried", expect.retried_at_least, conclusion.result.api.retried);
    at_least("waited", expect.waited_at_least_seconds, seen.waited);
    for text in &expect.requests_never {
        if let Some(url) = seen.requests.iter().find(|url| url.contains(text)) {
            problems.push(format!("{url} was asked for"));
        }
    }
    problems.extend(check_rows(case, seen).await);
    problems
}

async fn check_rows(case: &Case, seen: &Seen) -> Vec<String> {
    let expect = &case.expect;
    let mut problems = Vec::new();
    for (table, key, rows) in [
        ("issues", "number", &expect.issues),
        ("pull_requests", "number", &expect.pull_requests),
        ("releases", "id", &expect.releases),
        ("commits", "sha", &expect.commits),
        ("repositories", "id", &expect.repositories),
        ("workflow_runs", "id", &expect.runs),
        ("workflow_jobs", "id", &expect.jobs),
    ] {
        for row in rows {
            problems.extend(check_row(seen, table, key, row).await);
        }
    }
    for (numbers, there) in [(&expect.absent, false), (&expect.row_kept, true)] {
        for number in numbers {
            if row(seen, "issues", "number", &number.to_string()).await.is_some() != there {
                problems.push(format!(
                    "issue {number} must {}be there",
                    if there { "" } else { "not " }
                ));
            }
        }
    }
    problems
}

async fn check_row(
    seen: &Seen,
    table: &str,
    key: &str,
    expected: &BTreeMap<String, Value>,
) -> Vec<String> {
    let id = match &expected[key] {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    let Some(found) = row(seen, table, key, &id).await else {
        return vec![format!("{table} {id} is missing")];
    };
    let mut problems = Vec::new();
    for (column, value) in expected {
        let problem = match column.as_str() {
            "labelsCount" => {
                let labels: Vec<String> =
                    serde_json::from_str(&found["labels"]).unwrap_or_default();
                (Some(labels.len()) != value.as_u64().and_then(|n| usize::try_from(n).ok()))
                    .then(|| format!("{} labels", labels.len()))
            }
            "labels" => {
                let set = |labels: Vec<String>| {
                    labels.into_iter().collect::<std::collections::BTreeSet<_>>()
                };
                let labels = set(serde_json::from_str(&found["labels"]).unwrap_or_default());
                let wanted = set(serde_json::from_value(value.clone()).unwrap_or_default());
                (labels != wanted).then(|| format!("labels {labels:?}"))
            }
            _ => {
                let wanted = match value {
                    Value::Null => "<null>".to_owned(),
                    Value::String(text) => text.clone(),
                    Value::Bool(flag) => u8::from(*flag).to_string(),
                    other => other.to_string(),
                };
                let found = &found[column];
                (*found != wanted).then(|| format!("{column} {found:?}, not {wanted:?}"))
            }
        };
        problems.extend(problem.map(|problem| format!("{table} {id} has {problem}")));
    }
    problems
}

/// The row with this key, each column as text.
async fn row(seen: &Seen, table: &str, key: &str, id: &str) -> Option<BTreeMap<String, String>> {
    let question = format!("SELECT * FROM {table} WHERE {key} = {id}");
    let Answer { columns, rows } = seen.store.ask(&question).await.expect("an answer");
    let text = |value: &Value| match value {
        Value::Null => "<null>".to_owned(),
        value => normal(value),
    };
    Some(columns.into_iter().zip(rows.first()?.iter().map(text)).collect())
}

async fn count(seen: &Seen, table: &str) -> String {
    let answer = seen.store.ask(&format!("SELECT count(*) FROM {table}")).await;
    normal(&answer.expect("an answer").rows[0][0])
}
