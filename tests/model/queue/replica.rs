//! What the replica does, and what happens to it.

use super::{Action, Mutant, Phase, Run, Stage, Version, World, entry, order, part, set, wants};

impl World {
    pub(super) fn actions(&self, actions: &mut Vec<Action>) {
        for request in 0..self.shown.len() {
            match self.phase(request) {
                None => actions.push(Action::Create(request)),
                Some(Phase::New | Phase::Queued) if self.deletions > 0 => {
                    actions.push(Action::Delete(request));
                }
                Some(_) => {}
            }
            if self.seen(request) == Some(Phase::New) && self.phase(request) == Some(Phase::New) {
                actions.push(Action::Enqueue(request));
            }
        }
        if self.told < self.versions.len() {
            actions.push(Action::Tell);
        }
        actions.extend((0..self.answers.len()).map(Action::Answer));
        match self.run {
            // It waits for the answer to its last write.
            Some(run) if self.answers.iter().any(|it| self.is_of(run, *it)) => {}
            Some(_) => actions.push(Action::Go),
            None if self.queue.head().is_some() => actions.push(Action::Start),
            None => {}
        }
        if self.listings > 0 && self.told < self.versions.len() {
            actions.push(Action::List);
        }
        if self.crashes > 0 && (self.run.is_some() || !self.answers.is_empty()) {
            actions.push(Action::Crash);
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Create(request) => self.keep(request, Phase::New),
            Action::Delete(request) => {
                self.deletions -= 1;
                self.keep(request, Phase::Deleted);
            }
            Action::Tell => {
                self.show(self.told);
                self.told += 1;
            }
            Action::Answer(number) => {
                let version = self.answers.remove(number);
                self.hear(version);
            }
            Action::List => {
                self.listings -= 1;
                self.list();
            }
            Action::Enqueue(request) => self.write(request, Phase::Queued),
            Action::Start => self.start(),
            Action::Go => self.go(),
            Action::Crash => {
                self.crashes -= 1;
                self.run = None;
                self.answers.clear();
                self.queue = singletrack::reconcile::Queue::default();
                self.shown.fill(None);
                self.list();
            }
        }
        let running = (0..self.shown.len()).filter(|it| self.phase(*it) == Some(Phase::Running));
        self.bad[2] |= running.count() > 1;
    }

    fn is_of(&self, run: Run, version: usize) -> bool {
        self.versions[version] == Version { request: run.request, phase: Phase::Running }
    }

    /// The phase as it is.
    pub(super) fn phase(&self, request: usize) -> Option<Phase> {
        self.versions.iter().rev().find(|it| it.request == request).map(|it| it.phase)
    }

    /// The phase as the replica has seen it last.
    fn seen(&self, request: usize) -> Option<Phase> {
        self.shown[request].map(|version| self.versions[version].phase)
    }

    fn keep(&mut self, request: usize, phase: Phase) {
        self.versions.push(Version { request, phase });
    }

    /// A write of the replica's own, whose answer is on its way then.
    fn write(&mut self, request: usize, phase: Phase) {
        self.keep(request, phase);
        self.answers.push(self.versions.len() - 1);
    }

    fn number(version: usize) -> u64 {
        u64::try_from(version).expect("it is small") + 1
    }

    /// The watch tells of a version, or it is read.
    fn show(&mut self, version: usize) {
        let Version { request, phase } = self.versions[version];
        self.shown[request] = self.shown[request].max(Some(version));
        match phase {
            Phase::Deleted => self.queue.take(&request.to_string()),
            _ => drop(self.queue.show(entry(request), part(phase), Self::number(version))),
        }
    }

    /// An answer comes.
    fn hear(&mut self, version: usize) {
        let Version { request, phase } = self.versions[version];
        if self.mutant == Some(Mutant::LateAnswers) {
            return self.queue.put(entry(request), part(phase));
        }
        // What it says of a request that is gone is no news.
        if self.seen(request) != Some(Phase::Deleted) {
            self.shown[request] = self.shown[request].max(Some(version));
        }
        self.queue.show_answer(entry(request), part(phase), Self::number(version));
    }

