//! The state: a Lease, a store, the processes, and what is on its way between them.

use singletrack::lease::{Ask, At, Got};

use super::facts::Facts;
use super::{Faults, Mutant};

/// A request that nobody has chosen.
pub(super) const NONE: u8 = u8::MAX;
/// The most requests that there are.
pub(super) const REQUESTS: usize = 2;

/// An attempt of a process: which process, boot, attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Nonce(pub(super) u8, pub(super) u8, pub(super) u8);

/// What somebody has written by hand where a holder should stand.
pub(super) const FOREIGN: Nonce = Nonce(NONE, 0, 0);

/// A version of the Lease: uid and resourceVersion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u8, pub(super) u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    pub(super) version: Version,
    pub(super) holder: Option<Nonce>,
    /// Which pod of its process the holder is in.
    pub(super) pod: u8,
    /// The run number in its annotations.
    pub(super) number: u8,
    pub(super) paused: bool,
}

/// A write on its way, or one that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Write {
    Create,
    /// Over this version; the number, who, in which pod.
    Grant(Version, u8, Nonce, u8),
    Renew(Version),
    Release(Version),
    /// A number above this floor.
    Ticket(u8),
    /// The number, who, for which request.
    Activate(u8, Nonce, u8),
    Commit(u8, Nonce),
    Record(u8, Nonce, u8),
}

/// The task of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub(super) number: u8,
    pub(super) request: u8,
    pub(super) has_written: bool,
    pub(super) ended: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) pod: u8,
    pub(super) boot: u8,
    pub(super) attempt: u8,
    pub(super) at: At<Version, u8>,
    pub(super) ask: Ask<Version, u8>,
    /// The version of the Lease that it has seen last: silence is counted from there.
    pub(super) sighted: Option<Version>,
    /// The run number that stood in the Lease then.
    pub(super) noted: u8,
    /// The requests that were cancelled by then, as bits.
    pub(super) cancelled: u8,
    pub(super) request: u8,
    pub(super) run: Option<Run>,
    /// A ticket drawn, or a request chosen, too early.
    pub(super) early: u8,
}

/// A rule that has been broken on the way here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    OldAfterNew,
    OutOfOrder,
    ShutOut,
    Twice,
    Hasty,
    Stranded,
    RunsOn,
    Cancelled,
}

impl Bad {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::OldAfterNew => "no write of an older grant after one of a newer",
            Self::OutOfOrder => "grants come in the order of their run numbers",
            Self::ShutOut => "the newest rightful holder is never shut out",
            Self::Twice => "no request is run to its end twice",
            Self::Hasty => "nobody is replaced who was not seen silent, or is known to be dead",
            Self::Stranded => "an attempt that ends leaves nothing of its own in the Lease",
            Self::Cancelled => {
                "no run begins for a request that was cancelled before the Lease was read"
            }
            Self::RunsOn => "no run goes on after the attempt that it belongs to",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::lock) struct World<const N: usize> {
    pub(super) lease: Option<Lease>,
    pub(super) versions: u8,
    pub(super) uids: u8,
    pub(super) seq: u8,
    pub(super) active: (u8, Option<Nonce>),
    pub(super) processes: [Process; N],
    /// Writes that nobody waits for any more.
    pub(super) late: Vec<Write>,
    pub(super) left: Faults,
    pub(super) requests: u8,
    /// The run that has ended a request, as the store knows it; 0 is none.
    pub(super) recorded: [u8; REQUESTS],
    /// The requests that are cancelled, as bits.
    pub(super) cancelled: u8,
    pub(super) granted: u8,
    pub(super) wrote: u8,
    pub(super) bad: u8,
    /// What the last step has shown; taken out before the state is kept.
    pub(super) seen: u64,
    pub(super) mutant: Option<Mutant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::lock) enum Action {
    /// The call is made and answered.
    Answer(u8),
    /// The Lease is read, and this is what the judge is told.
    Look(u8, Facts),
    /// The answer is lost, and the write was done.
    LostAfter(u8),
    /// The answer is lost; the write stays on its way, or is lost for ever.
    LostBefore(u8),
    /// No call has succeeded for too long.
    Expire(u8),
    /// The run writes into the store, at last its record.
    Work(u8),
    /// The run ends without a record: told to, or its store is away.
    Quit(u8),
    /// The container dies and comes back in the same pod.
    Crash(u8),
    /// The pod is deleted, and another takes its place.
    Replace(u8),
    Arrive(u8),
    Delete,
    Unlock,
    Scribble,
    Pause,
    Resume,
    Restore,
    Cancel(u8),
}

impl<const N: usize> World<N> {
    pub(super) fn new(requests: u8, left: Faults, mutant: Option<Mutant>) -> Self {
        let process = Process {
            pod: 0,
            boot: 0,
            attempt: 0,
            at: At::Over,
            ask: Ask::Nothing,
            sighted: None,
            noted: 0,
            cancelled: 0,
            request: NONE,
            run: None,
            early: 0,
        };
        let version = Version(1, 1);
        Self {
            lease: Some(Lease { version, holder: None, pod: 0, number: 0, paused: false }),
            versions: 1,
            uids: 1,
            seq: 0,
            active: (0, None),
            processes: std::array::from_fn(|_| process.clone()),
            late: Vec::new(),
            left,
            requests,
            recorded: [0; REQUESTS],
            cancelled: 0,
            granted: 0,
            wrote: 0,
            bad: 0,
            seen: 0,
            mutant,
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.bad != 0
    }

    pub(super) fn is(&self, bad: Bad) -> bool {
        self.bad & (1 << (bad as u8)) != 0
    }

    pub(super) fn breaks(&mut self, bad: Bad) {
        self.bad |= 1 << (bad as u8);
    }

    pub(super) fn process(&mut self, who: u8) -> &mut Process {
        &mut self.processes[usize::from(who)]
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Answer(who) => self.answer(who),
            Action::Look(who, facts) => self.look(who, facts),
            Action::LostAfter(who) => {
                self.left.timeouts -= 1;
                if let Some(write) = self.write_of(who) {
                    self.done(write, false);
                }
                self.feed(who, Got::Unknown);
            }
            Action::LostBefore(who) => {
                self.left.timeouts -= 1;
                let write = self.write_of(who);
                self.delay(write);
                self.feed(who, Got::Unknown);
            }
            Action::Expire(who) => {
                self.left.timeouts -= 1;
                self.feed(who, Got::Expired);
            }
            Action::Work(who) => self.work(who),
            Action::Quit(who) => {
                self.left.timeouts -= 1;
                let write = self.work_of(who);
                self.delay(write);
                self.end_run(who);
            }
            Action::Crash(who) => self.crash(who, 0),
            Action::Replace(who) => self.crash(who, 1),
            Action::Arrive(index) => {
                let write = self.late.remove(usize::from(index));
                self.done(write, true);
            }
            Action::Delete => {
                self.left.deletions -= 1;
                self.lease = None;
            }
            Action::Restore => {
                self.left.restores -= 1;
                self.restore();
            }
            Action::Cancel(request) => {
                self.left.cancels -= 1;
                self.cancelled |= 1 << request;
            }
            Action::Unlock | Action::Scribble | Action::Pause | Action::Resume => self.edit(action),
        }
    }

    pub(super) fn delay(&mut self, write: Option<Write>) {
        self.late.extend(write);
        self.late.sort_unstable();
    }
}
