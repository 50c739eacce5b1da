//! What an attempt asks of the queue and of the store: the request, its number, its activation.

use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::execution::Execution;
use super::observe::{impossible, show};
use super::status::Change;
use super::track::{Answer, Attempt, Track};
use super::write::write;
use super::{Live, Stage};
use crate::api::{Phase, Reason, SyncRequest};
use crate::lease::{Got, Record, RunNumber, Seen};
use crate::report::Happening;
use crate::store::{self, NewRun};

/// A forged status may not push the numbers further than this.
const LARGEST_JUMP: i64 = 1_000_000;

impl Track {
    /// Reads the head of the queue anew and looks it up in the store.
    pub(super) async fn choose(&mut self, attempt: &mut Attempt) -> Answer {
        let Some(head) = self.ctx.queue().head() else { return Got::Nobody };
        let requests = self.ctx.requests(&head.order.namespace);
        let request = match requests.get_opt(&head.order.name).await {
            Ok(Some(request)) if request.uid().as_deref() == Some(&head.uid) => request,
            Ok(_) => {
                self.ctx.change_queue(|queue| queue.take(&head.uid));
                return Got::Nobody;
            }
            Err(error) => {
                tracing::warn!(request.name = head.order.name, %error, "cannot read the head");
                return hindered(attempt);
            }
        };
        show(&request, &self.ctx);
        if self.ctx.queue().head().is_none_or(|now| now.uid != head.uid) {
            return Got::Nobody;
        }
        if !self.ctx.is_store_prepared() {
            let why = "the database is not ready: see the operator's /readyz".to_owned();
            return self.store_failed(&request, why, attempt).await;
        }
        let ended = match self.ctx.store.ended_run(&head.uid).await {
            Ok(ended) => ended,
            Err(error) => return self.store_failed(&request, store::chain(&error), attempt).await,
        };
        self.ctx.health.well("store");
        let change = match (ended, Stage::from(request.status.as_ref())) {
            (Some(record), _) => Change::from_record(&record),
            // Somebody may have been granted since the Lease was read: then the run is not gone.
            (None, Stage::Running { .. }) if !self.is_unchanged(attempt).await => {
                return Got::Nobody;
            }
            (None, Stage::Running { .. }) => gone(&request),
            (None, Stage::Queued { .. }) => match impossible(&request, &self.ctx) {
                None => {
                    attempt.request = Some(request);
                    return Got::Chosen;
                }
                Some((reason, message)) => Change::Closed { phase: Phase::Failed, reason, message },
            },
            (None, Stage::New | Stage::Finished { .. }) => return Got::Nobody,
        };
        self.change(&request, &change, attempt).await
    }

    /// Whether the Lease is still the version that the attempt has judged.
    async fn is_unchanged(&mut self, attempt: &Attempt) -> bool {
        let version = |lease: &Seen| (lease.uid(), lease.resource_version());
        match self.keeper.get(Some(&attempt.holder)).await {
            Got::Lease(now, _) => attempt.seen.as_ref().map(version) == Some(version(&now)),
            _ => false,
        }
    }

    /// Writes a change of the head's; afterwards another is the head.
    async fn change(
        &self,
        request: &SyncRequest,
        change: &Change,
        attempt: &mut Attempt,
    ) -> Answer {
        match write(request, change, &self.ctx).await {
            Ok(_) => Got::Nobody,
            Err(error) => {
                tracing::warn!(error = store::chain(&error), "the head could not be changed");
                hindered(attempt)
            }
        }
    }

    pub(super) async fn ticket(&mut self, attempt: &mut Attempt) -> Answer {
        let Some(request) = attempt.request.clone() else { return Got::Nobody };
        let lease = attempt.seen.as_deref().map(Record::from).unwrap_or_default();
        let status = request.status.as_ref().and_then(|status| status.run_number).unwrap_or(0);
        let newest = match self.ctx.store.newest().await {
            Ok(newest) => newest.max(lease.number),
            Err(error) => return self.store_failed(&request, store::chain(&error), attempt).await,
        };
        if status - newest.0 > LARGEST_JUMP {
            let reason = Reason::RunNumberForged;
            let message = format!(
                "status.runNumber {status} is far above the newest run {newest}: somebody else \
                 wrote it; create a new request"
            );
            let change = Change::Closed { phase: Phase::Failed, reason, message };
            return self.change(&request, &change, attempt).await;
        }
        match self.ctx.store.ticket(newest.max(RunNumber(status))).await {
            Ok(number) => {
                self.ctx.health.well("store");
                Got::Ticket(number)
            }
            Err(error) => self.store_failed(&request, store::chain(&error), attempt).await,
        }
    }

    pub(super) async fn activate(&mut self, number: RunNumber, attempt: &mut Attempt) -> Answer {
        let Some(request) = attempt.request.clone() else { return Got::Refused };
        let status = request.status.as_ref();
        let run = NewRun {
            run_type: request.spec.type_.as_str(),
            dry_run: request.spec.dry_run,
            namespace: request.namespace().unwrap_or_default(),
            name: request.name_any(),
            uid: request.uid().unwrap_or_default(),
            attempt: status.and_then(|status| status.attempts).unwrap_or(0) + 1,
            takeover_reason: attempt.taken_over,
            started_at: self.ctx.clock.now(),
            excluded_labels: self.ctx.settings.rules.excluded_labels().to_vec(),
        };
        let tenure = self.keeper.tenure(number, &attempt.holder, attempt.lost.clone());
        match self.ctx.store.activate(&tenure, &run).await {
            Ok(activation) => {
                let interrupted = &activation.interrupted;
                let news =
                    Happening::Granted { number, taken_over: attempt.taken_over, interrupted };
                self.ctx.report.tell(&request.object_ref(&()), &news).await;
                let live = Live::new(&run.uid);
                self.ctx.set_live(Some(live.clone()));
                let ctx = Arc::clone(&self.ctx);
                let execution = Execution { ctx, request, tenure, live };
                attempt.run = Some(tokio::spawn(execution.run()));
                Got::Activated
            }
            Err(error @ (store::Error::Superseded { .. } | store::Error::HasRun(_))) => {
                tracing::info!(error = store::chain(&error), "not activated");
                Got::Refused
            }
            Err(error) => {
                self.store_failed(&request, store::chain(&error), attempt).await;
                Got::Refused
            }
        }
    }

    async fn store_failed(
        &self,
        request: &SyncRequest,
        message: String,
        attempt: &mut Attempt,
    ) -> Answer {
        self.ctx.health.ail("store", &message);
        tracing::warn!(error = message, "the store cannot be used; the request stays queued");
        let reason = Reason::StoreUnavailable;
        let status = request.status.as_ref();
        let said = status.and_then(|status| status.reason.as_deref());
        let waits = matches!(Stage::from(status), Stage::Queued { .. });
        if waits && said != Some(reason.as_str()) {
            let change = Change::Requeued { reason, message };
            self.change(request, &change, attempt).await;
        }
        hindered(attempt)
    }
}

/// The attempt leads to nothing for a reason that time may mend.
fn hindered(attempt: &mut Attempt) -> Answer {
    attempt.hindered = true;
    Got::Unknown
}

/// What becomes of a request whose run is gone without a record.
fn gone(request: &SyncRequest) -> Change {
    if request.spec.cancel {
        let message = "cancelled; the process that ran it is gone".to_owned();
        return Change::Closed { phase: Phase::Cancelled, reason: Reason::Cancelled, message };
    }
    let message = "the process that ran it is gone; it runs again".to_owned();
    Change::Requeued { reason: Reason::Interrupted, message }
}
