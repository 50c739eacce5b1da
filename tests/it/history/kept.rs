//! What is written down of a history, and what may be wrong with it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use singletrack::api::Phase;

use super::{rules, shown};

/// The holder that a test writes into the Lease by hand. That is no grant.
pub(crate) const BY_HAND: &str = "somebody-else";

/// The reason of a status that a test writes by hand. What it says of a run need not be so.
pub(crate) const FORGED: &str = "Forged";

/// The uid of a request.
pub(crate) type Uid = String;

/// What happened at the API server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kept {
    /// A version of the Lease.
    Lease(Lease),
    LeaseGone,
    /// A version of a request.
    Request(Request),
    RequestGone(Uid),
}

/// A version of the Lease, as far as rules ask.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lease {
    pub(crate) holder: Option<String>,
    pub(crate) pod_uid: String,
    /// The highest run number that was granted under it.
    pub(crate) number: i64,
    /// Whom it was granted for.
    pub(crate) request: Option<Uid>,
    pub(crate) acquired_at: Option<DateTime<Utc>>,
    pub(crate) renewed_at: Option<DateTime<Utc>>,
}

/// A version of a request, as far as rules ask.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) uid: Uid,
    pub(crate) phase: Phase,
    pub(crate) run: Option<i64>,
    /// What comes first in the queue is smaller: priority, creation, ticket, namespace, name.
    pub(crate) order: (i64, i64, u64, String, String),
    /// Whether it may start: not suspended, cancelled, deleted, or waiting for its next attempt.
    pub(crate) ready: bool,
    /// Whether it may not start at all: it is suspended, cancelled, deleted or over.
    pub(crate) barred: bool,
    /// Whether it stands there by hand.
    pub(crate) forged: bool,
}

/// What the database accepted, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    Activated {
        run: i64,
        holder: String,
    },
    /// A row that names the run it was written by.
    Row {
        run: i64,
        table: String,
    },
}

/// A row of the run history, as it is in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) number: i64,
    pub(crate) state: String,
    pub(crate) request: Uid,
    /// Why the holder before was replaced, if it was.
    pub(crate) takeover: Option<String>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) kept: Vec<Kept>,
    pub(crate) accepted: Vec<Accepted>,
    pub(crate) runs: Vec<Run>,
    pub(crate) times: Option<Times>,
}

/// The times of the lock that the operators were started with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) stale_after: Duration,
    pub(crate) heartbeat: Duration,
}

/// What must have happened at least, or the history shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Floor {
    pub(crate) runs: usize,
    pub(crate) takeovers: usize,
    pub(crate) interrupted: usize,
    pub(crate) rows: usize,
}

/// A rule that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) what: String,
}

/// The rules, in the order of the document that asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A write of an older run is never accepted after a newer one was activated.
    Fenced,
    /// Grants come in the order of their numbers, each number is one holder's, and what was activated
    /// was granted.
    Granted,
    /// A run is over for everybody before the next one is activated.
    Apart,
    /// Phases follow the graph, no end is taken back, no run number falls, and one runs at a time.
    Phases,
    /// No request is lost or done twice.
    Queue,
    /// Each starts in its turn, if it may.
    Turns,
    /// A healthy holder is never replaced, and the reason given is the real one.
    Takeover,
    /// Every activated run is in the history, and has ended.
    Complete,
    /// Enough has happened.
    Vacuous,
}

impl History {
    /// Fails with what breaks a rule, and the lines around it.
    #[track_caller]
    pub(crate) fn check(&self, floor: Floor) {
        self.check_but(floor, None);
    }

    /// The same without this rule.
    #[track_caller]
    pub(crate) fn check_but(&self, floor: Floor, but: Option<Rule>) {
        let mut violations = rules::all(self, floor);
        violations.retain(|it| Some(it.rule) != but);
        let text: Vec<_> =
            violations.iter().map(|it| format!("{:?}: {}", it.rule, it.what)).collect();
        assert!(violations.is_empty(), "{}\n{}", text.join("\n"), shown::table(self, &violations));
    }
}
