//! What may happen next.

use singletrack::lease::{Ask, At};

use super::{Action, Nonce, Process, World, Write};

impl World {
    pub(in crate::model) fn actions(&self, actions: &mut Vec<Action>) {
        for who in 0..u8::try_from(self.processes.len()).expect("few") {
            self.actions_of(who, actions);
        }
        let late = u8::try_from(self.late.len()).expect("few");
        actions.extend((0..late).map(Action::Arrive));
        if self.deletions > 0 && self.lease.is_some() {
            actions.push(Action::Delete);
        }
    }

    fn actions_of(&self, who: u8, actions: &mut Vec<Action>) {
        let process = &self.processes[usize::from(who)];
        if self.may_act(who) {
            actions.push(Action::Answer { who, silent: false });
            if process.at == At::Reading && self.pauses > 0 {
                actions.push(Action::Answer { who, silent: true });
            }
        }
        if self.timeouts > 0 {
            if self.write_of(who).is_some() {
                actions.extend([Action::LostAfter(who), Action::LostBefore(who)]);
            } else if process.ask == Ask::Get {
                actions.push(Action::LostBefore(who));
            }
            if process.run.is_some() && process.ask != Ask::Stop {
                actions.push(Action::Expire(who));
            }
        }
        if let Some((_, commits)) = process.run.filter(|_| !process.ended) {
            if commits < 1 {
                actions.push(Action::Commit(who));
            }
            if commits > 0 {
                actions.push(Action::End(who));
            }
        }
        if self.crashes > 0 && process.at != At::Over {
            actions.push(Action::Crash(who));
        }
    }

    /// Whether the process' call can be made: an idle one has something to do, a heartbeat is due.
    pub(super) fn may_act(&self, who: u8) -> bool {
        let process = &self.processes[usize::from(who)];
        match process.ask {
            Ask::Nothing => self.may_choose(who) || self.has_leftover(who),
            Ask::Run | Ask::Beat => process.ended || self.renewals > 0,
            _ => true,
        }
    }

    /// Whether there is a request: one that waits, or one whose run somebody else has not recorded.
    pub(super) fn may_choose(&self, who: u8) -> bool {
        let unrecorded =
            |it: &Process| !it.ended && it.run.is_some_and(|(number, _)| number == self.active.0);
        let others = self.processes.iter().enumerate().filter(|(pod, _)| *pod != usize::from(who));
        self.waiting > 0 || others.map(|(_, it)| it).any(unrecorded)
    }

    fn has_leftover(&self, who: u8) -> bool {
        let holder = self.lease.and_then(|lease| lease.holder);
        holder.is_some_and(|Nonce(pod, boot, _)| {
            pod == who && boot == self.processes[usize::from(who)].boot
        })
    }

    pub(super) fn me(&self, who: u8) -> Nonce {
        let process = &self.processes[usize::from(who)];
        Nonce(who, process.boot, process.attempt)
    }

    /// The write that the process asks for, if it asks for one.
    pub(super) fn write_of(&self, who: u8) -> Option<Write> {
        match self.processes[usize::from(who)].ask {
            Ask::Create => Some(Write::Create),
            Ask::Ticket => Some(Write::Ticket),
            Ask::Grant(over, number) => Some(Write::Grant(over, number, self.me(who))),
            Ask::Activate(number) => Some(Write::Activate(number, self.me(who))),
            Ask::Renew(over, _) => Some(Write::Renew(over)),
            Ask::Release(over) => Some(Write::Release(over)),
            _ => None,
        }
    }
}
