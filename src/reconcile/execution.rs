//! The task of one run: status Running, the sync, the run record, the terminal status.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use kube::{Resource, ResourceExt};
use serde_json::json;
use tokio::sync::watch;

use super::candidate::attempts;
use super::plan::LATE;
use super::satisfy::satisfy;
use super::status::{Change, repositories, running_conditions};
use super::watch::watch_over;
use super::write::{Written, patch, replaced, write_again};
use super::{Context, Live, Stop};
use crate::api::{Phase, Progress, Reason, RunResult, SyncRequest};
use crate::github;
use crate::lease::Tenure;
use crate::report::Happening;
use crate::store::{self, RepositoryRecord, RunEnd, RunRecord, RunState};
use crate::sync::{self, Broken, Conclusion, NotTracked, Parts, Renamed, Run};

/// How often the progress of a run is written, at most.
const PROGRESS_EVERY: Duration = Duration::from_secs(3);
/// The pause after a call to the API server that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A run whose tenure has been activated.
pub(super) struct Execution {
    pub(super) ctx: Arc<Context>,
    pub(super) request: SyncRequest,
    pub(super) tenure: Tenure,
    pub(super) live: Live,
    /// The run before it.
    pub(super) former: Option<Box<RunRecord>>,
    /// The uids of the requests that are answered along with it.
    pub(super) coalesced: Vec<String>,
}

/// How the work has come to its end.
enum Ending {
    Concluded(Conclusion, Vec<RepositoryRecord>),
    Stopped(Stop),
    StoreLost(store::Error),
    /// The Lease is lost, or a newer run is active: nothing of ours counts any more.
    Superseded,
}

impl Execution {
    /// Runs to the end, whichever it is. Afterwards nothing of the run goes on.
    pub(super) async fn run(mut self) {
        if self.close_former().await.is_none() {
            return;
        }
        let Some(running) = self.announce().await else { return };
        self.request = running;
        let ending = Box::pin(self.work()).await;
        self.finish(ending).await;
    }

    /// Waits before a call is made again. Whether it is too late for that.
    pub(super) async fn pause(&self) -> bool {
        tokio::select! {
            () = tokio::time::sleep(AGAIN_AFTER) => false,
            () = self.tenure.lost().cancelled() => true,
            () = self.ctx.closing.cancelled() => true,
        }
    }

    async fn work(&self) -> Ending {
        let source = match self.ctx.source() {
            Ok(source) => source,
            Err(error) => return refused(Reason::MissingToken, &error, None),
        };
        let run = match self.prepare(source.clone()) {
            Ok(run) => run,
            Err(error) => {
                let conclusion =
                    Conclusion::failed(Reason::NotTracked, &error.to_string(), source.usage());
                return Ending::Concluded(conclusion, Vec::new());
            }
        };
        let shown = run.progress.subscribe();
        let done = tokio::select! {
            done = sync::run(&run) => done,
            never = self.show(&source, shown) => match never {},
            // What does not even stop when it is told to is dropped; the database takes back what
            // was not committed.
            () = watch_over(self, &source, run.progress.subscribe()) => Err(Broken::Stopped),
        };
        self.ctx.report.asked(&source.usage());
        match done {
            Ok(achieved) => {
                self.tell_renamed(&achieved.renamed).await;
                let conclusion = sync::conclude(&achieved, source.usage());
                Ending::Concluded(conclusion, achieved.records)
            }
            Err(Broken::Superseded) => Ending::Superseded,
            Err(Broken::Stopped) => Ending::Stopped(self.live.why().unwrap_or(Stop::Shutdown)),
            Err(Broken::Store(error)) => Ending::StoreLost(error),
            Err(Broken::Unauthorized(error)) => {
                refused(Reason::Unauthorized, &error, Some(&source))
            }
        }
    }

    fn prepare(&self, source: github::Source) -> Result<Run, NotTracked> {
        let (settings, spec) = (&self.ctx.settings, &self.request.spec);
        Ok(Run {
            store: Arc::clone(&self.ctx.store),
            source,
            tenure: self.tenure.clone(),
            request: self.whose_pass(),
            rules: settings.rules.clone(),
            tracked: settings.tracked.clone(),
            wanted: settings.tracked.resolve(spec.repositories.as_deref())?,
            discovery: Arc::clone(&settings.discovery),
            retention: settings.retention,
            parallel: settings.parallel,
            full: spec.full,
            dry: spec.dry_run,
            parts: Parts::of(spec.type_, spec.automation),
            limits: settings.limits,
            clock: self.ctx.clock.clone(),
            stop: self.live.stop.clone(),
            progress: watch::Sender::default(),
        })
    }

