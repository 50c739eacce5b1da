//! The one track: drives the protocol of the Lease for the head of the queue, again and again.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Context, Stop};
use crate::api::SyncRequest;
use crate::lease::{
    Ask, At, Claim, Got, Holder, Keeper, Record, RunNumber, Seen, Verdict, grant, release, renew,
    step,
};

pub(super) type Answer = Got<Seen, RunNumber>;

const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Runs the head of the queue whenever the Lease can be had.
pub struct Track {
    pub(super) ctx: Arc<Context>,
    pub(super) keeper: Keeper,
    /// The Lease as its watch shows it; `None` while there is none.
    news: watch::Receiver<Option<Seen>>,
    /// The version that the watch had shown when the Lease was last found to have nothing of ours in it.
    known: Option<Version>,
    stop: CancellationToken,
    pause: Duration,
}

/// A version of the Lease: its uid and resourceVersion.
type Version = (Option<String>, Option<String>);

/// What belongs to one attempt.
pub(super) struct Attempt {
    pub(super) holder: Holder,
    pub(super) seen: Option<Seen>,
    pub(super) taken_over: Option<&'static str>,
    pub(super) request: Option<SyncRequest>,
    pub(super) run: Option<JoinHandle<()>>,
    pub(super) lost: CancellationToken,
    /// When the last request that succeeded was sent.
    good_at: Instant,
    /// Nothing could be done for a reason that time may mend.
    pub(super) hindered: bool,
}

impl Track {
    pub fn new(
        ctx: Arc<Context>,
        keeper: Keeper,
        news: watch::Receiver<Option<Seen>>,
        stop: CancellationToken,
    ) -> Self {
        Self { ctx, keeper, news, known: None, stop, pause: SHORTEST_PAUSE }
    }

    /// Runs until told to stop, and then until the run has ended and the Lease is free.
    ///
    /// The first attempt is made whatever waits: it creates the Lease, and shows what is wrong.
    pub async fn run(mut self) {
        while !self.stop.is_cancelled() {
            let hindered = self.attempt().await;
            self.idle(hindered).await;
        }
    }

    /// Returns when there may be something to do.
    async fn idle(&mut self, hindered: bool) {
        if hindered {
            tokio::select! {
                () = self.rest(self.pause) => self.pause = (self.pause * 2).min(LONGEST_PAUSE),
                () = self.ctx.store_works() => self.pause = SHORTEST_PAUSE,
            }
            return;
        }
        self.pause = SHORTEST_PAUSE;
        while self.ctx.queue().head().is_none() && !self.has_leftover() {
            tokio::select! {
                () = self.ctx.head_changed() => {}
                () = self.stop.cancelled() => return,
                changed = self.news.changed() => if changed.is_err() { return },
            }
        }
    }

    /// The version of the Lease that its watch has shown.
    fn shown(&self) -> Option<Version> {
        self.news.borrow().as_ref().map(version)
    }

    /// Whether a grant of ours has landed late: it must not keep the others waiting. What is known to be
    /// gone may still stand there, for the watch may be late.
    fn has_leftover(&self) -> bool {
        let news = self.news.borrow();
        let Some(lease) = news.as_ref().filter(|lease| self.known != Some(version(lease))) else {
            return false;
        };
        let holder = Record::from(lease.as_ref()).holder;
        holder.is_some_and(|holder| self.keeper.identity().is_own(&holder))
    }

    /// One attempt, to its end. Whether it was hindered.
    async fn attempt(&mut self) -> bool {
        let mut attempt = Attempt {
            holder: self.keeper.identity().attempt(),
            seen: None,
            taken_over: None,
            request: None,
            run: None,
            lost: CancellationToken::new(),
            good_at: Instant::now(),
            hindered: false,
        };
        let mut at = At::Over;
        let mut got = Got::Woken;
        loop {
            let (next, ask) = step(at, got);
            tracing::trace!(?ask, "asked");
            let ends = match &next {
                at if is_before_grant(at) => self.stop.is_cancelled(),
                At::AskingGrant(_) | At::AskingRelease => self.ctx.closing.is_cancelled(),
                _ => false,
            };
            if matches!(ask, Ask::Nothing) || ends {
                self.ctx.set_live(None);
                // Whether the Lease can be used again shows only when it is asked for.
                return attempt.hindered || self.keeper.trouble().is_some();
            }
            at = next;
            got = self.perform(ask, &mut attempt).await;
            self.note_trouble();
        }
    }

    async fn perform(&mut self, ask: Ask<Seen, RunNumber>, attempt: &mut Attempt) -> Answer {
        if attempt.run.is_some() && self.is_expired(attempt) && !matches!(ask, Ask::Stop) {
            return Got::Expired;
        }
        match ask {
            Ask::Wait(time) => self.wait(time).await,
            Ask::Pause => {
                sleep(SHORTEST_PAUSE).await;
                Got::Woken
            }
            Ask::Get => self.get(attempt).await,
            Ask::Create => {
                let got = self.keeper.create().await;
                attempt.hindered |= matches!(got, Got::Unknown | Got::Gone);
                got
            }
            Ask::Choose => self.choose(attempt).await,
            Ask::Ticket => self.ticket(attempt).await,
            Ask::Grant(over, number) => self.grant(&over, number, attempt).await,
            Ask::Activate(number) => self.activate(number, attempt).await,
            Ask::Run | Ask::Beat => self.beat(attempt).await,
            Ask::Renew(over, _) => self.put(renew(&over, self.ctx.clock.now()), attempt).await,
            Ask::Stop => Self::stop_run(attempt).await,
            Ask::Release(over) => {
                let (shown, lease) = (self.shown(), release(&over, self.ctx.clock.now()));
                let got = self.put(lease, attempt).await;
                if matches!(got, Got::Stored(_)) {
                    self.known = shown;
                }
                self.after_refusal(&got, attempt).await;
                got
            }
            Ask::Nothing => Got::Woken,
        }
    }

