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