    /// For whom the pages are read: an attempt may go on only with what was read for the same requests,
    /// as those that came later must see what was changed before they were created.
    fn whose_pass(&self) -> String {
        let mut uids = self.coalesced.clone();
        uids.sort_unstable();
        let mut hasher = DefaultHasher::new();
        uids.hash(&mut hasher);
        match uids.is_empty() {
            true => self.live.uid.clone(),
            false => format!("{}+{:x}", self.live.uid, hasher.finish()),
        }
    }

    async fn tell_renamed(&self, renamed: &[Renamed]) {
        for Renamed { from, to } in renamed {
            let news = Happening::Renamed { from, to };
            self.ctx.report.tell(&self.request.object_ref(&()), &news).await;
        }
    }

    /// Writes the progress as it changes, and whether a limit is waited for, best effort, for ever.
    async fn show(
        &self,
        source: &github::Source,
        mut progress: watch::Receiver<Progress>,
    ) -> std::convert::Infallible {
        let mut waits = source.limits().waits();
        let mut shown = (Progress::default(), None);
        let mut all_shown = true;
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            if all_shown {
                tokio::select! {
                    Ok(()) = progress.changed() => {}
                    Ok(()) = waits.changed() => {}
                    else => std::future::pending().await,
                }
            }
            let until = waits.borrow_and_update().iter().max().copied();
            let now = (progress.borrow_and_update().clone(), until);
            if now.0 != shown.0 && self.patch("/status/progress", json!(now.0)).await {
                shown.0 = now.0.clone();
            }
            let conditions = || running_conditions(&self.request, until, self.ctx.clock.now());
            if now.1 != shown.1 && self.patch("/status/conditions", json!(conditions())).await {
                shown.1 = until;
            }
            all_shown = shown == now;
        }
    }

    /// Whether the API server has answered.
    async fn patch(&self, path: &str, value: serde_json::Value) -> bool {
        let written = patch(&self.request, vec![replaced(path, value)], &self.ctx).await;
        if let Err(error) = &written {
            tracing::debug!(%error, path, "not written");
        }
        written.is_ok()
    }

    async fn finish(&self, ending: Ending) {
        match ending {
            Ending::Concluded(conclusion, records) => self.conclude(conclusion, &records).await,
            Ending::Stopped(Stop::Shutdown) => {
                let message = "the operator was stopped; it runs again";
                self.again(Reason::OperatorStopped, message).await;
            }
            Ending::Stopped(Stop::Suspended) => {
                let message = "suspended while it ran; it goes on when spec.suspend is false";
                self.again(Reason::Suspended, message).await;
            }
            Ending::Stopped(Stop::Stalled) => {
                let message = format!(
                    "nothing has come from GitHub or gone into the database for {:?}",
                    self.ctx.settings.stall_after
                );
                let conclusion =
                    Conclusion::failed(Reason::Stalled, &message, crate::api::ApiUse::default());
                self.conclude(conclusion, &[]).await;
            }
            Ending::Stopped(Stop::Deadline) => {
                let usage = crate::api::ApiUse::default();
                let failed = Conclusion::failed(Reason::DeadlineExceeded, LATE, usage);
                self.conclude(Conclusion { retry: false, ..failed }, &[]).await;
            }
            Ending::Stopped(why @ (Stop::Cancelled | Stop::Deleted)) => self.cancelled(why).await,
            Ending::StoreLost(error) => {
                self.ctx.store_ails(&error);
                let message = format!("the database was lost: {}", store::chain(&error));
                self.again(Reason::StoreUnavailable, &message).await;
            }
            Ending::Superseded => {
                self.superseded().await;
            }
        }
    }

    /// Writes the run record and then the status: the end, or the time of the next attempt.
    async fn conclude(&self, conclusion: Conclusion, records: &[RepositoryRecord]) {
        let now = self.ctx.clock.now();
        let next_at = match conclusion.retry {
            true => attempts(&self.request, &self.ctx).next_at(now),
            false => None,
        };
        let end = self.end(conclusion.state(), conclusion.reason, &conclusion.message);
        let end = RunEnd { result: conclusion.result.clone(), next_attempt_at: next_at, ..end };
        if !self.record(&end).await {
            return;
        }
        if let Some(next_at) = next_at {
            let reason = match conclusion.reason {
                Reason::Stalled => Reason::Stalled,
                _ => Reason::AttemptFailed,
            };
            let change = Change::Retried { reason, message: conclusion.message, next_at };
            self.persist(&self.request, &change).await;
            return;
        }
        let well = matches!(conclusion.phase, Phase::Succeeded | Phase::PartiallySucceeded);
        let answers = well && !self.coalesced.is_empty();
        let change = Change::Ended { conclusion, repositories: repositories(records) };
        self.persist(&self.request, &change).await;
        if answers {
            self.end_answered().await;
        }
    }

    /// Ends the requests that were answered along with this one. What is not done here is done by
    /// whoever comes to one of them.
    async fn end_answered(&self) {
        let record = self.ctx.store.run_of(&self.live.uid).await;
        let done = match record {
            Ok(Some(record)) => satisfy(&record, &self.ctx).await.map_err(|e| store::chain(&e)),
            Ok(None) => Ok(()),
            Err(error) => Err(store::chain(&error)),
        };
        if let Err(error) = done {
            tracing::warn!(error, "some requests could not be ended with the run");
        }
    }

    async fn cancelled(&self, why: Stop) {
        let (reason, message) = match why {
            Stop::Deleted => (Reason::Deleted, "the request was deleted while it ran"),
            _ => (Reason::Cancelled, "cancelled while it ran"),
        };
        let recorded = self.record(&self.end(RunState::Cancelled, reason, message)).await;
        // A deleted request may wait for its finalizers.
        if recorded {
            let message = message.to_owned();
            let change = Change::Closed { phase: Phase::Cancelled, reason, message };
            self.persist(&self.request, &change).await;
        }
    }

    /// Puts the request back into the queue, its attempt not counted.
    async fn again(&self, reason: Reason, message: &str) {
        // The record only says sooner what the next activation would say.
        self.record(&self.end(RunState::Interrupted, reason, message)).await;
        let change = Change::Requeued { reason, message: message.to_owned() };
        self.persist(&self.request, &change).await;
    }

    /// An end of the run now, with nothing done.
    pub(super) fn end(&self, state: RunState, reason: Reason, message: &str) -> RunEnd {
        RunEnd {
            state,
            reason: reason.as_str(),
            message: message.to_owned(),
            result: RunResult::default(),
            completed_at: self.ctx.clock.now(),
            next_attempt_at: None,
        }
    }

    /// Writes the run record. Whether it stands there: without it there is no terminal status.
    pub(super) async fn record(&self, end: &RunEnd) -> bool {
        match self.ctx.store.finish(&self.tenure, end).await {
            Ok(()) => {
                self.ctx.report.ended(end.state);
                let spec = &self.request.spec;
                if end.state == RunState::Succeeded && !spec.dry_run {
                    self.ctx.report.succeeded(spec.type_, end.completed_at);
                }
                true
            }
            Err(store::Error::Superseded { .. }) => {
                self.superseded().await;
                false
            }
            Err(error) if end.state == RunState::Interrupted => {
                tracing::warn!(error = store::chain(&error), "the interruption was not recorded");
                false
            }
            Err(error) => {
                self.ctx.store_ails(&error);
                let message = format!("the database was lost: {}", store::chain(&error));
                let reason = Reason::StoreUnavailable;
                self.persist(&self.request, &Change::Requeued { reason, message }).await;
                false
            }
        }
    }

    async fn superseded(&self) {
        let news = Happening::Superseded { number: self.tenure.number() };
        self.ctx.report.tell(&self.request.object_ref(&()), &news).await;
    }

    /// Writes the status, again and again until the API server has answered. `None`: the Lease is
    /// lost or the process must end; whoever comes next repairs the status from the run record.
    pub(super) async fn persist(&self, request: &SyncRequest, change: &Change) -> Option<Written> {
        loop {
            if self.tenure.lost().is_cancelled() {
                return None;
            }
            match write_again(request, change, &self.ctx).await {
                Ok(written) => return Some(written),
                Err(error) => {
                    let name = request.name_any();
                    tracing::warn!(request.name = name, error = store::chain(&error), "again");
                }
            }
            if self.pause().await {
                return None;
            }
        }
    }
}

fn refused(reason: Reason, error: &github::Error, source: Option<&github::Source>) -> Ending {
    let usage = source.map(github::Source::usage).unwrap_or_default();
    Ending::Concluded(Conclusion::failed(reason, &error.to_string(), usage), Vec::new())
}