    /// Everything as it is.
    fn list(&mut self) {
        self.queue.begin_listing();
        for request in 0..self.shown.len() {
            let newest = self.versions.iter().rposition(|it| it.request == request);
            if let Some(version) = newest {
                match self.versions[version].phase {
                    Phase::Deleted => self.shown[request] = Some(version),
                    _ => self.show(version),
                }
            }
        }
        self.queue.end_listing();
        self.told = self.versions.len();
    }

    /// The head is read anew, looked up in the store, and its run is activated.
    fn start(&mut self) {
        let Some(head) = self.queue.head() else { return };
        let request: usize = head.uid.parse().expect("it is a number");
        let newest = self.versions.iter().rposition(|it| it.request == request);
        self.show(newest.expect("it was created"));
        if self.queue.head().is_none_or(|now| now.uid != head.uid) {
            return;
        }
        let recorded = self.records.iter().flatten().any(|answers| answers & (1 << request) != 0);
        match self.phase(request) {
            Some(Phase::Running | Phase::Queued)
                if recorded && self.mutant != Some(Mutant::RunsAnswered) =>
            {
                self.end(request);
            }
            Some(Phase::Running) => self.write(request, Phase::Queued),
            Some(Phase::Queued) => {
                let first = (0..self.shown.len())
                    .filter(|it| matches!(self.seen(*it), Some(Phase::Queued | Phase::Running)))
                    .min_by_key(|it| (self.seen(*it) != Some(Phase::Running), order(*it)));
                self.bad[0] |= first != Some(request);
                let answers = set(&self.queue.answered_by(&wants())) | 1 << request;
                self.run = Some(Run { request, answers, stage: Stage::Activated });
            }
            _ => {}
        }
    }

    fn go(&mut self) {
        let Some(run) = &mut self.run else { return };
        let (request, answers) = (run.request, run.answers);
        match run.stage {
            Stage::Activated => {
                run.stage = Stage::Announced;
                match self.phase(request) {
                    Some(Phase::Queued) => self.write(request, Phase::Running),
                    // It was deleted before it started.
                    _ => self.run = None,
                }
            }
            Stage::Announced => {
                run.stage = Stage::Recorded;
                self.records[request] = Some(answers);
                for answered in (0..self.done.len()).filter(|it| answers & (1 << it) != 0) {
                    self.done[answered] += 1;
                    self.bad[1] |= self.done[answered] > 1;
                }
            }
            Stage::Recorded => {
                self.run = None;
                self.end(request);
                for answered in (0..self.done.len()).filter(|it| answers & (1 << it) != 0) {
                    let waits = self.queue.waiting_place(&answered.to_string()).is_some();
                    if answered != request && waits {
                        self.end(answered);
                    }
                }
            }
        }
    }

    /// Writes that it has ended, if it is there and has not.
    fn end(&mut self, request: usize) {
        if matches!(self.phase(request), Some(Phase::Running | Phase::Queued)) {
            self.write(request, Phase::Ended);
        }
    }

    /// Whether everything ends when all answers come and nothing more happens.
    pub(super) fn ends(&self) -> bool {
        let mut world = self.clone();
        for _ in 0..12 * world.shown.len() {
            while world.told < world.versions.len() {
                world.act(Action::Tell);
            }
            while !world.answers.is_empty() {
                world.act(Action::Answer(0));
            }
            for request in 0..world.shown.len() {
                if world.seen(request) == Some(Phase::New) {
                    world.act(Action::Enqueue(request));
                }
            }
            world.act(if world.run.is_some() { Action::Go } else { Action::Start });
        }
        let ended = |request: usize| {
            matches!(world.phase(request), None | Some(Phase::Ended | Phase::Deleted))
        };
        (0..world.shown.len()).all(ended) && world.queue.head().is_none()
    }
}
