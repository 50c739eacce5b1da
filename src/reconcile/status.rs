//! The status that belongs to a change of phase. Pure.

use chrono::{DateTime, Utc};

use crate::api::{
    Condition, ConditionFacts, LockRef, Micros, Phase, Progress, Reason, RepositoryStatus,
    RunResult, SyncRequest, SyncRequestStatus, conditions, cut,
};
use crate::lease::{RunNumber, Tenure};
use crate::store::{RepositoryRecord, RunRecord, RunState};
use crate::sync::Conclusion;

/// What happens to a request.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// It takes its place in the queue.
    Queued {
        ahead: usize,
    },
    /// It waits in the queue, or goes back there, its attempt not counted.
    Requeued {
        reason: Reason,
        message: String,
    },
    /// It waits, and its newest run is gone before the status told of it. What that run may still have on
    /// its way finds another number.
    LeftBehind {
        number: RunNumber,
    },
    /// It goes back to the queue after an attempt that counts, and comes up again at a time.
    Retried {
        reason: Reason,
        message: String,
        next_at: DateTime<Utc>,
    },
    Started {
        number: RunNumber,
        holder: String,
    },
    /// It ends with the run that it had.
    Ended {
        conclusion: Conclusion,
        repositories: Vec<RepositoryStatus>,
    },
    /// It ends with the run of another request.
    Satisfied {
        conclusion: Conclusion,
        by: String,
        number: RunNumber,
    },
    /// It ends without one.
    Closed {
        phase: Phase,
        reason: Reason,
        message: String,
    },
}

impl Change {
    pub(super) fn started(tenure: &Tenure) -> Self {
        Self::Started { number: tenure.number(), holder: tenure.holder().as_str().to_owned() }
    }

    pub(super) fn suspended(message: &str) -> Self {
        Self::Requeued { reason: Reason::Suspended, message: message.to_owned() }
    }

    /// The end that the history tells of.
    pub(super) fn from_record(record: &RunRecord) -> Self {
        let conclusion = concluded(record);
        Self::Ended { conclusion, repositories: repositories(&record.repositories) }
    }

    /// The end with another request's run, which has ended well.
    pub(super) fn satisfied(record: &RunRecord) -> Self {
        let by = record.name.clone().unwrap_or_default();
        Self::Satisfied { conclusion: concluded(record), by, number: record.number }
    }

    /// Whether it holds for the spec as it is by then as well: an end stays what it is, and one that
    /// was stopped to be suspended was read before.
    pub(super) fn is_of_any_spec(&self) -> bool {
        let (phase, reason, _) = self.says();
        phase.is_terminal() || reason == Reason::Suspended
    }

    /// Phase, reason and message after the change.
    pub(super) fn says(&self) -> (Phase, Reason, String) {
        match self {
            Self::Queued { ahead: 0 } => {
                (Phase::Queued, Reason::Queued, "first in the queue".to_owned())
            }
            Self::Queued { ahead } => {
                (Phase::Queued, Reason::Queued, format!("{ahead} were ahead when it queued"))
            }
            Self::Requeued { reason, message } | Self::Retried { reason, message, .. } => {
                (Phase::Queued, *reason, message.clone())
            }
            Self::LeftBehind { .. } => (
                Phase::Queued,
                Reason::Interrupted,
                "its run was left behind; it runs again".into(),
            ),
            Self::Satisfied { conclusion, by, number } => {
                let message = format!("answered by run {number} of {by}: {}", conclusion.message);
                (conclusion.phase, conclusion.reason, message)
            }
            Self::Started { number, .. } => {
                (Phase::Running, Reason::Started, format!("run {number} has started"))
            }
            Self::Ended { conclusion, .. } => {
                (conclusion.phase, conclusion.reason, conclusion.message.clone())
            }
            Self::Closed { phase, reason, message } => (*phase, *reason, message.clone()),
        }
    }
}

