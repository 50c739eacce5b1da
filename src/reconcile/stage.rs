//! Where a request stands, as a closed set, read once from the bag of fields on the wire. Pure.

use chrono::{DateTime, Utc};

use crate::api::{Micros, Phase, SyncRequestStatus};
use crate::lease::RunNumber;

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    New,
    /// It waits in turn; not before `not_before`, if that is set.
    Queued {
        not_before: Option<DateTime<Utc>>,
    },
    Running {
        number: RunNumber,
    },
    Finished {
        at: Option<DateTime<Utc>>,
    },
}

impl From<Option<&SyncRequestStatus>> for Stage {
    fn from(status: Option<&SyncRequestStatus>) -> Self {
        let Some(status) = status else { return Self::New };
        match (status.phase, status.run_number) {
            (Phase::Pending, _) => Self::New,
            (Phase::Queued, _) => {
                Self::Queued { not_before: status.next_attempt_at.map(Micros::get) }
            }
            (Phase::Running, Some(number)) => Self::Running { number: RunNumber(number) },
            // We always write both in one patch, so somebody else wrote this: nothing runs there.
            (Phase::Running, None) => Self::Running { number: RunNumber(0) },
            _ => Self::Finished { at: status.completion_time.map(Micros::get) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stands_where_its_status_says() {
        let at = DateTime::from_timestamp(1_767_312_000, 0).unwrap();
        let status = |phase, run_number| SyncRequestStatus {
            phase,
            run_number,
            next_attempt_at: Some(Micros::from(at)),
            completion_time: Some(Micros::from(at)),
            ..SyncRequestStatus::newborn()
        };
        let finished = || Stage::Finished { at: Some(at) };
        let rows = [
            (Phase::Pending, None, Stage::New),
            (Phase::Pending, Some(7), Stage::New),
            (Phase::Queued, Some(7), Stage::Queued { not_before: Some(at) }),
            (Phase::Running, Some(7), Stage::Running { number: RunNumber(7) }),
            (Phase::Running, None, Stage::Running { number: RunNumber(0) }),
            (Phase::Succeeded, Some(7), finished()),
            (Phase::PartiallySucceeded, Some(7), finished()),
            (Phase::Failed, None, finished()),
            (Phase::Cancelled, None, finished()),
            (Phase::Rejected, None, finished()),
        ];
        assert_eq!(Stage::from(None), Stage::New);
        for (phase, run_number, expected) in rows {
            assert_eq!(Stage::from(Some(&status(phase, run_number))), expected, "{phase:?}");
        }
    }
}
