//! A pass: the production plan, asked with a view of the copy, and what becomes of its step.

use std::time::Duration;

use singletrack::api::ConcurrencyPolicy;
use singletrack::lease::RunNumber;
use singletrack::reconcile::{Stage, Step, Stop, View, plan};

use super::{End, Mutant, Phase, Request, World};
use crate::coverage;

impl World {
    pub(super) fn pass(&mut self, who: usize, name: usize, due: bool) {
        let Some(copy) = self.copies[who][name].take() else { return };
        let step = plan(&self.view(who, name, copy, due));
        self.seen |= coverage::step(&step);
        match step {
            Step::Rest | Step::RestFor(_) => {}
            Step::Enqueue { .. } => {
                self.write(name, copy, |it| {
                    (it.phase, it.shown_suspended) = (Phase::Queued, false);
                });
            }
            Step::Suspend => {
                self.write(name, copy, |it| (it.phase, it.shown_suspended) = (Phase::Queued, true));
            }
            // The queue takes it from its copy; there is nothing to write.
            Step::Admit => {
                if let Some(request) = self.requests[name].as_mut().filter(|it| it.uid == copy.uid)
                {
                    request.waits = false;
                }
            }
            Step::Reject { .. } => self.end(name, copy, End::Rejected),
            Step::Fail { .. } => self.end(name, copy, End::Failed),
            Step::Cancel => self.end(name, copy, End::Cancelled),
            Step::StopRun(Stop::Cancelled | Stop::Suspended) => {
                if let Some(run) = &mut self.run {
                    run.stopped = true;
                }
            }
            Step::StopRun(Stop::Deleted | Stop::Deadline | Stop::Stalled | Stop::Shutdown) => {}
            Step::Delete => {
                let by_name = self.mutant == Some(Mutant::DeleteByName);
                if let Some(request) = self.requests[name]
                    && (by_name || request.uid == copy.uid)
                {
                    self.bad[3] |= request.uid != copy.uid;
                    self.requests[name] = None;
                }
            }
        }
    }

    fn view(&self, who: usize, name: usize, copy: Request, due: bool) -> View {
        let zero_if = |due| if due { Duration::ZERO } else { Duration::from_secs(9) };
        let others = self.requests[1 - name].is_some_and(|it| matches!(it.phase, Phase::Queued));
        View {
            stage: match copy.phase {
                Phase::New => Stage::New,
                Phase::Queued => Stage::Queued { not_before: None },
                Phase::Running => Stage::Running { number: RunNumber(i64::from(copy.number)) },
                Phase::Ended(_) => Stage::Finished { at: None },
            },
            ours: true,
            cancelled: copy.cancel,
            suspended: copy.suspend,
            shown_suspended: copy.shown_suspended,
            running_here: self.run.is_some_and(|it| it.who == who && it.copy.uid == copy.uid),
            policy: match copy.rejects {
                true => ConcurrencyPolicy::Reject,
                false => ConcurrencyPolicy::Queue,
            },
            busy: (self.run.is_some() || others).then(String::new),
            ahead: 0,
            impossible: None,
            pause_left: copy.waits.then(|| zero_if(due)),
            // The second has a deadline from its first start.
            time_left: (copy.uid == 1 && copy.number > 0).then(|| zero_if(due)),
            ttl_left: (copy.uid == 0).then(|| zero_if(due)),
        }
    }

    pub(super) fn end(&mut self, name: usize, copy: Request, end: End) {
        self.write(name, copy, |it| it.phase = Phase::Ended(end));
    }

    /// Writes the status, if uid, phase and run number are still those of the copy. Whether it was.
    pub(super) fn write(
        &mut self,
        name: usize,
        copy: Request,
        change: impl Fn(&mut Request),
    ) -> bool {
        let Some(now) = self.requests[name] else { return false };
        let same = (now.uid, now.phase, now.number) == (copy.uid, copy.phase, copy.number);
        let blind = self.mutant == Some(Mutant::BlindStatus) && now.uid == copy.uid;
        if !same && !blind {
            return false;
        }
        // The whole status is written, and nothing of the spec.
        let mut next = Request { cancel: now.cancel, suspend: now.suspend, ..copy };
        change(&mut next);
        self.bad[0] |= now.has_ended() && now.phase != next.phase;
        self.bad[1] |= next.number < now.number;
        self.requests[name] = Some(next);
        true
    }
}
