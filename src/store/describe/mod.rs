//! What each table, view and column is for, in words for people: the README, `docs/schema.json` and
//! PostgreSQL's comments are made of them. Pure.

mod columns;
mod questions;

use columns::{ABOUT, COLUMNS};

pub use questions::QUESTIONS;

/// A public table, and what is in it.
pub const TABLES: [(&str, &str); 13] = [
    ("repositories", "one row a repository, under GitHub's numeric id, which outlives its names"),
    ("issues", "one row an issue, tombstones (`removed_at`) included"),
    ("pull_requests", "one row a pull request; `source` says which list has told of it"),
    ("workflows", "one row a workflow of GitHub Actions, tombstones included"),
    ("workflow_runs", "one row a run of a workflow, in its newest attempt, tombstones included"),
    ("workflow_jobs", "one row a job, of every attempt of a run"),
    ("releases", "one row a release, tombstones included"),
    ("packages", "one row a package of an owner, tombstones included"),
    ("commits", "the newest commits of the default branches, as each sync has found them"),
    ("sync_runs", "the run history, under the run number"),
    ("sync_run_repositories", "what came of each repository in each run"),
    ("sync_quarantine", "items that could not be decoded or stored, with their raw JSON"),
    ("schema_info", "the version of the tables, and which versions of the operator may use them"),
];

/// Tables that are the operator's own: they change without notice.
pub const PRIVATE: [&str; 6] = [
    "sync_store",
    "sync_tickets",
    "sync_fence",
    "sync_cursors",
    "sync_etags",
    "sync_excluded_labels",
];

/// A public view, and what it answers.
pub const VIEWS: [(&str, &str); 10] = [
    ("current_issues", "issues that are there, with ages and lead times in seconds"),
    ("current_pull_requests", "pull requests, with ages and the time to merge in seconds"),
    ("open_issues", "open work: `excludeLabels` left out"),
    ("issue_labels", "one row a label, taken apart at the slash"),
    ("issue_assignees", "one row an assignee of an issue"),
    ("ci_runs", "runs of workflows, with duration, time in the queue, and whether they are flaky"),
    (
        "failing_workflows",
        "workflows whose newest finished run on the default branch has failed, since when, and how \
         often in a row",
    ),
    ("run_history", "runs of the operator, with their duration"),
    ("data_freshness", "when each list of each repository was last read to its end"),
    (
        "stale_repositories",
        "tracked repositories with an error, or with a list that was not read to its end for a day",
    ),
];

/// Views that are the operator's own: they change without notice.
pub const PRIVATE_VIEWS: [&str; 1] = ["sync_clock"];

/// The columns of a public table or view, each with what is in it, in no order that means anything.
pub fn columns(relation: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let known = COLUMNS.iter().find(|(name, _)| *name == relation);
    let names = known.into_iter().flat_map(|(_, names)| names.split_whitespace());
    names.map(move |name| (name, about(relation, name)))
}

/// What is said of the column in this relation, or of all of its name.
fn about(relation: &str, column: &str) -> &'static str {
    let is_special = |name: &str| name.split_once('.') == Some((relation, column));
    let mut special = ABOUT.iter().filter(|(name, _)| is_special(name));
    let mut general = ABOUT.iter().filter(|(name, _)| *name == column);
    special.next().or_else(|| general.next()).map_or("", |(_, about)| *about)
}

/// What PostgreSQL is told: a statement for each public table, view and column.
///
/// They name no schema, so the search path says which one is meant. To say them again changes
/// nothing.
pub fn comments() -> Vec<String> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let tables = TABLES.map(|(name, about)| ("TABLE", name, about));
    let views = VIEWS.map(|(name, about)| ("VIEW", name, about));
    let mut comments = Vec::new();
    for (kind, name, about) in tables.into_iter().chain(views) {
        comments.push(format!("COMMENT ON {kind} {name} IS {}", quoted(about)));
        for (column, about) in columns(name) {
            comments.push(format!("COMMENT ON COLUMN {name}.{column} IS {}", quoted(about)));
        }
    }
    comments
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_column_is_described_and_nothing_is_described_that_is_not_there() {
        let mut used = BTreeSet::new();
        let relations: Vec<&str> = TABLES.iter().chain(&VIEWS).map(|(name, _)| *name).collect();
        for relation in &relations {
            assert!(columns(relation).next().is_some(), "{relation} has no columns");
            for (column, about) in columns(relation) {
                assert!(!about.is_empty(), "{relation}.{column} is not described");
                used.insert((relation, column));
            }
        }
        assert_eq!(COLUMNS.len(), relations.len());
        for (name, _) in ABOUT {
            let is_used = match name.split_once('.') {
                Some((relation, column)) => used.contains(&(&relation, column)),
                None => used.iter().any(|(_, column)| **column == *name),
            };
            assert!(is_used, "there is no column {name}");
        }
        let names: BTreeSet<&str> = ABOUT.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), ABOUT.len(), "something is described twice");
    }

    #[test]
    fn comments_are_statements_that_quote_what_they_say() {
        let comments = comments();
        let expected = "COMMENT ON TABLE repositories IS 'one row a repository, under GitHub''s \
                        numeric id, which outlives its names'";
        assert_eq!(comments[0], expected);
        assert!(comments[1].starts_with("COMMENT ON COLUMN repositories.id IS '"), "{comments:?}");
        assert!(comments.iter().any(|one| one.starts_with("COMMENT ON VIEW ci_runs IS ")));
    }
}