/// How the run of this record has ended.
fn concluded(record: &RunRecord) -> Conclusion {
    let phase = match record.state {
        RunState::Succeeded => Phase::Succeeded,
        RunState::Partial => Phase::PartiallySucceeded,
        RunState::Cancelled => Phase::Cancelled,
        RunState::Failed | RunState::Running | RunState::Interrupted => Phase::Failed,
    };
    Conclusion {
        phase,
        reason: reason_of(record).unwrap_or(Reason::Completed),
        message: record.message.clone().unwrap_or_default(),
        result: record.result.clone(),
        retry: false,
    }
}

/// The reason that the history gives for the run's end.
pub(super) fn reason_of(record: &RunRecord) -> Option<Reason> {
    record.reason.as_deref().and_then(Reason::parse)
}

/// The status of `request` after `change`, with the lock that it belongs to.
pub(super) fn after(
    request: &SyncRequest,
    change: &Change,
    lease: &str,
    now: DateTime<Utc>,
) -> SyncRequestStatus {
    let mut status = request.status.clone().unwrap_or_default();
    let (phase, reason, message) = change.says();
    let at = Micros::from(now);
    status.phase = phase;
    status.reason = Some(reason.as_str().to_owned());
    status.message = Some(cut(&message).to_owned());
    status.observed_generation = request.metadata.generation;
    let ticket = || request.metadata.resource_version.clone();
    status.queue_ticket = status.queue_ticket.or_else(ticket);
    status.lock = Some(LockRef { lease: lease.to_owned(), holder: None });
    apply(request, change, at, &mut status);
    let facts = ConditionFacts {
        phase,
        reason,
        message: cut(&message),
        // The request may have been read before it was suspended.
        suspended: request.spec.suspend || reason == Reason::Suspended,
        rate_limited_until: None,
        generation: request.metadata.generation,
        now,
    };
    status.conditions = conditions(&facts, &status.conditions);
    status
}

/// What the change leaves in the status besides phase, reason and message.
fn apply(request: &SyncRequest, change: &Change, at: Micros, status: &mut SyncRequestStatus) {
    match change {
        Change::Started { number, holder } => {
            status.lock.get_or_insert_default().holder = Some(holder.clone());
            status.run_number = Some(number.0);
            status.first_start_time.get_or_insert(at);
            status.start_time = Some(at);
            status.next_attempt_at = None;
            status.attempts = Some(status.attempts.unwrap_or(0).saturating_add(1));
            status.progress = Some(Progress::default());
        }
        // Interrupted through no fault of its own, so the attempt does not count.
        Change::Requeued { .. } if request.phase() == Phase::Running => {
            status.attempts = status.attempts.map(|attempts| attempts.saturating_sub(1).max(0));
            status.progress = None;
        }
        Change::Retried { next_at, .. } => {
            status.next_attempt_at = Some(Micros::from(*next_at));
            status.progress = None;
        }
        Change::LeftBehind { number } => status.run_number = Some(number.0),
        Change::Satisfied { conclusion, by, number } => {
            status.completion_time = Some(at);
            status.next_attempt_at = None;
            status.run_number = status.run_number.max(Some(number.0));
            status.satisfied_by = Some(by.clone());
            status.result = Some(conclusion.result.clone());
        }
        Change::Ended { conclusion, repositories } => {
            // It was taken for lost, and so not counted.
            if request.phase() == Phase::Queued {
                status.attempts = status.attempts.map(|attempts| attempts.saturating_add(1));
            }
            status.completion_time = Some(at);
            status.next_attempt_at = None;
            status.result = Some(conclusion.result.clone());
            status.repositories.clone_from(repositories);
            status.progress = Some(complete(&conclusion.result));
        }
        Change::Closed { .. } => {
            status.completion_time = Some(at);
            status.next_attempt_at = None;
        }
        Change::Queued { .. } | Change::Requeued { .. } => {}
    }
}

