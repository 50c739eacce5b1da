//! One issue or pull request, and the people and labels on it.

use std::sync::OnceLock;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{generate::hash, shapes};

/// An issue as GitHub lists it; a pull request is an issue with a [`PullRequest`].
#[derive(Clone, Debug)]
pub struct Issue {
    /// Unique in the world.
    pub id: u64,
    /// Unique in the repository.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// Open or closed.
    pub state: State,
    /// `completed`, `not_planned`, `reopened` and so on.
    pub state_reason: Option<String>,
    /// In no order that means anything.
    pub labels: Vec<Label>,
    /// Who opened it.
    pub user: User,
    /// Who works on it.
    pub assignees: Vec<User>,
    /// How many comments it has.
    pub comments: u64,
    /// Whether talking is over.
    pub locked: bool,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was closed, if it is.
    pub closed_at: Option<DateTime<Utc>>,
    /// Set if this is a pull request.
    pub pull_request: Option<PullRequest>,
    /// The object this issue was recorded as; its fields that have no place here are kept.
    pub recorded: Option<Map<String, Value>>,
    /// Fields that replace whatever the answer would say: for broken and unusual items.
    pub patch: Map<String, Value>,
}

/// Whether work is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Closed,
}

impl State {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// What only pull requests have.
#[derive(Clone, Debug, Default)]
pub struct PullRequest {
    /// Whether it is not ready for review.
    pub draft: bool,
    /// When it was merged, if it was.
    pub merged_at: Option<DateTime<Utc>>,
    /// The commit of the merge; without one, it is made up.
    pub merge_commit_sha: Option<String>,
    /// The last commit of its branch; without one, it is made up.
    pub head_sha: Option<String>,
    /// Whether the repository that it came from has been deleted.
    pub fork_is_gone: bool,
    /// Who is asked to look at it.
    pub requested_reviewers: Vec<User>,
    /// Fields that replace whatever the list of pull requests would say.
    pub patch: Map<String, Value>,
}

/// A label of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Unique in the world.
    pub id: u64,
    /// Unique in the repository, whatever its case.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// One line.
    pub description: Option<String>,
}

impl Label {
    /// The label of this name; the same name always gives the same label.
    pub fn named(name: &str) -> Self {
        let hash = hash(name.as_bytes());
        Self {
            id: 1_000_000_000 + hash % 1_000_000_000,
            name: name.to_owned(),
            color: format!("{:06x}", hash & 0x00ff_ffff),
            description: None,
        }
    }
}

/// A person, a bot or an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Unique in the world.
    pub id: u64,
    /// The name in URLs.
    pub login: String,
    /// `User`, `Bot` or `Organization`.
    pub kind: String,
}

impl User {
    /// The person of this login; the same login always gives the same person.
    pub fn named(login: &str) -> Self {
        let id = 1_000 + hash(login.as_bytes()) % 200_000_000;
        Self { id, login: login.to_owned(), kind: "User".to_owned() }
    }
}

impl Issue {
    /// An open issue without body, labels or comments.
    pub fn new(id: u64, number: u64, title: &str, created_at: DateTime<Utc>) -> Self {
        Self {
            id,
            number,
            title: title.to_owned(),
            body: None,
            state: State::Open,
            state_reason: None,
            labels: Vec::new(),
            user: User::named("octavia"),
            assignees: Vec::new(),
            comments: 0,
            locked: false,
            created_at,
            updated_at: created_at,
            closed_at: None,
            pull_request: None,
            recorded: None,
            patch: Map::new(),
        }
    }

    /// Whether GitHub would give it a `pull_request` key.
    pub fn is_pull_request(&self) -> bool {
        self.pull_request.is_some()
    }

    /// Whether it has the label, whatever its case.
    pub fn has_label(&self, name: &str) -> bool {
        self.labels.iter().any(|label| label.name.eq_ignore_ascii_case(name))
    }

    /// Gives it exactly these labels.
    pub fn set_labels(&mut self, names: &[&str]) {
        self.labels = names.iter().map(|name| Label::named(name)).collect();
    }

    /// Closes it. Closing a closed issue changes nothing.
    pub fn close(&mut self, at: DateTime<Utc>) {
        if self.state == State::Open {
            self.state = State::Closed;
            self.state_reason = (!self.is_pull_request()).then(|| "completed".to_owned());
            self.closed_at = Some(at);
            self.updated_at = at;
        }
    }

    /// Opens it again. Opening an open issue changes nothing.
    pub fn reopen(&mut self, at: DateTime<Utc>) {
        if self.state == State::Closed {
            self.state = State::Open;
            self.state_reason = Some("reopened".to_owned());
            self.closed_at = None;
            self.updated_at = at;
        }
    }
}

/// An issue and, once somebody asked for it, its JSON.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    issue: Issue,
    json: OnceLock<Bytes>,
}

impl Stored {
    pub(super) fn new(issue: Issue) -> Self {
        Self { issue, json: OnceLock::new() }
    }

    pub(super) fn issue(&self) -> &Issue {
        &self.issue
    }

    /// The issue, to change it: its JSON is made anew afterwards.
    pub(super) fn issue_mut(&mut self) -> &mut Issue {
        self.json = OnceLock::new();
        &mut self.issue
    }

    pub(super) fn into_issue(self) -> Issue {
        self.issue
    }

    /// The JSON, as it is until the issue, its repository's name or the base URL changes.
    pub(super) fn json(&self, base: &str, full_name: &str) -> &Bytes {
        self.json.get_or_init(|| shapes::issue(&self.issue, base, full_name).to_string().into())
    }

    pub(super) fn forget_json(&mut self) {
        self.json = OnceLock::new();
    }
}
