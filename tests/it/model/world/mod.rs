//! The environment: an API server, a store, two processes, and what is on its way between them.

mod choices;
mod server;
mod shown;

use std::time::Duration;

use chrono::DateTime;
use singletrack::lease::{Ask, At, Got, Holder, Pod, Record, Scene, Times, Verdict, judge, step};

/// An attempt of a process: pod, boot, attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Nonce(u8, u8, u8);

/// A version of the Lease: uid and resourceVersion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Version(u8, u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Lease {
    version: Version,
    holder: Option<Nonce>,
}

/// A write on its way, or one that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Write {
    Create,
    Grant(Version, u8, Nonce),
    Renew(Version),
    Release(Version),
    Ticket,
    Activate(u8, Nonce),
    Commit(u8, Nonce),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    boot: u8,
    attempt: u8,
    at: At<Version, u8>,
    ask: Ask<Version, u8>,
    /// The number of the run whose task lives, and how often it has written.
    run: Option<(u8, u8)>,
    ended: bool,
}

/// A rule that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mutant {
    Unfenced,
    BlindWrite,
    ForgottenLeftover,
}

/// What has been seen on the way here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    OldAfterNew,
    OutOfOrder,
    ShutOut,
    Two,
    Refused,
    LateGrant,
    Found,
    TakenOver,
    Recreated,
    Leftover,
    RenewalConflict,
}

impl Seen {
    /// All that must be reached, or the model has checked less than it seems.
    pub(super) const REACHED: [Self; 8] = [
        Self::Two,
        Self::Refused,
        Self::LateGrant,
        Self::Found,
        Self::TakenOver,
        Self::Recreated,
        Self::Leftover,
        Self::RenewalConflict,
    ];

    pub(super) fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    lease: Option<Lease>,
    versions: u8,
    uids: u8,
    seq: u8,
    active: (u8, Option<Nonce>),
    processes: Vec<Process>,
    /// Writes that nobody waits for any more.
    late: Vec<Write>,
    /// How often a holder may still be silent for the whole duration.
    pauses: u8,
    timeouts: u8,
    crashes: u8,
    deletions: u8,
    renewals: u8,
    /// Requests that wait for a run: any process may take one.
    waiting: u8,
    granted: u8,
    wrote: u8,
    seen: u16,
    mutant: Option<Mutant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Action {
    /// The call is made and answered. A Lease is seen unchanged for the whole duration if `silent`.
    Answer {
        who: u8,
        silent: bool,
    },
    /// The answer is lost, and the write was done.
    LostAfter(u8),
    /// The answer is lost, and the write stays on its way.
    LostBefore(u8),
    /// No request has succeeded for too long.
    Expire(u8),
    Commit(u8),
    End(u8),
    Crash(u8),
    Arrive(u8),
    Delete,
}

impl World {
    pub(super) fn new(
        processes: u8,
        (timeouts, crashes, deletions, renewals): (u8, u8, u8, u8),
        mutant: Option<Mutant>,
    ) -> Self {
        let process = Process {
            boot: 0,
            attempt: 0,
            at: At::Over,
            ask: Ask::Nothing,
            run: None,
            ended: false,
        };
        Self {
            lease: Some(Lease { version: Version(1, 1), holder: None }),
            versions: 1,
            uids: 1,
            seq: 0,
            active: (0, None),
            processes: vec![process; usize::from(processes)],
            late: Vec::new(),
            pauses: 1,
            timeouts,
            crashes,
            deletions,
            renewals,
            waiting: 1,
            granted: 0,
            wrote: 0,
            seen: 0,
            mutant,
        }
    }

    pub(super) fn saw(&self, what: Seen) -> bool {
        self.seen & what.bit() != 0
    }

    /// Takes out what was seen in the last step and breaks nothing: it is no part of the state.
    pub(super) fn take_seen(&mut self) -> u16 {
        let bad = Seen::OldAfterNew.bit() | Seen::OutOfOrder.bit() | Seen::ShutOut.bit();
        let seen = self.seen;
        self.seen &= bad;
        seen
    }

    fn see(&mut self, what: Seen) {
        self.seen |= what.bit();
    }

