//! The processes: each drives the production step with what has come back.

use singletrack::lease::{Ask, At, Got, TakenOver, Verdict, step};

use super::Mutant;
use super::facts::{Facts, Relation};
use super::world::{Action, Bad, FOREIGN, Lease, NONE, Nonce, Run, Version, World, Write};
use crate::coverage::{self, Seen};

impl<const N: usize> World<N> {
    pub(super) fn answer(&mut self, who: u8) {
        if let Some(write) = self.write_of(who) {
            let got = self.done(write, false);
            if let (Write::Activate(number, _, request), Got::Activated) = (write, &got) {
                let run = Run { number, request, has_written: false, ended: false };
                let process = self.process(who);
                process.run = Some(run);
                if process.cancelled & (1 << request) != 0 {
                    self.breaks(Bad::Cancelled);
                }
            }
            self.feed(who, got);
            return;
        }
        let head = match self.mutant {
            // It knows nothing yet of what has just been cancelled.
            Some(Mutant::CachedCopy) => self.head_without(0),
            _ => self.head(),
        };
        let process = self.process(who);
        let got = match process.ask {
            Ask::Choose if head == NONE => Got::Nobody,
            Ask::Choose => {
                process.request = head;
                Got::Chosen
            }
            Ask::Run | Ask::Beat if process.run.is_none_or(|run| run.ended) => {
                process.run = None;
                Got::Ended
            }
            Ask::Run | Ask::Beat => {
                self.left.renewals -= 1;
                Got::Due
            }
            // It waits until the task has ended.
            Ask::Stop => {
                process.run = None;
                Got::Ended
            }
            Ask::Get => return self.look(who, Facts::FRESH),
            _ => Got::Woken,
        };
        self.feed(who, got);
    }

    /// A GET, judged with these facts.
    pub(super) fn look(&mut self, who: u8, facts: Facts) {
        let Some(lease) = self.lease else { return self.feed(who, Got::Gone) };
        // A judge that doubts without any reason to needs no permission, and breaks a rule.
        self.left.doubts = self.left.doubts.saturating_sub(u8::from(self.is_doubt(who, facts)));
        let verdict = self.verdict(who, facts, lease.paused);
        let cancelled = self.cancelled;
        let process = self.process(who);
        process.cancelled = cancelled;
        let again = process.sighted.replace(lease.version) == Some(lease.version);
        process.noted = lease.number;
        if let Verdict::Stale(why) = verdict {
            let dead = lease.holder.is_none_or(|holder| !self.is_alive(holder));
            if if why == TakenOver::OwnEarlier { !dead } else { !again } {
                self.breaks(Bad::Hasty);
            }
        }
        self.feed(who, Got::Lease(lease.version, verdict));
    }

    fn verdict(&self, who: u8, facts: Facts, paused: bool) -> Verdict {
        let verdict = facts.verdict(self.relation(who), paused);
        self.mutant.map_or(verdict.clone(), |it| it.judged(verdict, facts))
    }

    /// Whether these facts make somebody who is alive look dead.
    pub(super) fn is_doubt(&self, who: u8, facts: Facts) -> bool {
        let Some(lease) = self.lease else { return false };
        matches!(self.verdict(who, facts, lease.paused), Verdict::Stale(_))
            && lease.holder.is_some_and(|holder| self.is_alive(holder))
    }

    /// Drives the production step, and notes what that has shown.
    pub(super) fn feed(&mut self, who: u8, got: Got<Version, u8>) {
        let was = self.process(who).at.clone();
        self.seen |= coverage::got(&got);
        if let Got::Lease(_, verdict) = &got {
            self.seen |= coverage::verdict(verdict);
        }
        if got == Got::Conflict && matches!(was, At::Renewing(_)) {
            self.see(Seen::RenewalConflict);
        }
        let (at, ask) = match self.mutant {
            None => step(was.clone(), got),
            Some(mutant) => self.mutant_step(mutant, who, got),
        };
        self.seen |= coverage::at(&at) | coverage::ask(&ask);
        if matches!((&was, &at), (At::AskingGrant(_), At::Activating(..))) {
            self.see(Seen::Found);
        }
        let me = self.me(who);
        let process = self.process(who);
        process.ask = match ask {
            // Time is free here, so all waits are one.
            Ask::Wait(_) => Ask::Wait(std::time::Duration::ZERO),
            ask => ask,
        };
        process.at = at;
        let lives = process.run.is_some();
        let may_live = matches!(
            process.at,
            At::Holding(..) | At::Renewing(_) | At::AskingRenewal(_) | At::Stopping
        );
        match process.at {
            At::Over => {
                (process.request, process.early) = (NONE, 0);
                let holds = self.lease.is_some_and(|lease| lease.holder == Some(me));
                // What is lost is not released: somebody else may have it.
                if holds && was != At::Stopping {
                    self.breaks(Bad::Stranded);
                }
            }
            At::Reading if was == At::Over => self.next_attempt(who),
            _ => {}
        }
        if lives && !may_live {
            self.breaks(Bad::RunsOn);
        }
        if self.processes.iter().filter(|it| it.run.is_some_and(|run| !run.ended)).count() > 1 {
            self.see(Seen::Two);
        }
    }

