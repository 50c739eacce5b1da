//! The run history: what a run begins with, how it ends, and what came of each repository.

use chrono::{DateTime, Utc};

use super::Counts;
use crate::api::{RepositoryPhase, RunResult};
use crate::lease::RunNumber;

/// A run that is about to start.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub run_type: &'static str,
    pub dry_run: bool,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub attempt: i64,
    /// Why the predecessor was replaced, if it was.
    pub takeover_reason: Option<&'static str>,
    pub started_at: DateTime<Utc>,
    /// The uids of the requests that wait for the same and are answered by this run too.
    pub coalesced: Vec<String>,
    /// Labels whose issues are not open work.
    pub excluded_labels: Vec<String>,
}

/// What an activation has found and closed.
#[derive(Clone, Debug, Default)]
pub struct Activation {
    /// Runs that had not ended and are now interrupted.
    pub interrupted: Vec<RunNumber>,
    /// The run before this one, without its repositories.
    pub former: Option<Box<RunRecord>>,
    /// The uids that stand with the run as answered by it.
    pub coalesced: Vec<String>,
}

/// How a run stands in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    Running,
    Succeeded,
    Partial,
    Failed,
    Interrupted,
    Cancelled,
}

impl RunState {
    pub const ALL: [Self; 6] = [
        Self::Running,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Interrupted,
        Self::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name; anything else counts as interrupted.
    pub fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|s| s.as_str() == text).unwrap_or(Self::Interrupted)
    }
}

/// How a run has ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    pub state: RunState,
    pub reason: &'static str,
    pub message: String,
    pub result: RunResult,
    pub completed_at: DateTime<Utc>,
    /// Set when this is not the end of the request: another attempt follows then.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// A run as the history tells it.
#[derive(Clone, Debug)]
pub struct RunRecord {
    pub number: RunNumber,
    pub run_type: String,
    pub state: RunState,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub uid: Option<String>,
    pub holder: String,
    pub takeover_reason: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub started_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// Whether it has committed any data.
    pub committed: bool,
    pub dry_run: bool,
    pub coalesced: Vec<String>,
    pub result: RunResult,
    /// What came of the repositories, failures first, at most 100.
    pub repositories: Vec<RepositoryRecord>,
}

impl RunRecord {
    /// Whether it is the end of its request.
    pub fn is_final(&self) -> bool {
        !matches!(self.state, RunState::Running | RunState::Interrupted)
            && self.next_attempt_at.is_none()
    }
}

/// What came of one repository in one run.
#[derive(Clone, Debug)]
pub struct RepositoryRecord {
    pub name: String,
    pub repository_id: Option<i64>,
    pub phase: RepositoryPhase,
    pub reason: Option<String>,
    pub error: Option<String>,
    pub pages: i64,
    pub counts: Counts,
    /// Whether every list was read to its end.
    pub complete: bool,
    /// Whether the limits have cut off the older part of a list.
    pub truncated: bool,
    pub started_at: DateTime<Utc>,
    pub completed_at: DateTime<Utc>,
}
