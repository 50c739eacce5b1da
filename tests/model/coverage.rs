//! What the production functions have been seen to return: a bit for each variant. A new variant
//! does not compile until it has one, and a bit that is never set fails the test.

use std::sync::atomic::{AtomicU64, Ordering};

use singletrack::lease::{Ask, At, Got, TakenOver, Verdict};
use singletrack::reconcile::Step;

/// What must happen somewhere besides, or the model has checked less than it seems.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    /// Two processes run at once, each in the belief that it holds the Lease.
    Two,
    /// The store has refused the write of an older grant.
    Refused,
    /// The store has refused a request that has run already.
    HasRun,
    /// A grant has landed after its asker had given up.
    LateGrant,
    /// A grant whose answer was lost was found done.
    Found,
    TakenOver,
    Recreated,
    /// A renewal has met a Lease that somebody else had written.
    RenewalConflict,
    /// A ticket was drawn from a store that had lost its numbers.
    Floor,
    /// A run was recorded by a write that arrived after its process was gone.
    LateRecord,
}

const SEEN: [Seen; 10] = [
    Seen::Two,
    Seen::Refused,
    Seen::HasRun,
    Seen::LateGrant,
    Seen::Found,
    Seen::TakenOver,
    Seen::Recreated,
    Seen::RenewalConflict,
    Seen::Floor,
    Seen::LateRecord,
];

/// The bits of a kind begin here.
const VERDICTS: u32 = 10;
const AT: u32 = VERDICTS + 8;
const ASK: u32 = AT + 15;
const GOT: u32 = ASK + 14;
const END: u32 = GOT + 14;

pub(super) fn seen(seen: Seen) -> u64 {
    1 << (seen as u32)
}

pub(super) fn verdict(verdict: &Verdict) -> u64 {
    let index = match verdict {
        Verdict::Mine => 0,
        Verdict::Free => 1,
        Verdict::Leftover => 2,
        Verdict::Held(_) => 3,
        Verdict::Stale(TakenOver::OwnEarlier) => 4,
        Verdict::Stale(TakenOver::Silent) => 5,
        Verdict::Stale(TakenOver::PodGone) => 6,
        Verdict::Stale(TakenOver::LongDead) => 7,
    };
    1 << (VERDICTS + index)
}

pub(super) fn at<V, N>(at: &At<V, N>) -> u64 {
    let index = match at {
        At::Waiting => 0,
        At::Reading => 1,
        At::Creating => 2,
        At::Choosing(_) => 3,
        At::Ticketing(_) => 4,
        At::Granting(_) => 5,
        At::AskingGrant(_) => 6,
        At::Activating(..) => 7,
        At::Holding(..) => 8,
        At::Renewing(_) => 9,
        At::AskingRenewal(_) => 10,
        At::Stopping => 11,
        At::Releasing => 12,
        At::AskingRelease => 13,
        At::Over => 14,
    };
    1 << (AT + index)
}

pub(super) fn ask<V, N>(ask: &Ask<V, N>) -> u64 {
    let index = match ask {
        Ask::Wait(_) => 0,
        Ask::Pause => 1,
        Ask::Get => 2,
        Ask::Create => 3,
        Ask::Choose => 4,
        Ask::Ticket => 5,
        Ask::Grant(..) => 6,
        Ask::Activate(_) => 7,
        Ask::Run => 8,
        Ask::Beat => 9,
        Ask::Renew(..) => 10,
        Ask::Stop => 11,
        Ask::Release(_) => 12,
        Ask::Nothing => 13,
    };
    1 << (ASK + index)
}

pub(super) fn got<V, N>(got: &Got<V, N>) -> u64 {
    let index = match got {
        Got::Woken => 0,
        Got::Lease(..) => 1,
        Got::Gone => 2,
        Got::Stored(_) => 3,
        Got::Conflict => 4,
        Got::Unknown => 5,
        Got::Chosen => 6,
        Got::Nobody => 7,
        Got::Ticket(_) => 8,
        Got::Activated => 9,
        Got::Refused => 10,
        Got::Due => 11,
        Got::Expired => 12,
        Got::Ended => 13,
    };
    1 << (GOT + index)
}

/// Bits of their own: the model of a request's life sees nothing of the lock.
pub(super) fn step(step: &Step) -> u64 {
    let index = match step {
        Step::Rest => 0,
        Step::RestFor(_) => 1,
        Step::Enqueue { .. } => 2,
        Step::Suspend => 3,
        Step::Admit => 4,
        Step::Reject { .. } => 5,
        Step::Fail { .. } => 6,
        Step::Cancel => 7,
        Step::StopRun(_) => 8,
        Step::Delete => 9,
    };
    1 << index
}

/// Fails unless the plan has come to each of its steps.
#[track_caller]
pub(super) fn check_steps(bits: u64) {
    let missed: Vec<_> = (0..10).filter(|bit| bits & (1 << bit) == 0).collect();
    assert!(missed.is_empty(), "never planned: the steps of the bits {missed:?} in coverage.rs");
}

/// What all threads of a check have seen.
#[derive(Debug, Default)]
pub(super) struct Coverage(AtomicU64);

impl Coverage {
    pub(super) fn add(&self, bits: u64) {
        // Mostly nothing is new, and then the threads need not wait for each other.
        if self.0.load(Ordering::Relaxed) & bits != bits {
            self.0.fetch_or(bits, Ordering::Relaxed);
        }
    }

    pub(super) fn bits(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Fails unless all of it has been seen.
#[track_caller]
pub(super) fn check_complete(bits: u64) {
    let missed: Vec<_> = SEEN.iter().filter(|it| bits & seen(**it) == 0).collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
    let missed: Vec<_> = (VERDICTS..END).filter(|bit| bits & (1 << bit) == 0).collect();
    assert!(
        missed.is_empty(),
        "never returned: the variants of the bits {missed:?} in coverage.rs"
    );
}
