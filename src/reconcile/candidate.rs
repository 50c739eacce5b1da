//! What an attempt asks of the queue and of the store: the request, its number, its activation.

use std::sync::Arc;
use std::time::Duration;

use kube::core::Status;
use kube::{Resource, ResourceExt};

use super::context::store_reason;
use super::execution::Execution;
use super::number::floor;
use super::observe::{impossible, show, time_left, wants};
use super::plan::LATE;
use super::retry::Attempts;
use super::satisfy::satisfy;
use super::status::{Change, reason_of};
use super::track::{Answer, Attempt, Track, version};
use super::write::write;
use super::{Context, Live, Order, Stage};
use crate::api::{ConcurrencyPolicy, Phase, Reason, SyncRequest, cut};
use crate::lease::{Got, Record, RunNumber};
use crate::report::Happening;
use crate::store::{self, NewRun, RunRecord, RunState};

/// The pause before a closed namespace is looked at again; it doubles each time.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// The longest of them.
const LAST_LOOK: Duration = Duration::from_secs(60);

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
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                self.leave_out(head.order, &status);
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
        if let Some((reason, why)) = self.ctx.store_trouble() {
            return self.store_failed(&request, reason, why, attempt).await;
        }
        if let Some(answer) = self.see_to_former(&request, attempt).await {
            return answer;
        }
        let known = match self.look_up(&request).await {
            Ok(known) => known,
            Err(error) => return self.store_refused(&request, &error, attempt).await,
        };
        self.ctx.health.well("store");
        let running = matches!(Stage::from(request.status.as_ref()), Stage::Running { .. });
        match known {
            Known::Ended(record) => {
                self.end(&request, &Change::from_record(&record), &record, attempt).await
            }
            Known::Answered(record) => {
                self.end(&request, &Change::satisfied(&record), &record, attempt).await
            }
            // Somebody may have been granted since the Lease was read: then the run is not gone.
            Known::Open(_) if running && !self.is_unchanged(attempt).await => Got::Nobody,
            Known::Open(record) if running => {
                let change = after_gone(&request, record.as_deref(), &self.ctx);
                self.change(&request, &change, attempt).await
            }
            Known::Open(_) => match self.obstacle(&request) {
                None => {
                    attempt.request = Some(request);
                    Got::Chosen
                }
                Some((reason, message)) => {
                    let change = Change::Closed { phase: Phase::Failed, reason, message };
                    self.change(&request, &change, attempt).await
                }
            },
        }
    }

    /// Leaves the head's namespace out until its requests can be read again: one that is closed to us
    /// must not keep the others waiting.
    fn leave_out(&self, head: Order, refusal: &Status) {
        let place = head.namespace.clone();
        self.ctx.change_queue(|queue| queue.close(&place));
        let why = &refusal.message;
        tracing::warn!(
            why,
            "cannot read the requests of namespace {place}; they wait until we may"
        );
        let ctx = Arc::clone(&self.ctx);
        tokio::spawn(async move {
            let mut pause = FIRST_LOOK;
            loop {
                tokio::time::sleep(pause).await;
                // Also that it is gone is an answer that only those get who may read.
                if ctx.requests(&place).get_opt(&head.name).await.is_ok() {
                    break;
                }
                pause = (pause * 2).min(LAST_LOOK);
            }
            tracing::info!("the requests of namespace {place} can be read again");
            ctx.change_queue(|queue| queue.open(&place));
        });
    }

    /// What the store knows of the request.
    async fn look_up(&self, request: &SyncRequest) -> Result<Known, store::Error> {
        let uid = request.uid().unwrap_or_default();
        let record = self.ctx.store.run_of(&uid).await?;
        if let Some(record) = record.as_ref().filter(|record| record.is_final()) {
            return Ok(Known::Ended(Box::new(record.clone())));
        }
        if request.spec.concurrency_policy == ConcurrencyPolicy::Coalesce
            && let Some(record) = self.ctx.store.answer_of(&uid).await?
        {
            return Ok(Known::Answered(Box::new(record)));
        }
        Ok(Known::Open(record.map(Box::new)))
    }

    /// Writes the end that the history tells of, and ends the others that the run has answered.
    async fn end(
        &self,
        request: &SyncRequest,
        change: &Change,
        record: &RunRecord,
        attempt: &mut Attempt,
    ) -> Answer {
        let answer = self.change(request, change, attempt).await;
        if !matches!(record.state, RunState::Succeeded | RunState::Partial) {
            return answer;
        }
        match satisfy(record, &self.ctx).await {
            Ok(()) => answer,
            Err(error) => {
                tracing::warn!(error = store::chain(&error), "some could not be ended");
                hindered(attempt)
            }
        }
    }

    /// Why the head cannot be run any more, if that is so.
    fn obstacle(&self, request: &SyncRequest) -> Option<(Reason, String)> {
        if time_left(request, &self.ctx) == Some(Duration::ZERO) {
            return Some((Reason::DeadlineExceeded, LATE.to_owned()));
        }
        impossible(request, &self.ctx)
    }

    /// Whether the Lease is still the version that the attempt has judged.
    pub(super) async fn is_unchanged(&mut self, attempt: &Attempt) -> bool {
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
            Ok(newest) => newest,
            Err(error) => return self.store_refused(&request, &error, attempt).await,
        };
        let floor = match floor(newest, lease.number, RunNumber(status)) {
            Ok(floor) => floor,
            Err(forged) => {
                let (reason, message) = (Reason::RunNumberForged, forged.to_string());
                let change = Change::Closed { phase: Phase::Failed, reason, message };
                return self.change(&request, &change, attempt).await;
            }
        };
        match self.ctx.store.ticket(floor).await {
            Ok(number) => {
                self.ctx.health.well("store");
                Got::Ticket(number)
            }
            Err(error) => self.store_refused(&request, &error, attempt).await,
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
            attempt: status.and_then(|status| status.attempts).unwrap_or(0).saturating_add(1),
            takeover_reason: attempt.taken_over,
            started_at: self.ctx.clock.now(),
            coalesced: self.answered_along(&request),
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
                let (former, coalesced) = (activation.former, activation.coalesced);
                let execution = Execution { ctx, request, tenure, live, former, coalesced };
                attempt.hindered = false;
                attempt.run = Some(tokio::spawn(execution.run()));
                Got::Activated
            }
            Err(error) => {
                if let Some(why) = attempt.taken_over {
                    let news = Happening::ReplacedInVain { number, why };
                    self.ctx.report.tell(&request.object_ref(&()), &news).await;
                }
                if matches!(error, store::Error::Superseded { .. } | store::Error::HasRun(_)) {
                    tracing::info!(error = store::chain(&error), "not activated");
                } else {
                    self.store_refused(&request, &error, attempt).await;
                }
                Got::Refused
            }
        }
    }

    /// Those that wait for no more than what this run will do.
    fn answered_along(&self, request: &SyncRequest) -> Vec<String> {
        let mut uids = self.ctx.queue().answered_by(&wants(request));
        uids.retain(|uid| request.uid().as_ref() != Some(uid));
        uids
    }

    pub(super) async fn store_refused(
        &self,
        request: &SyncRequest,
        error: &store::Error,
        attempt: &mut Attempt,
    ) -> Answer {
        self.ctx.store_ails(error);
        self.store_failed(request, store_reason(error), error.told(), attempt).await
    }

    async fn store_failed(
        &self,
        request: &SyncRequest,
        reason: Reason,
        message: String,
        attempt: &mut Attempt,
    ) -> Answer {
        tracing::warn!(error = message, "the store cannot be used; the request stays queued");
        let status = request.status.as_ref();
        let is_said = status.is_some_and(|status| {
            status.reason.as_deref() == Some(reason.as_str())
                && status.message.as_deref() == Some(cut(&message))
        });
        let waits = matches!(Stage::from(status), Stage::Queued { .. });
        if waits && !is_said {
            let change = Change::Requeued { reason, message };
            self.change(request, &change, attempt).await;
        }
        hindered(attempt)
    }
}

