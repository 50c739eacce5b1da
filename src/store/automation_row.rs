//! Rows of what automation leaves behind: the fields are named like the columns.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::row::seconds;

#[derive(Serialize, Clone, Debug, Default)]
pub struct WorkflowRow {
    pub id: i64,
    pub repository_id: i64,
    pub name: Option<String>,
    pub path: Option<String>,
    pub state: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// A run of a workflow, in its newest attempt. It belongs to `workflow_id`, never to a name.
#[derive(Serialize, Clone, Debug, Default)]
pub struct WorkflowRunRow {
    pub id: i64,
    pub repository_id: i64,
    pub workflow_id: Option<i64>,
    pub name: Option<String>,
    pub display_title: Option<String>,
    pub run_number: Option<i64>,
    pub run_attempt: Option<i64>,
    pub event: Option<String>,
    pub status: Option<String>,
    pub conclusion: Option<String>,
    pub head_branch: Option<String>,
    pub head_sha: Option<String>,
    pub actor: Option<String>,
    pub actor_id: Option<i64>,
    pub triggering_actor: Option<String>,
    pub html_url: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub run_started_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub updated_at: Option<DateTime<Utc>>,
}

/// A job of one attempt of a run.
#[derive(Serialize, Clone, Debug, Default)]
pub struct WorkflowJobRow {
    pub id: i64,
    pub repository_id: i64,
    pub run_id: i64,
    pub run_attempt: Option<i64>,
    pub name: Option<String>,
    pub status: Option<String>,
    pub conclusion: Option<String>,
    pub runner_name: Option<String>,
    pub labels: Option<Vec<String>>,
    pub html_url: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub completed_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Clone, Debug, Default)]
pub struct ReleaseRow {
    pub id: i64,
    pub repository_id: i64,
    pub tag_name: Option<String>,
    pub name: Option<String>,
    pub body: Option<String>,
    pub draft: Option<bool>,
    pub prerelease: Option<bool>,
    pub target_commitish: Option<String>,
    pub author: Option<String>,
    pub html_url: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub published_at: Option<DateTime<Utc>>,
}

/// A package of an owner; it need not belong to a repository.
#[derive(Serialize, Clone, Debug, Default)]
pub struct PackageRow {
    pub id: i64,
    pub owner: String,
    pub repository_id: Option<i64>,
    pub package_type: Option<String>,
    pub name: Option<String>,
    pub visibility: Option<String>,
    pub version_count: Option<i64>,
    pub latest_tag: Option<String>,
    pub html_url: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Clone, Debug, Default)]
pub struct CommitRow {
    pub repository_id: i64,
    pub sha: String,
    pub message: Option<String>,
    pub author: Option<String>,
    pub author_email: Option<String>,
    pub committer: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub authored_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "seconds")]
    pub committed_at: Option<DateTime<Utc>>,
    pub html_url: Option<String>,
}

/// A row of one of the tables that lists fill.
#[derive(Serialize, Clone, Debug)]
#[serde(untagged)]
pub enum Row {
    Issue(Box<super::IssueRow>),
    /// What a list of issues tells of a pull request; what `/pulls` has told stays.
    PullFromIssues(Box<super::PullRow>),
    Pull(Box<super::PullRow>),
    Workflow(WorkflowRow),
    WorkflowRun(Box<WorkflowRunRow>),
    WorkflowJob(Box<WorkflowJobRow>),
    Release(Box<ReleaseRow>),
    Package(Box<PackageRow>),
    Commit(Box<CommitRow>),
}

impl Row {
    /// The issue, if it is one.
    pub fn issue(&self) -> Option<&super::IssueRow> {
        match self {
            Self::Issue(issue) => Some(issue),
            _ => None,
        }
    }

    /// How quarantine names the item that the row was made of.
    pub fn item_key(&self) -> String {
        match self {
            Self::Issue(row) => row.number.to_string(),
            Self::PullFromIssues(row) | Self::Pull(row) => row.number.to_string(),
            Self::Workflow(row) => key_of_id(row.id),
            Self::WorkflowRun(row) => key_of_id(row.id),
            Self::WorkflowJob(row) => key_of_job(row.run_id, row.id),
            Self::Release(row) => key_of_id(row.id),
            Self::Package(row) => key_of_id(row.id),
            Self::Commit(row) => format!("sha {}", row.sha),
        }
    }
}

/// How quarantine names an item that has an id and no number.
pub fn key_of_id(id: i64) -> String {
    format!("id {id}")
}

/// How quarantine names a job: with its run, so that the run's jobs can be asked for again.
pub fn key_of_job(run_id: i64, id: i64) -> String {
    format!("run {run_id} job {id}")
}

/// A run of a workflow as it is stored.
#[derive(sqlx::FromRow, Clone, Debug, PartialEq, Eq)]
pub struct KnownRun {
    pub id: i64,
    pub run_attempt: Option<i64>,
    pub status: Option<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// A package as it is stored.
#[derive(sqlx::FromRow, Clone, Debug, PartialEq, Eq)]
pub struct KnownPackage {
    pub id: i64,
    pub version_count: Option<i64>,
    pub latest_tag: Option<String>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// Rows that GitHub does not have any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vanished {
    /// One run of a workflow.
    WorkflowRun(i64),
    /// The repository's workflows but these.
    WorkflowsBut { repository_id: i64, ids: Vec<i64> },
    /// The repository's releases but these.
    ReleasesBut { repository_id: i64, ids: Vec<i64> },
    /// The owner's packages of this type but these.
    PackagesBut { owner: String, package_type: &'static str, ids: Vec<i64> },
}