    async fn get(&mut self, attempt: &mut Attempt) -> Answer {
        let shown = self.shown();
        let got = self.keeper.get(Some(&attempt.holder)).await;
        if !matches!(&got, Got::Unknown | Got::Lease(_, Verdict::Leftover | Verdict::Mine)) {
            self.known = shown;
        }
        if let Got::Lease(lease, verdict) = &got {
            attempt.seen = Some(Arc::clone(lease));
            attempt.taken_over = match verdict {
                Verdict::Stale(why) => Some(why.as_str()),
                _ => attempt.taken_over.filter(|_| *verdict == Verdict::Mine),
            };
        }
        got
    }

    async fn put(&mut self, lease: Lease, attempt: &mut Attempt) -> Answer {
        let sent_at = Instant::now();
        let got = self.keeper.put(lease).await;
        if matches!(got, Got::Stored(_)) {
            attempt.good_at = sent_at;
        }
        got
    }

    async fn grant(&mut self, over: &Lease, number: RunNumber, attempt: &mut Attempt) -> Answer {
        let Some(request) = &attempt.request else { return Got::Conflict };
        let (namespace, name) = (request.namespace().unwrap_or_default(), request.name_any());
        let uid = request.uid().unwrap_or_default();
        let claim = Claim {
            holder: &attempt.holder,
            pod_uid: self.keeper.identity().pod_uid(),
            namespace: &namespace,
            name: &name,
            uid: &uid,
            run_type: request.spec.type_.as_str(),
            number,
        };
        let lease = grant(over, &claim, self.keeper.times(), self.ctx.clock.now());
        // Also when the answer is lost: what is found later was sent now.
        attempt.good_at = Instant::now();
        let got = self.put(lease, attempt).await;
        self.after_refusal(&got, attempt).await;
        got
    }

    /// Rests after a write that may have been refused at once, and would be refused at once again.
    async fn after_refusal(&self, got: &Answer, attempt: &mut Attempt) {
        if matches!(got, Got::Unknown) {
            attempt.hindered = true;
            sleep(SHORTEST_PAUSE).await;
        }
    }

    /// Waits until the Lease is freed, or has not been touched for `time`.
    async fn wait(&mut self, time: Duration) -> Answer {
        let mut until = Instant::now() + time;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return Got::Woken,
                () = sleep_until(until) => return Got::Woken,
                changed = self.news.changed() => {
                    if changed.is_err() {
                        sleep_until(until).await;
                        return Got::Woken;
                    }
                    let news = self.news.borrow_and_update().clone();
                    let Some(lease) = news else { return Got::Woken };
                    self.keeper.note(&lease);
                    let record = Record::from(lease.as_ref());
                    if record.holder.is_none() && !record.paused {
                        return Got::Woken;
                    }
                    // Touched by somebody who is alive: it takes as long again to look silent.
                    until = Instant::now() + self.keeper.times().doubt_after();
                }
            }
        }
    }

    /// Waits for the next heartbeat, or for the end of the run.
    async fn beat(&mut self, attempt: &mut Attempt) -> Answer {
        let due = attempt.good_at + self.keeper.times().renew_every();
        // After a renewal without an answer the last good one is long ago.
        let due = due.max(Instant::now() + SHORTEST_PAUSE.min(self.keeper.times().renew_every()));
        let expires = attempt.good_at + self.keeper.times().give_up_after();
        let Some(run) = &mut attempt.run else { return Got::Ended };
        loop {
            tokio::select! {
                ended = &mut *run => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the run has ended by a fault of its own");
                    }
                    attempt.run = None;
                    return Got::Ended;
                }
                () = sleep_until(expires) => return Got::Expired,
                () = sleep_until(due) => return Got::Due,
                () = self.stop.cancelled(), if !self.is_stopping() => {
                    if let Some(live) = self.ctx.live() {
                        live.stop(Stop::Shutdown);
                    }
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.ctx.live().is_none_or(|live| live.why().is_some())
    }

    fn is_expired(&self, attempt: &Attempt) -> bool {
        attempt.good_at.elapsed() >= self.keeper.times().give_up_after()
    }

    async fn stop_run(attempt: &mut Attempt) -> Answer {
        attempt.lost.cancel();
        if let Some(run) = attempt.run.take()
            && let Err(error) = run.await
        {
            tracing::error!(%error, "the run has ended by a fault of its own");
        }
        Got::Ended
    }

    fn note_trouble(&self) {
        match self.keeper.trouble() {
            Some(trouble) => self.ctx.health.ail("lease", trouble),
            None => self.ctx.health.well("lease"),
        }
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.stop.cancelled() => {}
        }
    }
}

pub(super) fn version(lease: &Seen) -> Version {
    (lease.uid(), lease.resource_version())
}

/// Whether nothing of ours can stand in the Lease yet: a stop may end the attempt there.
fn is_before_grant(at: &At<Seen, RunNumber>) -> bool {
    matches!(at, At::Waiting | At::Reading | At::Creating | At::Choosing(_) | At::Ticketing(_))
}