    /// Whether the action could be done.
    pub(super) fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Answer { who, silent } => return self.answer(who, silent),
            Action::LostAfter(who) => {
                self.timeouts -= 1;
                let Some(write) = self.write_of(who) else { return false };
                self.done(write, false);
                self.feed(who, Got::Unknown);
            }
            Action::LostBefore(who) => {
                self.timeouts -= 1;
                self.late.extend(self.write_of(who));
                self.late.sort_unstable();
                self.feed(who, Got::Unknown);
            }
            Action::Expire(who) => {
                self.timeouts -= 1;
                self.feed(who, Got::Expired);
            }
            Action::Commit(who) => self.commit(who),
            Action::End(who) => self.processes[usize::from(who)].ended = true,
            Action::Crash(who) => self.crash(who),
            Action::Arrive(index) => {
                let write = self.late.remove(usize::from(index));
                self.done(write, true);
            }
            Action::Delete => {
                self.deletions -= 1;
                self.lease = None;
            }
        }
        true
    }

    fn answer(&mut self, who: u8, silent: bool) -> bool {
        if let Some(write) = self.write_of(who) {
            let got = self.done(write, false);
            self.feed(who, got);
            return true;
        }
        let wanted = self.may_choose(who);
        let process = &mut self.processes[usize::from(who)];
        let got = match process.ask {
            Ask::Nothing => {
                process.attempt += 1;
                Got::Woken
            }
            Ask::Wait(_) | Ask::Pause => Got::Woken,
            Ask::Choose if !wanted => Got::Nobody,
            Ask::Choose => Got::Chosen,
            Ask::Run | Ask::Beat if process.ended => Got::Ended,
            Ask::Run | Ask::Beat => {
                self.renewals -= 1;
                Got::Due
            }
            Ask::Stop => Got::Ended,
            _ => match self.look(who, silent) {
                // Without silence it is the same as the other answer.
                Got::Lease(_, verdict) if silent && !matches!(verdict, Verdict::Stale(_)) => {
                    return false;
                }
                got => {
                    self.pauses -= u8::from(silent);
                    got
                }
            },
        };
        self.feed(who, got);
        true
    }

    /// A GET, judged by the production function on a real record.
    fn look(&self, who: u8, silent: bool) -> Got<Version, u8> {
        let Some(lease) = self.lease else { return Got::Gone };
        let text = |Nonce(pod, boot, attempt)| format!("pod{pod}_p{pod}b{boot}_a{attempt}");
        let holder = lease.holder.map(text);
        let now = DateTime::UNIX_EPOCH;
        let record = Record {
            holder: Holder::parse(holder.as_deref()),
            pod_uid: lease.holder.map(|holder| format!("uid{}", holder.0)).unwrap_or_default(),
            renewed_at: Some(now),
            ..Record::default()
        };
        let times = Times::new(Duration::from_secs(1800), Duration::from_secs(10)).expect("fits");
        let process = &self.processes[usize::from(who)];
        let me = Holder::parse(Some(&text(self.me(who))));
        let scene = Scene {
            attempt: me.as_ref(),
            boot: &format!("p{who}b{}", process.boot),
            pod_uid: &format!("uid{who}"),
            unchanged_for: if silent { times.stale_after() } else { Duration::ZERO },
            now,
            pod: Pod::Alive,
            times,
        };
        match judge(&record, &scene) {
            Verdict::Leftover if self.mutant == Some(Mutant::ForgottenLeftover) => {
                Got::Lease(lease.version, Verdict::Held(times.stale_after()))
            }
            verdict => Got::Lease(lease.version, verdict),
        }
    }

    /// Drives the production step, and notes what that has shown.
    fn feed(&mut self, who: u8, got: Got<Version, u8>) {
        let process = &mut self.processes[usize::from(who)];
        let was = process.at.clone();
        let leftover = matches!(got, Got::Lease(_, Verdict::Leftover));
        let conflict = got == Got::Conflict;
        let (at, ask) = step(was.clone(), got);
        process.at = at;
        process.ask = ask;
        let found = matches!((&was, &process.at), (At::AskingGrant(_), At::Activating(..)));
        if let (At::Holding(_, number), Ask::Run) = (&process.at, &process.ask) {
            process.run = Some((*number, 0));
            // Somebody else may have run it meanwhile: then this activation is refused in life.
            self.waiting = self.waiting.saturating_sub(1);
        }
        let held =
            matches!(was, At::Holding(..) | At::Renewing(_) | At::AskingRenewal(_) | At::Stopping);
        let over = matches!(process.at, At::Releasing | At::AskingRelease | At::Over);
        if held && over {
            // Unless somebody has taken it over, an unfinished request waits again.
            if !process.ended && process.run.is_some_and(|(number, _)| number == self.active.0) {
                self.waiting = 1;
            }
            process.run = None;
            process.ended = false;
        }
        if leftover && process.at == At::Releasing {
            self.see(Seen::Leftover);
        }
        if conflict && matches!(was, At::Renewing(_)) {
            self.see(Seen::RenewalConflict);
        }
        if found {
            self.see(Seen::Found);
        }
        if self.processes.iter().filter(|process| process.run.is_some()).count() > 1 {
            self.see(Seen::Two);
        }
    }

    /// The process is gone and comes back as another incarnation of its pod. A write that was on its
    /// way may still arrive.
    fn crash(&mut self, who: u8) {
        self.crashes -= 1;
        let write = self.write_of(who);
        let me = self.me(who);
        let run = self.processes[usize::from(who)].run;
        self.late.extend(write);
        self.late.extend(run.map(|(number, _)| Write::Commit(number, me)));
        self.late.sort_unstable();
        let process = &mut self.processes[usize::from(who)];
        if !process.ended && process.run.is_some_and(|(number, _)| number == self.active.0) {
            self.waiting = 1;
        }
        process.boot += 1;
        process.attempt = 0;
        process.at = At::Over;
        process.ask = Ask::Nothing;
        process.run = None;
        process.ended = false;
    }

    /// Whether everything comes to its end from here when nothing goes wrong any more, and nobody
    /// waits for the whole duration: all have run, and the Lease is free.
    pub(super) fn ends(&self, arrive: bool) -> bool {
        let mut world = self.clone();
        for write in std::mem::take(&mut world.late) {
            if arrive {
                world.done(write, true);
            }
        }
        world.renewals = 0;
        for _ in 0..60 {
            let mut idle = true;
            for who in 0..u8::try_from(world.processes.len()).expect("few") {
                if world.processes[usize::from(who)].run.is_some_and(|(_, commits)| commits == 0) {
                    world.commit(who);
                }
                if world.processes[usize::from(who)].run.is_some() {
                    world.processes[usize::from(who)].ended = true;
                }
                if world.may_act(who) {
                    world.answer(who, false);
                    idle = false;
                }
            }
            if idle {
                break;
            }
        }
        let works = |process: &Process| process.run.is_some();
        world.waiting == 0
            && !world.processes.iter().any(works)
            && !world.is_held_by_somebody_alive()
    }

    /// A Lease that a dead incarnation holds while nobody asks may stay: whoever asks next takes it.
    fn is_held_by_somebody_alive(&self) -> bool {
        let holder = self.lease.and_then(|lease| lease.holder);
        holder.is_some_and(|Nonce(pod, boot, _)| self.processes[usize::from(pod)].boot == boot)
    }
}
