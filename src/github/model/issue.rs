//! Issues, the people and labels on them, and the repository they are in.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::time;

/// An account. Deleted ones are null where they stood.
#[derive(Deserialize, Clone, Debug)]
pub struct User {
    pub id: Option<i64>,
    pub login: String,
    #[serde(rename = "type")]
    pub type_: Option<String>,
}

/// A label: an object, or just its name.
#[derive(Deserialize, Clone, Debug)]
#[serde(untagged)]
pub enum Label {
    Name(String),
    Object { name: Option<String> },
}

impl Label {
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Object { name } => name.as_deref(),
        }
    }
}

#[derive(Deserialize, Clone, Debug)]
pub struct Milestone {
    pub number: Option<i64>,
    pub title: Option<String>,
}

/// An item of a list of issues: an issue, or a pull request if it has the key of one.
#[derive(Deserialize, Clone, Debug)]
pub struct Issue {
    pub number: i64,
    pub id: Option<i64>,
    pub node_id: Option<String>,
    pub title: Option<String>,
    pub body: Option<String>,
    pub state: String,
    pub state_reason: Option<String>,
    #[serde(rename = "type")]
    pub type_: Option<IssueType>,
    pub user: Option<User>,
    pub author_association: Option<String>,
    #[serde(default)]
    pub labels: Option<Vec<Label>>,
    #[serde(default)]
    pub assignees: Option<Vec<User>>,
    pub milestone: Option<Milestone>,
    pub comments: Option<i64>,
    pub locked: Option<bool>,
    pub closed_by: Option<User>,
    pub html_url: Option<String>,
    pub repository_url: Option<String>,
    pub draft: Option<bool>,
    pub pull_request: Option<PullRequestPart>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub closed_at: Option<DateTime<Utc>>,
}

/// The kind of an issue, as an organisation names it.
#[derive(Deserialize, Clone, Debug)]
pub struct IssueType {
    pub name: Option<String>,
}

/// What a list of issues says of a pull request.
#[derive(Deserialize, Clone, Debug)]
pub struct PullRequestPart {
    #[serde(default, deserialize_with = "time")]
    pub merged_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize, Clone, Debug)]
pub struct License {
    pub spdx_id: Option<String>,
    pub name: Option<String>,
}

/// A repository.
#[derive(Deserialize, Clone, Debug)]
pub struct Repository {
    pub id: i64,
    pub node_id: Option<String>,
    pub name: String,
    pub full_name: String,
    pub owner: Option<User>,
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
    pub license: Option<License>,
    pub stargazers_count: Option<i64>,
    pub forks_count: Option<i64>,
    pub open_issues_count: Option<i64>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub pushed_at: Option<DateTime<Utc>>,
}
