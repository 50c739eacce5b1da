//! The task of one run: status Running, the sync, the run record, the terminal status.

use std::sync::Arc;
use std::time::Duration;

use kube::{Resource, ResourceExt};
use tokio::sync::watch;

use super::status::{Change, repositories};
use super::write::{Written, patch, write};
use super::{Context, Live, Stop};
use crate::api::{Phase, Progress, Reason, RunResult, SyncRequest};
use crate::github;
use crate::lease::Tenure;
use crate::report::Happening;
use crate::store::{self, RepositoryRecord, RunEnd, RunState};
use crate::sync::{self, Broken, Conclusion, Run};

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
        let Some(running) = self.announce().await else { return };
        self.request = running;
        let ending = self.work().await;
        self.finish(ending).await;
    }

    /// Writes status Running. `None`: the request is not what it was, and the run is closed.
    async fn announce(&self) -> Option<SyncRequest> {
        let change = Change::started(&self.tenure);
        match self.persist(&self.request, &change).await {
            Some(Written::Done(request)) => Some(*request),
            Some(Written::Outdated) => {
                let message = "the request was cancelled or deleted before it started";
                self.record(RunState::Cancelled, Reason::Cancelled, message, &RunResult::default())
                    .await;
                None
            }
            None => None,
        }
    }

    async fn work(&self) -> Ending {
        let source = match self.ctx.source() {
            Ok(source) => source,
            Err(error) => return refused(Reason::MissingToken, &error, None),
        };
        let settings = &self.ctx.settings;
        let repositories = settings.tracked.resolve(self.request.spec.repositories.as_deref());
        let (progress, shown) = watch::channel(Progress::default());
        let run = Run {
            store: Arc::clone(&self.ctx.store),
            source: source.clone(),
            tenure: self.tenure.clone(),
            rules: settings.rules.clone(),
            repositories: repositories.unwrap_or_default(),
            parallel: settings.parallel,
            full: self.request.spec.full,
            clock: self.ctx.clock.clone(),
            stop: self.live.stop.clone(),
            progress,
        };
        let done = tokio::select! {
            done = sync::run(&run) => done,
            never = self.show(shown) => match never {},
        };
        self.ctx.report.asked(&source.usage());
        match done {
            Ok(records) => Ending::Concluded(sync::conclude(&records, source.usage()), records),
            Err(Broken::Superseded) => Ending::Superseded,
            Err(Broken::Stopped) => Ending::Stopped(self.live.why().unwrap_or(Stop::Shutdown)),
            Err(Broken::Store(error)) => Ending::StoreLost(error),
            Err(Broken::Unauthorized(error)) => {
                refused(Reason::Unauthorized, &error, Some(&source))
            }
        }
    }

    /// Writes the progress as it changes, best effort, for ever.
    async fn show(&self, mut shown: watch::Receiver<Progress>) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            if shown.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let progress = shown.borrow_and_update().clone();
            let value = serde_json::json!(progress);
            if let Err(error) = patch(&self.request, "/status/progress", value, &self.ctx).await {
                tracing::debug!(%error, "the progress was not written");
            }
        }
    }

    async fn finish(&self, ending: Ending) {
        match ending {
            Ending::Concluded(conclusion, records) => {
                let (state, reason) = (conclusion.state(), conclusion.reason);
                let recorded =
                    self.record(state, reason, &conclusion.message, &conclusion.result).await;
                if recorded {
                    let repositories = repositories(&records);
                    self.persist(&self.request, &Change::Ended { conclusion, repositories }).await;
                }
            }
            Ending::Stopped(Stop::Shutdown) => {
                self.again(Reason::Interrupted, "the operator was stopped; it runs again").await;
            }
            Ending::Stopped(why) => self.cancelled(why).await,
            Ending::StoreLost(error) => {
                let message = format!("the database was lost: {}", store::chain(&error));
                self.ctx.health.ail("store", &message);
                self.again(Reason::StoreUnavailable, &message).await;
            }
            Ending::Superseded => {
                self.superseded().await;
            }
        }
    }

    async fn cancelled(&self, why: Stop) {
        let (reason, message) = match why {
            Stop::Deleted => (Reason::Deleted, "the request was deleted while it ran"),
            Stop::Cancelled | Stop::Shutdown => (Reason::Cancelled, "cancelled while it ran"),
        };
        let recorded =
            self.record(RunState::Cancelled, reason, message, &RunResult::default()).await;
        if recorded && why != Stop::Deleted {
            let message = message.to_owned();
            let change = Change::Closed { phase: Phase::Cancelled, reason, message };
            self.persist(&self.request, &change).await;
        }
    }

    /// Puts the request back into the queue, its attempt not counted.
    async fn again(&self, reason: Reason, message: &str) {
        // The record only says sooner what the next activation would say.
        self.record(RunState::Interrupted, reason, message, &RunResult::default()).await;
        let change = Change::Requeued { reason, message: message.to_owned() };
        self.persist(&self.request, &change).await;
    }

    /// Writes the run record. Whether it stands there: without it there is no terminal status.
    async fn record(
        &self,
        state: RunState,
        reason: Reason,
        message: &str,
        result: &RunResult,
    ) -> bool {
        let end = RunEnd {
            state,
            reason: reason.as_str(),
            message: message.to_owned(),
            result: result.clone(),
            completed_at: self.ctx.clock.now(),
        };
        match self.ctx.store.finish(&self.tenure, &end).await {
            Ok(()) => {
                self.ctx.report.ended(state);
                true
            }
            Err(store::Error::Superseded { .. }) => {
                self.superseded().await;
                false
            }
            Err(error) if state == RunState::Interrupted => {
                tracing::warn!(error = store::chain(&error), "the interruption was not recorded");
                false
            }
            Err(error) => {
                let message = format!("the database was lost: {}", store::chain(&error));
                self.ctx.health.ail("store", &message);
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
    /// lost or the process stops; whoever comes next repairs the status from the run record.
    async fn persist(&self, request: &SyncRequest, change: &Change) -> Option<Written> {
        loop {
            if self.tenure.lost().is_cancelled() {
                return None;
            }
            match write(request, change, &self.ctx).await {
                Ok(written) => return Some(written),
                Err(error) => {
                    let name = request.name_any();
                    tracing::warn!(request.name = name, error = store::chain(&error), "again");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN_AFTER) => {}
                () = self.tenure.lost().cancelled() => return None,
            }
        }
    }
}

fn refused(reason: Reason, error: &github::Error, source: Option<&github::Source>) -> Ending {
    let usage = source.map(github::Source::usage).unwrap_or_default();
    Ending::Concluded(Conclusion::failed(reason, &error.to_string(), usage), Vec::new())
}