/// The conditions of a request that runs, and waits for GitHub's limit until then, if it does.
pub(super) fn running_conditions(
    request: &SyncRequest,
    limited_until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<Condition> {
    let status = request.status.clone().unwrap_or_default();
    let facts = ConditionFacts {
        phase: Phase::Running,
        reason: Reason::Started,
        message: status.message.as_deref().unwrap_or_default(),
        suspended: request.spec.suspend,
        rate_limited_until: limited_until.map(Micros::from),
        generation: request.metadata.generation,
        now,
    };
    conditions(&facts, &status.conditions)
}

/// A status that any API server takes: phase and conditions, and what is said in few words. What
/// is left out is in the run history.
pub(super) fn minimal(status: &SyncRequestStatus) -> SyncRequestStatus {
    let few = |text: &str| text.chars().take(200).collect::<String>();
    let mut conditions = status.conditions.clone();
    for condition in &mut conditions {
        condition.message = few(&condition.message);
    }
    SyncRequestStatus {
        message: status.message.as_deref().map(few),
        conditions,
        progress: None,
        result: None,
        repositories: Vec::new(),
        ..status.clone()
    }
}

/// The progress of a run that has ended: every repository was looked at.
fn complete(result: &RunResult) -> Progress {
    Progress {
        summary: format!("{0}/{0}", result.repositories),
        repositories_total: result.repositories,
        repositories_done: result.repositories,
        items_fetched: result.created + result.updated + result.unchanged,
        current: None,
    }
}

/// What a status shows of the repositories: failures first, at most 100.
pub(super) fn repositories(records: &[RepositoryRecord]) -> Vec<RepositoryStatus> {
    const MOST: usize = 100;
    let (bad, good): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.error.is_some());
    let shown = bad.into_iter().chain(good).take(MOST);
    shown
        .map(|record| RepositoryStatus {
            name: record.name.clone(),
            phase: record.phase,
            reason: record.reason.clone(),
            created: record.counts.created,
            updated: record.counts.updated,
            removed: record.counts.removed,
            unchanged: record.counts.unchanged,
            error: record.error.as_deref().map(|error| cut(error).to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{RunType, SyncRequestSpec};
    use crate::store::Counts;

    fn request(phase: Phase, attempts: i64) -> SyncRequest {
        let mut request = SyncRequest::new("r", SyncRequestSpec::of(RunType::Manual));
        request.metadata.resource_version = Some("42".into());
        let attempts = Some(attempts);
        request.status = Some(SyncRequestStatus { phase, attempts, ..Default::default() });
        request
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600, 0).unwrap()
    }

    #[test]
    fn a_request_keeps_the_ticket_of_its_first_sight() {
        let change = Change::Queued { ahead: 3 };
        let mut request = request(Phase::Pending, 0);
        let first = after(&request, &change, "ns/l", now());
        assert_eq!(first.queue_ticket.as_deref(), Some("42"));
        assert_eq!(first.message.as_deref(), Some("3 were ahead when it queued"));
        request.metadata.resource_version = Some("77".into());
        request.status = Some(first);
        let later = after(&request, &change, "ns/l", now());
        assert_eq!(later.queue_ticket.as_deref(), Some("42"));
    }

    #[test]
    fn an_interrupted_attempt_is_not_counted() {
        let again = Change::Requeued { reason: Reason::Interrupted, message: "m".into() };
        assert_eq!(after(&request(Phase::Running, 1), &again, "l", now()).attempts, Some(0));
        assert_eq!(after(&request(Phase::Queued, 1), &again, "l", now()).attempts, Some(1));
        let started = Change::Started { number: RunNumber(9), holder: "h".into() };
        let status = after(&request(Phase::Queued, 0), &started, "l", now());
        assert_eq!((status.attempts, status.run_number), (Some(1), Some(9)));
    }

    #[test]
    fn failures_are_shown_first_and_not_more_than_a_hundred() {
        let record = |name: usize, error: Option<&str>| RepositoryRecord {
            name: format!("acme/{name:03}"),
            repository_id: None,
            phase: crate::api::RepositoryPhase::Succeeded,
            reason: None,
            error: error.map(str::to_owned),
            pages: 0,
            counts: Counts::default(),
            complete: true,
            truncated: false,
            started_at: now(),
            completed_at: now(),
        };
        let mut records: Vec<_> = (0..150).map(|name| record(name, None)).collect();
        records[149] = record(149, Some("broken"));
        let shown = repositories(&records);
        assert_eq!(shown.len(), 100);
        assert_eq!(shown[0].name, "acme/149");
    }
}