/// The attempt leads to nothing for a reason that time may mend.
pub(super) fn hindered(attempt: &mut Attempt) -> Answer {
    attempt.hindered = true;
    Got::Unknown
}

/// What the store knows of a request.
enum Known {
    /// Its run has ended it.
    Ended(Box<RunRecord>),
    /// It is answered by this run of another.
    Answered(Box<RunRecord>),
    /// It has not ended; its newest run, if it had one.
    Open(Option<Box<RunRecord>>),
}

/// What becomes of a Running request whose run has not ended it.
pub(super) fn after_gone(
    request: &SyncRequest,
    record: Option<&RunRecord>,
    ctx: &Context,
) -> Change {
    let unwanted = match (request.metadata.deletion_timestamp.is_some(), request.spec.cancel) {
        (true, _) => Some((Reason::Deleted, "deleted; the process that ran it is gone")),
        (_, true) => Some((Reason::Cancelled, "cancelled; the process that ran it is gone")),
        _ => None,
    };
    if let Some((reason, message)) = unwanted {
        let message = message.to_owned();
        return Change::Closed { phase: Phase::Cancelled, reason, message };
    }
    let interrupted = |reason| Change::Requeued {
        reason,
        message: "the process that ran it is gone; it runs again".to_owned(),
    };
    let number = request.status.as_ref().and_then(|status| status.run_number);
    let Some(record) = record.filter(|record| number == Some(record.number.0)) else {
        return interrupted(Reason::Interrupted);
    };
    let reason = reason_of(record).unwrap_or(Reason::Interrupted);
    let message = || record.message.clone().unwrap_or_default();
    match (record.state, record.next_attempt_at) {
        // It had been decided, and only the status was not written.
        (RunState::Failed, Some(next_at)) => {
            Change::Retried { reason: Reason::AttemptFailed, message: message(), next_at }
        }
        (RunState::Interrupted, _) if reason != Reason::Interrupted => {
            Change::Requeued { reason, message: message() }
        }
        _ if record.committed => interrupted(Reason::Interrupted),
        _ => match attempts(request, ctx).next_at(ctx.clock.now()) {
            Some(next_at) => Change::Retried {
                reason: Reason::Interrupted,
                message: "the process that ran it is gone, and it had not stored anything".into(),
                next_at,
            },
            None => Change::Closed {
                phase: Phase::Failed,
                reason: Reason::BackoffLimitExceeded,
                message:
                    "each attempt has ended with its process before anything was stored: look \
                          at the operator's log, and create a new request"
                        .to_owned(),
            },
        },
    }
}

/// The attempts of a request whose status counts the one that is over.
pub(super) fn attempts(request: &SyncRequest, ctx: &Context) -> Attempts {
    let used = request.status.as_ref().and_then(|status| status.attempts).unwrap_or(1);
    Attempts { used, limit: request.spec.backoff_limit, pause: ctx.settings.retry_after }
}
