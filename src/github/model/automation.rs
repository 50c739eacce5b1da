//! What automation leaves behind: workflows, runs, jobs, releases, pull requests, packages, commits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use super::issue::{Label, Milestone, User};
use super::time;

#[derive(Deserialize, Clone, Debug)]
pub struct Workflow {
    pub id: i64,
    pub name: Option<String>,
    pub path: String,
    pub state: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct WorkflowRun {
    pub id: i64,
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
    pub actor: Option<User>,
    pub triggering_actor: Option<User>,
    pub html_url: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub run_started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct Job {
    pub id: i64,
    pub run_id: i64,
    pub run_attempt: Option<i64>,
    pub name: Option<String>,
    pub status: Option<String>,
    pub conclusion: Option<String>,
    pub runner_name: Option<String>,
    pub labels: Option<Vec<String>>,
    pub html_url: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub completed_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct Release {
    pub id: i64,
    pub tag_name: String,
    pub name: Option<String>,
    pub body: Option<String>,
    pub draft: Option<bool>,
    pub prerelease: Option<bool>,
    pub target_commitish: Option<String>,
    pub author: Option<User>,
    pub html_url: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub published_at: Option<DateTime<Utc>>,
}

/// A pull request as `/pulls` tells it.
#[derive(Deserialize, Clone, Debug)]
pub struct PullRequest {
    pub number: i64,
    pub id: Option<i64>,
    pub node_id: Option<String>,
    pub title: Option<String>,
    pub body: Option<String>,
    pub state: String,
    pub draft: Option<bool>,
    pub merged: Option<bool>,
    pub user: Option<User>,
    pub author_association: Option<String>,
    pub assignees: Option<Vec<User>>,
    pub requested_reviewers: Option<Vec<User>>,
    pub labels: Option<Vec<Label>>,
    pub milestone: Option<Milestone>,
    pub merge_commit_sha: Option<String>,
    pub head: Option<Branch>,
    pub base: Option<Branch>,
    pub html_url: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub closed_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub merged_at: Option<DateTime<Utc>>,
}

/// One side of a pull request. Its repository is null when the fork is gone.
#[derive(Deserialize, Clone, Debug)]
pub struct Branch {
    #[serde(rename = "ref")]
    pub ref_: Option<String>,
    pub sha: Option<String>,
    pub repo: Option<BranchRepository>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct BranchRepository {
    pub full_name: Option<String>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct Package {
    pub id: i64,
    pub name: String,
    pub package_type: String,
    pub owner: Option<User>,
    pub repository: Option<PackageRepository>,
    pub visibility: Option<String>,
    pub version_count: Option<i64>,
    pub html_url: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct PackageRepository {
    pub id: Option<i64>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct PackageVersion {
    pub id: i64,
    pub name: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    pub metadata: Option<PackageMetadata>,
}

impl PackageVersion {
    /// What people call it: of a container image its first tag, if it has one; of any other package
    /// its name.
    pub fn tag(self) -> Option<String> {
        match self.metadata.and_then(|metadata| metadata.container) {
            Some(container) => container.tags.into_iter().flatten().next(),
            None => self.name,
        }
    }
}

#[derive(Deserialize, Clone, Debug)]
pub struct PackageMetadata {
    pub container: Option<ContainerMetadata>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct ContainerMetadata {
    pub tags: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct Commit {
    pub sha: String,
    pub commit: Option<CommitPart>,
    pub author: Option<User>,
    pub committer: Option<User>,
    pub html_url: Option<String>,
}

/// What git says of a commit.
#[derive(Deserialize, Clone, Debug)]
pub struct CommitPart {
    pub message: Option<String>,
    pub author: Option<Signature>,
    pub committer: Option<Signature>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct Signature {
    pub name: Option<String>,
    pub email: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub date: Option<DateTime<Utc>>,
}

/// Where a GitHub App is installed.
#[derive(Deserialize, Clone, Debug)]
pub struct Installation {
    pub id: i64,
    pub account: Option<User>,
    pub suspended_at: Option<DateTime<Utc>>,
}

/// A token of an installation. It has no readable Debug.
#[derive(Deserialize, Clone, Debug)]
pub struct InstallationToken {
    pub token: SecretString,
    #[serde(default, deserialize_with = "time")]
    pub expires_at: Option<DateTime<Utc>>,
}

/// What is left of the quota.
#[derive(Deserialize, Clone, Debug)]
pub struct RateLimit {
    pub resources: BTreeMap<String, Quota>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct Quota {
    pub limit: i64,
    pub remaining: i64,
    pub reset: i64,
}
