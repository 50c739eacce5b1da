//! What the operator says of a request: its phase, why, how far it is and what came of it.

use chrono::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Facts;
use super::{Condition, Micros, Reason, conditions};

/// Where a request stands. The last five are terminal: they never change.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Phase {
    #[default]
    Pending,
    Queued,
    Running,
    Succeeded,
    PartiallySucceeded,
    Failed,
    Rejected,
    Cancelled,
}

impl Phase {
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::PartiallySucceeded,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::PartiallySucceeded => "PartiallySucceeded",
            Self::Failed => "Failed",
            Self::Rejected => "Rejected",
            Self::Cancelled => "Cancelled",
        }
    }

    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Queued | Self::Running)
    }
}

/// The status of a request. Written by the operator only.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncRequestStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Pending, Queued, Running, or one of the ends.
    pub phase: Phase,
    /// Why, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reason: Option<String>,
    /// Why, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub message: Option<String>,
    /// The resourceVersion that the request was first seen with: its place among equals.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub queue_ticket: Option<String>,
    /// When the first attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_start_time: Option<Micros>,
    /// When the last attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Micros>,
    /// When the request ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Micros>,
    /// When the next attempt may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Micros>,
    /// How many attempts have started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    /// The number of the last attempt's run; later runs have higher numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub run_number: Option<i64>,
    /// The lock that the request waits for or runs under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockRef>,
    /// How far the run is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// What the run has done, in numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// What came of each repository, failures first, at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub repositories: Vec<RepositoryStatus>,
    /// The request whose run has answered this one too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub satisfied_by: Option<String>,
    /// Finished, Ready, Reconciling, Stalled, Suspended, RateLimited.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}

impl SyncRequestStatus {
    /// The status of a request that nobody has looked at yet.
    #[must_use]
    pub fn newborn() -> Self {
        let facts = Facts {
            phase: Phase::Pending,
            reason: Reason::Created,
            message: "not seen by the operator yet",
            suspended: false,
            rate_limited_until: None,
            generation: None,
            now: DateTime::UNIX_EPOCH,
        };
        let conditions = conditions(&facts, &[]);
        Self {
            phase: Phase::Pending,
            conditions: conditions.into_iter().filter(|c| c.status == "True").collect(),
            ..Self::default()
        }
    }
}

/// The Lease that is the lock.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct LockRef {
    /// The Lease, as namespace/name: which operator the request belongs to.
    #[schemars(length(max = 320))]
    pub lease: String,
    /// Who runs it: pod, boot and attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    pub holder: Option<String>,
}

/// How far a run is.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// Repositories done of all, as 12/40.
    #[schemars(length(max = 64))]
    pub summary: String,
    pub repositories_total: i64,
    pub repositories_done: i64,
    pub items_fetched: i64,
    /// A repository that is being read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub current: Option<String>,
}

/// What a run has done, in numbers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct RunResult {
    /// How many repositories were read.
    pub repositories: i64,
    /// How many of them failed.
    pub failed: i64,
    pub created: i64,
    pub updated: i64,
    pub removed: i64,
    pub unchanged: i64,
    /// created + updated + removed.
    pub changed: i64,
    /// Items that could not be decoded or stored and were set aside.
    pub quarantined: i64,
    pub api: ApiUse,
}

/// What a run has asked of GitHub.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiUse {
    pub requests: i64,
    /// Answers that cost nothing, because nothing had changed (304).
    pub not_modified: i64,
    pub retried: i64,
    /// Seconds spent waiting for GitHub's limits.
    pub waited_seconds: i64,
    /// What is left of the hourly quota, if GitHub said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// What came of one repository.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepositoryPhase {
    Succeeded,
    Failed,
    Suspect,
    Skipped,
}

impl RepositoryPhase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Suspect => "Suspect",
            Self::Skipped => "Skipped",
        }
    }

    /// The phase of this name; anything else counts as failed.
    pub fn parse(text: &str) -> Self {
        let all = [Self::Succeeded, Self::Suspect, Self::Skipped];
        all.into_iter().find(|phase| phase.as_str() == text).unwrap_or(Self::Failed)
    }
}

/// One repository of a run.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryStatus {
    #[schemars(length(max = 253))]
    pub name: String,
    pub phase: RepositoryPhase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub reason: Option<String>,
    #[serde(default)]
    pub created: i64,
    #[serde(default)]
    pub updated: i64,
    #[serde(default)]
    pub removed: i64,
    #[serde(default)]
    pub unchanged: i64,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub error: Option<String>,
}

/// The beginning of `text`, at most 1 KiB, cut on a character boundary.
pub fn cut(text: &str) -> &str {
    const LONGEST: usize = 1024;
    &text[..text.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let text = "é".repeat(600);
        assert_eq!(cut(&text).chars().count(), 512);
        assert_eq!(cut("short"), "short");
    }
}
