//! What each table and view is for, in a sentence for people. Pure.

/// A public table or view, and what is in it.
pub const TABLES: [(&str, &str); 13] = [
    ("repositories", "one row a repository, under GitHub's numeric id, which outlives its names"),
    ("issues", "one row an issue, tombstones (`removed_at`) included"),
    ("pull_requests", "one row a pull request; `source` says which list has told of it"),
    ("workflows", "not filled by this version"),
    ("workflow_runs", "not filled by this version"),
    ("workflow_jobs", "not filled by this version"),
    ("releases", "not filled by this version"),
    ("packages", "not filled by this version"),
    ("commits", "not filled by this version"),
    ("sync_runs", "the run history, under the run number"),
    ("sync_run_repositories", "what came of each repository in each run"),
    ("sync_quarantine", "items that could not be decoded or stored, with their raw JSON"),
    ("schema_info", "not filled by this version"),
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

/// A view, and what it answers.
pub const VIEWS: [(&str, &str); 5] = [
    ("current_issues", "issues that are there, with ages and lead times in seconds"),
    ("open_issues", "open work: `excludeLabels` left out"),
    ("issue_labels", "one row a label, taken apart at the slash"),
    ("run_history", "runs with their duration"),
    ("data_freshness", "when each list of each repository was last read to its end"),
];