    /// Each attempt has its own nonce. One that nobody has ever read may as well be used again.
    fn next_attempt(&mut self, who: u8) {
        let me = self.me(who);
        let names = |write: &Write| match *write {
            Write::Grant(_, _, nonce, _)
            | Write::Activate(_, nonce, _)
            | Write::Commit(_, nonce)
            | Write::Record(_, nonce, _) => nonce == me,
            Write::Create | Write::Renew(_) | Write::Release(_) | Write::Ticket(_) => false,
        };
        let used = self.lease.is_some_and(|lease| lease.holder == Some(me))
            || self.active.1 == Some(me)
            || self.late.iter().any(names);
        self.process(who).attempt += u8::from(used);
    }

    /// The run does its next transaction.
    pub(super) fn work(&mut self, who: u8) {
        let Some(write) = self.work_of(who) else { return };
        let got = self.done(write, false);
        let last = matches!(write, Write::Record(..));
        if let Some(run) = &mut self.process(who).run {
            run.has_written = true;
            // One that is refused has nothing more to do.
            run.ended = last || got == Got::Refused;
        }
    }

    pub(super) fn end_run(&mut self, who: u8) {
        if let Some(run) = &mut self.process(who).run {
            run.ended = true;
        }
    }

    /// The process is gone and comes back. What was on its way may still arrive.
    pub(super) fn crash(&mut self, who: u8, pods: u8) {
        self.left.crashes -= 1;
        let (asked, works) = (self.write_of(who), self.work_of(who));
        self.delay(asked);
        self.delay(works);
        let process = self.process(who);
        (process.at, process.ask) = (At::Over, Ask::Nothing);
        (process.run, process.request, process.sighted) = (None, NONE, None);
        (process.noted, process.early, process.attempt, process.cancelled) = (0, 0, 0, 0);
        process.boot += 1;
        process.pod += pods;
    }

    /// Somebody writes into the Lease by hand: whatever holds, by compare-and-swap.
    pub(super) fn edit(&mut self, action: Action) {
        self.left.edits -= u8::from(action != Action::Resume);
        let Some(lease) = self.lease else { return };
        let edited = match action {
            Action::Unlock => Lease { holder: None, ..lease },
            Action::Scribble => Lease { holder: Some(FOREIGN), ..lease },
            _ => Lease { paused: action == Action::Pause, ..lease },
        };
        self.put(edited);
    }

    /// Another store, with nothing in it: what was written is gone, and so is who was active.
    pub(super) fn restore(&mut self) {
        (self.seq, self.active, self.wrote) = (0, (0, None), 0);
        self.recorded = Default::default();
    }

    pub(super) fn see(&mut self, what: Seen) {
        self.seen |= coverage::seen(what);
    }

    /// What a mutant sees that the production judge does not.
    pub(super) fn mutant_looks(&self, who: u8, actions: &mut Vec<Action>) {
        if self.mutant == Some(Mutant::AgeCounts) && self.relation(who) == Relation::Other {
            actions.push(Action::Look(who, super::mutant::OLD));
        }
    }
}

/// Nobody's version: there was no Lease.
pub(super) const ABSENT: Version = Version(0, 0);

impl Nonce {
    pub(super) fn text(self) -> String {
        match self {
            FOREIGN => "somebody".to_owned(),
            Self(of, boot, attempt) => format!("P{of} (boot {boot}, attempt {attempt})"),
        }
    }
}
