//! Everything around the passes: runs, users, crashes, and whether all comes to its end.

use super::{Action, End, Phase, Recorded, Request, Run, World};

impl World {
    pub(super) fn actions(&self, actions: &mut Vec<Action>) {
        for who in 0..2 {
            for name in 0..2 {
                match self.copies[who][name] {
                    Some(_) => {
                        actions.extend([false, true].map(|due| Action::Pass(who, name, due)));
                    }
                    None if self.requests[name].is_some() => actions.push(Action::Copy(who, name)),
                    None => {}
                }
                if self.run.is_none() && self.may_start(name) {
                    actions.push(Action::Start(who, name));
                }
            }
        }
        if let Some(run) = self.run {
            actions.push(match (run.announced, run.recorded) {
                (false, _) => Action::Announce,
                (true, Recorded::Nothing) => Action::Record(End::Succeeded),
                (true, _) => Action::Close,
            });
            if run.announced && run.recorded == Recorded::Nothing && self.retries > 0 {
                actions.push(Action::Retry);
            }
            if self.crashes > 0 {
                actions.push(Action::Crash);
            }
        }
        if self.users > 0 {
            (0..2).for_each(|name| self.actions_of_users(name, actions));
        }
    }

    fn actions_of_users(&self, name: usize, actions: &mut Vec<Action>) {
        let Some(request) = self.requests[name] else {
            actions.push(Action::Create(name));
            return;
        };
        actions.push(Action::Delete(name));
        if !request.cancel {
            actions.push(Action::Cancel(name));
        }
        actions.push(if request.suspend { Action::Resume(name) } else { Action::Suspend(name) });
    }

    /// Whether it is Running without a run, or waits and may run.
    fn may_start(&self, name: usize) -> bool {
        self.requests[name].is_some_and(|it| match it.phase {
            Phase::Running => true,
            Phase::Queued => !it.cancel && !it.suspend && !it.waits,
            Phase::New | Phase::Ended(_) => false,
        })
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Copy(who, name) => self.copies[who][name] = self.requests[name],
            Action::Pass(who, name, due) => self.pass(who, name, due),
            Action::Start(who, name) => self.start(who, name),
            Action::Announce => self.announce(),
            Action::Record(end) => self.record(end),
            Action::Retry => {
                self.retries -= 1;
                self.run.iter_mut().for_each(|run| run.recorded = Recorded::Again);
            }
            Action::Close => self.close(),
            Action::Crash => {
                self.crashes -= 1;
                self.run = None;
            }
            _ => self.by_user(action),
        }
    }

    fn by_user(&mut self, action: Action) {
        self.users -= 1;
        match action {
            Action::Cancel(name) => self.edit(name, |it| it.cancel = true),
            Action::Suspend(name) => self.edit(name, |it| it.suspend = true),
            Action::Resume(name) => self.edit(name, |it| it.suspend = false),
            Action::Delete(name) => self.requests[name] = None,
            Action::Create(name) => {
                self.requests[name] = Some(Request::new(self.uids));
                self.uids += 1;
            }
            _ => {}
        }
    }

    fn edit(&mut self, name: usize, change: impl Fn(&mut Request)) {
        self.requests[name].iter_mut().for_each(change);
    }

    /// The head is read anew and looked up in the store; what has ended is only written down.
    fn start(&mut self, who: usize, name: usize) {
        let Some(copy) = self.requests[name] else { return };
        match (self.records[usize::from(copy.uid)], copy.phase) {
            (Some(end), _) => self.end(name, copy, end),
            (None, Phase::Running) if copy.cancel => self.end(name, copy, End::Cancelled),
            (None, Phase::Running) => {
                self.write(name, copy, |it| it.phase = Phase::Queued);
            }
            (None, _) => {
                self.numbers += 1;
                let (number, recorded) = (self.numbers, Recorded::Nothing);
                let (announced, stopped) = (false, false);
                self.run = Some(Run { who, name, copy, number, announced, stopped, recorded });
            }
        }
    }

    fn announce(&mut self) {
        let Some(mut run) = self.run else { return };
        let number = run.number;
        let running = move |it: &mut Request| {
            (it.phase, it.number, it.waits) = (Phase::Running, number, false);
        };
        if !self.write(run.name, run.copy, running) {
            self.run = None;
            return;
        }
        running(&mut run.copy);
        self.run = Some(Run { announced: true, ..run });
    }

    /// The end of the run, in the store: of one that was stopped, what it was stopped for.
    fn record(&mut self, end: End) {
        let Some(run) = &mut self.run else { return };
        let now = self.requests[run.name].filter(|it| it.uid == run.copy.uid);
        let end = match (run.stopped, now) {
            (true, Some(request)) if !request.cancel => None,
            (true, _) | (false, None) => Some(End::Cancelled),
            (false, Some(_)) => Some(end),
        };
        run.recorded = end.map_or(Recorded::Again, Recorded::Ended);
        let record = &mut self.records[usize::from(run.copy.uid)];
        if end.is_some() {
            self.bad[2] |= record.is_some();
            *record = end;
        }
    }

    /// The status after the record: the end, or back into the queue.
    fn close(&mut self) {
        let Some(run) = self.run.take() else { return };
        match run.recorded {
            Recorded::Ended(end) => self.end(run.name, run.copy, end),
            Recorded::Again | Recorded::Nothing => {
                self.write(run.name, run.copy, |it| {
                    (it.phase, it.waits) = (Phase::Queued, !run.stopped);
                });
            }
        }
    }

    /// Whether all requests end, but for those that are suspended, when all goes on by turns.
    pub(super) fn ends(&self, reverse: bool) -> bool {
        let mut world = self.clone();
        (world.users, world.crashes, world.retries) = (0, 0, 0);
        for _ in 0..16 {
            for turn in 0..4 {
                let turn = if reverse { 3 - turn } else { turn };
                let (who, name) = (turn / 2, turn % 2);
                world.copies[who][name] = world.copies[who][name].or(world.requests[name]);
                world.pass(who, name, false);
                // Later the time of the pauses comes; that of the deadline need not.
                world.edit(name, |it| it.waits = false);
                if world.run.is_none() && world.may_start(name) {
                    world.start(who, name);
                }
            }
            world.announce_and_end();
        }
        let rests = |it: &Request| it.has_ended() || (it.suspend && it.phase == Phase::Queued);
        world.run.is_none() && world.requests.iter().flatten().all(rests)
    }

    fn announce_and_end(&mut self) {
        if self.run.is_some_and(|run| !run.announced) {
            self.announce();
        }
        if self.run.is_some_and(|run| run.recorded == Recorded::Nothing) {
            self.record(End::Succeeded);
        }
        self.close();
    }
}
