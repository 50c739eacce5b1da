//! The protocol without one of its rules: what each of them is there for.

use std::time::Duration;

use singletrack::lease::{Ask, At, Got, TakenOver, Verdict, step};

use super::facts::{Clock, Facts, Silence, Told};
use super::process::ABSENT;
use super::world::{NONE, Version, World};

/// A rule that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::lock) enum Mutant {
    /// The store takes every write.
    Unfenced,
    /// Any run number becomes active, also one lower than that of another run.
    ActivatesAny,
    /// Who creates the Lease has it.
    CreateGrants,
    /// The run number is drawn before the Lease is read.
    TicketFirst,
    /// A grant without an answer was not done.
    UnknownIsNo,
    /// A grant that has landed late is somebody's.
    NoLeftovers,
    /// Who gives up frees the Lease and stops the run afterwards.
    ReleasesFirst,
    /// A holder is stale some time after it was granted the Lease, renewed or not.
    AgeCounts,
    /// The Lease is written over whatever version it has.
    BlindWrites,
    /// The store activates a request that has run to its end.
    RunsAgain,
    /// A run number is one more than the store's highest.
    NoFloor,
    /// The request is chosen before the Lease is read.
    RequestFirst,
    /// The request is chosen from a copy that lags behind.
    CachedCopy,
}

/// Facts that only [`Mutant::AgeCounts`] takes for old.
pub(super) const OLD: Facts =
    Facts { silence: Silence::Fresh, clock: Clock::Late, pod: Told::Unknown };

impl Mutant {
    /// A name for a file, and the rule that is taken away in a sentence.
    pub(super) fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Unfenced => ("unfenced", "The store takes every write, whoever is active."),
            Self::ActivatesAny => {
                ("activates-any", "The store activates any run number, also one below another's.")
            }
            Self::CreateGrants => ("create-grants", "Who creates the Lease is its holder."),
            Self::TicketFirst => {
                ("ticket-first", "The run number is drawn before the Lease is read.")
            }
            Self::UnknownIsNo => {
                ("unknown-is-no", "A grant without an answer is taken for one that was not done.")
            }
            Self::NoLeftovers => (
                "no-leftovers",
                "A holder of this process that is no attempt of its own is somebody else.",
            ),
            Self::ReleasesFirst => {
                ("releases-first", "Who gives up frees the Lease, and then stops its run.")
            }
            Self::AgeCounts => {
                ("age-counts", "A holder is stale some time after its grant, renewed or not.")
            }
            Self::BlindWrites => {
                ("blind-writes", "The Lease is written whatever its uid and version are by then.")
            }
            Self::RunsAgain => {
                ("runs-again", "The store activates a request that has run to its end.")
            }
            Self::RequestFirst => ("request-first", "The request is read before the Lease."),
            Self::CachedCopy => {
                ("cached-copy", "The request is taken from the watch, and not read anew.")
            }
            Self::NoFloor => {
                ("no-floor", "A run number is one more than the highest in the store.")
            }
        }
    }

    pub(super) fn judged(self, verdict: Verdict, facts: Facts) -> Verdict {
        match (self, verdict) {
            (Self::NoLeftovers, Verdict::Leftover) => Verdict::Held(Duration::ZERO),
            (Self::AgeCounts, Verdict::Held(_)) if facts == OLD => {
                Verdict::Stale(TakenOver::LongDead)
            }
            (_, verdict) => verdict,
        }
    }
}

impl<const N: usize> World<N> {
    /// The production step, with the mutant's deviation around it.
    pub(super) fn mutant_step(
        &mut self,
        mutant: Mutant,
        who: u8,
        got: Got<Version, u8>,
    ) -> (At<Version, u8>, Ask<Version, u8>) {
        let was = self.process(who).at.clone();
        let gone = got == Got::Gone;
        let unknown = got == Got::Unknown;
        let (at, ask) = step(was.clone(), got);
        match (mutant, &was, &at) {
            (Mutant::UnknownIsNo, At::Granting(_), _) if unknown => (At::Over, Ask::Nothing),
            (Mutant::ReleasesFirst, At::Holding(Some(v), _), At::Stopping) => {
                (At::Releasing, Ask::Release(*v))
            }
            (Mutant::CreateGrants, At::Reading, _) if gone => (At::Choosing(ABSENT), Ask::Choose),
            (Mutant::TicketFirst, At::Over, _) => {
                self.seq = self.seq.max(self.active.0) + 1;
                self.process(who).early = self.seq;
                (at, ask)
            }
            (Mutant::RequestFirst, At::Over, _) => {
                self.process(who).early = self.head();
                (at, ask)
            }
            (Mutant::RequestFirst, _, At::Choosing(_)) => {
                let process = self.process(who);
                process.request = process.early;
                step(at, if process.early == NONE { Got::Nobody } else { Got::Chosen })
            }
            (Mutant::TicketFirst, _, At::Ticketing(_)) => {
                let early = self.process(who).early;
                step(at, Got::Ticket(early))
            }
            _ => (at, ask),
        }
    }
}
