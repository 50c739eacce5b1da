//! What may happen next.

use singletrack::lease::{Ask, At};

use super::facts::{Facts, Relation};
use super::world::{Action, FOREIGN, NONE, Nonce, World, Write};

impl<const N: usize> World<N> {
    pub(in crate::lock) fn actions(&self, actions: &mut Vec<Action>) {
        for who in (0..).take(N) {
            self.actions_of(who, actions);
        }
        actions.extend((0..).take(self.late.len()).map(Action::Arrive));
        if self.left.restores > 0 {
            actions.push(Action::Restore);
        }
        if self.left.cancels > 0 {
            let goes_on = |request: &u8| self.cancelled & (1 << request) == 0;
            actions.extend((0..self.requests).filter(goes_on).map(Action::Cancel));
        }
        let Some(lease) = self.lease else { return };
        if self.left.deletions > 0 {
            actions.push(Action::Delete);
        }
        if self.left.edits > 0 {
            if lease.holder.is_some() {
                actions.push(Action::Unlock);
            }
            if lease.holder != Some(FOREIGN) {
                actions.push(Action::Scribble);
            }
            if !lease.paused {
                actions.push(Action::Pause);
            }
        }
        if lease.paused {
            actions.push(Action::Resume);
        }
    }

    fn actions_of(&self, who: u8, actions: &mut Vec<Action>) {
        let process = &self.processes[usize::from(who)];
        if self.may_act(who) {
            match (&process.at, &process.ask) {
                // Elsewhere only one's own grant counts.
                (At::Reading, Ask::Get) if self.lease.is_some() => self.looks(who, actions),
                _ => actions.push(Action::Answer(who)),
            }
        }
        if self.left.timeouts > 0 {
            if self.write_of(who).is_some() {
                actions.extend([Action::LostAfter(who), Action::LostBefore(who)]);
            } else if process.ask == Ask::Get {
                actions.push(Action::LostBefore(who));
            }
            if process.run.is_some() && process.ask != Ask::Stop {
                actions.push(Action::Expire(who));
            }
        }
        if process.run.is_some_and(|run| !run.ended) {
            actions.push(Action::Work(who));
            if self.left.timeouts > 0 {
                actions.push(Action::Quit(who));
            }
        }
        if self.left.crashes > 0 && process.at != At::Over {
            actions.extend([Action::Crash(who), Action::Replace(who)]);
        }
    }

    /// A look at the Lease, with what the judge may be told. That somebody looks dead who is alive
    /// is a fault.
    fn looks(&self, who: u8, actions: &mut Vec<Action>) {
        let Some(lease) = self.lease else { return };
        let again = self.processes[usize::from(who)].sighted == Some(lease.version);
        let relation = self.relation(who);
        Facts::each(relation, lease.paused, again, |facts| {
            if self.left.doubts > 0 || !self.is_doubt(who, facts) {
                actions.push(Action::Look(who, facts));
            }
        });
        self.mutant_looks(who, actions);
    }

    /// What the holder is to this process.
    pub(super) fn relation(&self, who: u8) -> Relation {
        let Some(lease) = self.lease else { return Relation::Nobody };
        let Some(holder) = lease.holder else { return Relation::Nobody };
        let process = &self.processes[usize::from(who)];
        match holder {
            FOREIGN => Relation::Foreign,
            _ if holder == self.me(who) => Relation::Myself,
            Nonce(of, boot, _) if of == who && boot == process.boot => Relation::SameBoot,
            Nonce(of, ..) if of == who && lease.pod == process.pod => Relation::SamePod,
            _ => Relation::Other,
        }
    }

    /// Whether the holder is an attempt that goes on.
    pub(super) fn is_alive(&self, holder: Nonce) -> bool {
        let process = self.processes.get(usize::from(holder.0));
        process.is_some_and(|it| (it.boot, it.attempt) == (holder.1, holder.2) && it.at != At::Over)
    }

    /// Whether the process' call can be made: an idle one has something to do, a heartbeat is due.
    pub(super) fn may_act(&self, who: u8) -> bool {
        let process = &self.processes[usize::from(who)];
        match process.ask {
            Ask::Nothing => {
                let own = matches!(self.relation(who), Relation::Myself | Relation::SameBoot);
                self.head() != NONE || own
            }
            Ask::Run | Ask::Beat => {
                self.left.renewals > 0 || process.run.is_none_or(|run| run.ended)
            }
            _ => true,
        }
    }

    /// The first request that goes on and that the store does not know to have ended.
    pub(super) fn head(&self) -> u8 {
        self.head_without(self.cancelled)
    }

    /// The same for somebody who knows that these are cancelled.
    pub(super) fn head_without(&self, cancelled: u8) -> u8 {
        let open = |request: &u8| {
            self.recorded[usize::from(*request)] == 0 && cancelled & (1 << request) == 0
        };
        (0..self.requests).find(open).unwrap_or(NONE)
    }

    pub(super) fn me(&self, who: u8) -> Nonce {
        let process = &self.processes[usize::from(who)];
        Nonce(who, process.boot, process.attempt)
    }

    /// The write that the process asks for, if it asks for one.
    pub(super) fn write_of(&self, who: u8) -> Option<Write> {
        let process = &self.processes[usize::from(who)];
        let me = self.me(who);
        match process.ask {
            Ask::Create => Some(Write::Create),
            Ask::Ticket => Some(Write::Ticket(process.noted)),
            Ask::Grant(over, number) => Some(Write::Grant(over, number, me, process.pod)),
            Ask::Activate(number) => Some(Write::Activate(number, me, process.request)),
            Ask::Renew(over, _) => Some(Write::Renew(over)),
            Ask::Release(over) => Some(Write::Release(over)),
            _ => None,
        }
    }

    /// The next transaction of the process' run.
    pub(super) fn work_of(&self, who: u8) -> Option<Write> {
        let run = self.processes[usize::from(who)].run.filter(|run| !run.ended)?;
        Some(match run.has_written {
            false => Write::Commit(run.number, self.me(who)),
            true => Write::Record(run.number, self.me(who), run.request),
        })
    }
}
