//! Rows of the data tables: the fields are named like the columns.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A repository, under the numeric id that it keeps when it is renamed.
#[derive(Serialize, Clone, Debug, Default)]
pub struct RepositoryRow {
    pub id: i64,
    pub node_id: Option<String>,
    pub owner: String,
    pub owner_id: Option<i64>,
    pub name: String,
    pub full_name: String,
    pub html_url: Option<String>,
    pub description: Option<String>,
    pub default_branch: Option<String>,
    pub language: Option<String>,
    pub visibility: Option<String>,
    pub private: Option<bool>,
    pub fork: Option<bool>,
    pub archived: Option<bool>,
    pub disabled: Option<bool>,
    pub has_issues: Option<bool>,
    pub topics: Option<Vec<String>>,
    pub license: Option<String>,
    pub stars: Option<i64>,
    pub forks: Option<i64>,
    pub open_issues_count: Option<i64>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub pushed_at: Option<DateTime<Utc>>,
    pub tracked: bool,
}

/// An issue. `labels` and `status` are what the rules make of `github_labels`.
#[derive(Serialize, Clone, Debug, Default)]
pub struct IssueRow {
    pub repository_id: i64,
    pub number: i64,
    pub id: Option<i64>,
    pub node_id: Option<String>,
    pub title: Option<String>,
    pub body: Option<String>,
    pub state: String,
    pub state_reason: Option<String>,
    #[serde(rename = "type")]
    pub type_: Option<String>,
    pub status: String,
    pub author: Option<String>,
    pub author_id: Option<i64>,
    pub author_type: Option<String>,
    pub author_association: Option<String>,
    pub assignees: Vec<Assignee>,
    pub labels: Vec<String>,
    pub github_labels: Vec<String>,
    pub milestone: Option<String>,
    pub milestone_number: Option<i64>,
    pub comments: Option<i64>,
    pub locked: Option<bool>,
    pub closed_by: Option<String>,
    pub html_url: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub closed_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub removed_at: Option<DateTime<Utc>>,
    pub removed_reason: Option<String>,
    pub removed_to: Option<String>,
}

/// Somebody an issue is assigned to, or who is asked for a review.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Assignee {
    pub id: Option<i64>,
    pub login: String,
}

/// A pull request, as far as its source tells of it; what it does not tell is not written.
#[derive(Serialize, Clone, Debug, Default)]
pub struct PullRow {
    pub repository_id: i64,
    pub number: i64,
    pub id: Option<i64>,
    pub issue_id: Option<i64>,
    pub node_id: Option<String>,
    pub source: &'static str,
    pub title: Option<String>,
    pub body: Option<String>,
    pub state: String,
    pub draft: Option<bool>,
    pub merged: Option<bool>,
    pub author: Option<String>,
    pub author_id: Option<i64>,
    pub author_type: Option<String>,
    pub author_association: Option<String>,
    pub assignees: Vec<Assignee>,
    pub requested_reviewers: Option<Vec<Assignee>>,
    pub labels: Vec<String>,
    pub milestone: Option<String>,
    pub comments: Option<i64>,
    pub merge_commit_sha: Option<String>,
    pub head_ref: Option<String>,
    pub head_sha: Option<String>,
    /// Null when the fork is gone.
    pub head_repository: Option<String>,
    pub base_ref: Option<String>,
    pub base_sha: Option<String>,
    pub html_url: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub closed_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub merged_at: Option<DateTime<Utc>>,
}

/// The fixed-width form of a time in a data table.
pub(super) fn to_seconds(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
pub(super) fn seconds<S: serde::Serializer>(
    at: &Option<DateTime<Utc>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.collect_str(&to_seconds(*at)),
        None => to.serialize_none(),
    }
}
