//! The columns of each table that lists fill. Pure.

use super::Row;
use super::table::Column::{Json, Once, Plain};
use super::table::Table;

pub(super) static REPOSITORIES: Table = Table {
    name: "repositories",
    keys: &["id"],
    columns: &[
        Plain("node_id"),
        Plain("owner"),
        Plain("owner_id"),
        Plain("name"),
        Plain("full_name"),
        Plain("html_url"),
        Plain("description"),
        Plain("default_branch"),
        Plain("language"),
        Plain("visibility"),
        Plain("private"),
        Plain("fork"),
        Plain("archived"),
        Plain("disabled"),
        Plain("has_issues"),
        Json("topics"),
        Plain("license"),
        Plain("stars"),
        Plain("forks"),
        Plain("open_issues_count"),
        Plain("created_at"),
        Plain("updated_at"),
        Plain("pushed_at"),
        Plain("tracked"),
    ],
};

pub(super) static ISSUES: Table = Table {
    name: "issues",
    keys: &["repository_id", "number"],
    columns: &[
        Plain("id"),
        Plain("node_id"),
        Plain("title"),
        Plain("body"),
        Plain("state"),
        Plain("state_reason"),
        Plain("type"),
        Plain("status"),
        Plain("author"),
        Plain("author_id"),
        Plain("author_type"),
        Plain("author_association"),
        Json("assignees"),
        Json("labels"),
        Json("github_labels"),
        Plain("milestone"),
        Plain("milestone_number"),
        Plain("comments"),
        Plain("locked"),
        Plain("closed_by"),
        Plain("html_url"),
        Plain("created_at"),
        Plain("updated_at"),
        Plain("closed_at"),
        Plain("removed_at"),
        Plain("removed_reason"),
        Plain("removed_to"),
    ],
};

/// What a list of issues knows of pull requests; what `/pulls` has told stays.
pub(super) static PULLS_FROM_ISSUES: Table = Table {
    name: "pull_requests",
    keys: &["repository_id", "number"],
    columns: &[
        Once("source"),
        Plain("issue_id"),
        Plain("title"),
        Plain("body"),
        Plain("state"),
        Plain("draft"),
        Plain("merged"),
        Plain("author"),
        Plain("author_id"),
        Plain("author_type"),
        Plain("author_association"),
        Json("assignees"),
        Json("labels"),
        Plain("milestone"),
        Plain("comments"),
        Plain("html_url"),
        Plain("created_at"),
        Plain("updated_at"),
        Plain("closed_at"),
        Plain("merged_at"),
    ],
};

/// What `/pulls` knows of pull requests; what a list of issues has told beyond it stays.
pub(super) static PULLS: Table = Table {
    name: "pull_requests",
    keys: &["repository_id", "number"],
    columns: &[
        Plain("id"),
        Plain("node_id"),
        Plain("source"),
        Plain("title"),
        Plain("body"),
        Plain("state"),
        Plain("draft"),
        Plain("merged"),
        Plain("author"),
        Plain("author_id"),
        Plain("author_type"),
        Plain("author_association"),
        Json("assignees"),
        Json("requested_reviewers"),
        Json("labels"),
        Plain("milestone"),
        Plain("merge_commit_sha"),
        Plain("head_ref"),
        Plain("head_sha"),
        Plain("head_repository"),
        Plain("base_ref"),
        Plain("base_sha"),
        Plain("html_url"),
        Plain("created_at"),
        Plain("updated_at"),
        Plain("closed_at"),
        Plain("merged_at"),
    ],
};

// No row has `removed_at`: what is written is there.

pub(super) static WORKFLOWS: Table = Table {
    name: "workflows",
    keys: &["id"],
    columns: &[
        Plain("repository_id"),
        Plain("name"),
        Plain("path"),
        Plain("state"),
        Plain("created_at"),
        Plain("updated_at"),
        Plain("removed_at"),
    ],
};

pub(super) static WORKFLOW_RUNS: Table = Table {
    name: "workflow_runs",
    keys: &["id"],
    columns: &[
        Plain("repository_id"),
        Plain("workflow_id"),
        Plain("name"),
        Plain("display_title"),
        Plain("run_number"),
        Plain("run_attempt"),
        Plain("event"),
        Plain("status"),
        Plain("conclusion"),
        Plain("head_branch"),
        Plain("head_sha"),
        Plain("actor"),
        Plain("actor_id"),
        Plain("triggering_actor"),
        Plain("html_url"),
        Plain("created_at"),
        Plain("run_started_at"),
        Plain("updated_at"),
        Plain("removed_at"),
    ],
};

pub(super) static WORKFLOW_JOBS: Table = Table {
    name: "workflow_jobs",
    keys: &["id"],
    columns: &[
        Plain("repository_id"),
        Plain("run_id"),
        Plain("run_attempt"),
        Plain("name"),
        Plain("status"),
        Plain("conclusion"),
        Plain("runner_name"),
        Json("labels"),
        Plain("html_url"),
        Plain("created_at"),
        Plain("started_at"),
        Plain("completed_at"),
    ],
};

pub(super) static RELEASES: Table = Table {
    name: "releases",
    keys: &["id"],
    columns: &[
        Plain("repository_id"),
        Plain("tag_name"),
        Plain("name"),
        Plain("body"),
        Plain("draft"),
        Plain("prerelease"),
        Plain("target_commitish"),
        Plain("author"),
        Plain("html_url"),
        Plain("created_at"),
        Plain("published_at"),
        Plain("removed_at"),
    ],
};

pub(super) static PACKAGES: Table = Table {
    name: "packages",
    keys: &["id"],
    columns: &[
        Plain("owner"),
        Plain("repository_id"),
        Plain("package_type"),
        Plain("name"),
        Plain("visibility"),
        Plain("version_count"),
        Plain("latest_tag"),
        Plain("html_url"),
        Plain("created_at"),
        Plain("updated_at"),
        Plain("removed_at"),
    ],
};

pub(super) static COMMITS: Table = Table {
    name: "commits",
    keys: &["repository_id", "sha"],
    columns: &[
        Plain("message"),
        Plain("author"),
        Plain("author_email"),
        Plain("committer"),
        Plain("authored_at"),
        Plain("committed_at"),
        Plain("html_url"),
    ],
};

/// The rows by the table to which they go, in the order in which the tables come first.
pub(super) fn by_table(rows: &[Row]) -> Vec<(&'static Table, Vec<&Row>)> {
    let mut groups: Vec<(&'static Table, Vec<&Row>)> = Vec::new();
    for row in rows {
        let table = row.table();
        match groups.iter_mut().find(|(known, _)| std::ptr::eq(*known, table)) {
            Some((_, group)) => group.push(row),
            None => groups.push((table, vec![row])),
        }
    }
    groups
}

impl Row {
    /// Where the row goes.
    pub(super) fn table(&self) -> &'static Table {
        match self {
            Self::Issue(_) => &ISSUES,
            Self::PullFromIssues(_) => &PULLS_FROM_ISSUES,
            Self::Pull(_) => &PULLS,
            Self::Workflow(_) => &WORKFLOWS,
            Self::WorkflowRun(_) => &WORKFLOW_RUNS,
            Self::WorkflowJob(_) => &WORKFLOW_JOBS,
            Self::Release(_) => &RELEASES,
            Self::Package(_) => &PACKAGES,
            Self::Commit(_) => &COMMITS,
        }
    }
}
