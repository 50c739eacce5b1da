//! Reads what a pass needs into one view, and keeps the queue as the watch shows it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::Event;
use kube::{Api, ResourceExt};

use super::queue::Part;
use super::{Context, Entry, Error, Order, Stage, Stop, View, Wants};
use crate::api::{ConcurrencyPolicy, Reason, SyncRequest};
use crate::lease::Record;

/// All that the plan needs, read in this pass.
pub(super) async fn observe(request: &SyncRequest, ctx: &Context) -> Result<View, Error> {
    let stage = Stage::from(request.status.as_ref());
    let new = stage == Stage::New;
    let entry = entry(request);
    let ahead = ctx.queue().ahead(&entry.order);
    let rejects = new && request.spec.concurrency_policy == ConcurrencyPolicy::Reject;
    Ok(View {
        ours: is_ours(request, ctx),
        cancelled: request.spec.cancel,
        suspended: request.spec.suspend,
        shown_suspended: is_shown_suspended(request),
        running_here: ctx.live().is_some_and(|live| live.uid == entry.uid),
        policy: request.spec.concurrency_policy,
        busy: if rejects { busy(&entry, ctx).await? } else { None },
        ahead,
        impossible: if new { impossible(request, ctx) } else { None },
        pause_left: pause_left(&stage, ctx),
        time_left: time_left(request, ctx),
        ttl_left: ttl_left(request, &stage, ctx),
        stage,
    })
}

fn is_shown_suspended(request: &SyncRequest) -> bool {
    let conditions = request.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|it| it.type_ == "Suspended" && it.status == "True")
}

fn pause_left(stage: &Stage, ctx: &Context) -> Option<Duration> {
    let Stage::Queued { not_before } = stage else { return None };
    Some((*not_before.as_ref()? - ctx.clock.now()).to_std().unwrap_or_default())
}

/// How long the request may still take, retries and waits included, if it has started and has a
/// deadline.
pub(super) fn time_left(request: &SyncRequest, ctx: &Context) -> Option<Duration> {
    let seconds = TimeDelta::try_seconds(request.spec.active_deadline_seconds?)?;
    let started_at = request.status.as_ref()?.first_start_time?.get();
    let due = started_at.checked_add_signed(seconds)?;
    Some((due - ctx.clock.now()).to_std().unwrap_or_default())
}

/// Why the request can never run, if that is so.
pub(super) fn impossible(request: &SyncRequest, ctx: &Context) -> Option<(Reason, String)> {
    let spec = &request.spec;
    if let Err(error) = ctx.settings.tracked.resolve(spec.repositories.as_deref()) {
        return Some((Reason::NotTracked, error.to_string()));
    }
    let error = (ctx.settings.github.credentials)().err()?;
    Some((Reason::MissingToken, error.to_string()))
}

/// Who runs or waits, in a sentence; nothing of another namespace's.
async fn busy(entry: &Entry, ctx: &Context) -> Result<Option<String>, Error> {
    let leases: Api<Lease> = Api::namespaced(ctx.client.clone(), &ctx.lease.0);
    let lease = leases.get_opt(&ctx.lease.1).await;
    let lease = lease.map_err(|source| Error::ReadLease { lease: ctx.lease_name(), source })?;
    let record = lease.as_ref().map(Record::from).unwrap_or_default();
    if record.holder.is_some() {
        let since = record.acquired_at.map(|at| format!(" since {}", at.format("%FT%TZ")));
        let since = since.unwrap_or_default();
        return Ok(Some(match record.request {
            Some((namespace, name, _)) if namespace == entry.order.namespace => {
                format!("{name} has been running{since}")
            }
            _ => format!("another run has been going on{since}"),
        }));
    }
    let queue = ctx.queue();
    let waiting = queue.ahead(&entry.order) + queue.new_before(&entry.order);
    Ok((waiting > 0).then(|| format!("{waiting} other requests wait")))
}

fn ttl_left(request: &SyncRequest, stage: &Stage, ctx: &Context) -> Option<Duration> {
    let Stage::Finished { at } = stage else { return None };
    let ttl = TimeDelta::try_seconds(request.spec.ttl_seconds_after_finished?)?;
    let due = at.unwrap_or_else(|| ctx.clock.now()).checked_add_signed(ttl)?;
    Some((due - ctx.clock.now()).to_std().unwrap_or_default())
}

/// Whether the spec of a finished request is newer than what its status says to be about. One that does
/// not say it was not written by us, and is believed by everybody.
pub(super) fn is_changed_since_its_end(request: &SyncRequest, ctx: &Context) -> bool {
    let observed = request.status.as_ref().and_then(|status| status.observed_generation);
    let is_older = observed.is_some_and(|observed| Some(observed) < request.metadata.generation);
    is_older && request.phase().is_terminal() && is_ours(request, ctx)
}

fn is_ours(request: &SyncRequest, ctx: &Context) -> bool {
    let lock = request.status.as_ref().and_then(|status| status.lock.as_ref());
    lock.is_none_or(|lock| lock.lease == ctx.lease_name())
}

/// The request's place in the order of all.
pub(super) fn entry(request: &SyncRequest) -> Entry {
    let ticket = request.status.as_ref().and_then(|status| status.queue_ticket.clone());
    let ticket = ticket.or_else(|| request.resource_version()).unwrap_or_default();
    let created = request.creation_timestamp().map(|at| at.0.as_second());
    Entry {
        uid: request.uid().unwrap_or_default(),
        order: Order {
            priority: Reverse(request.spec.priority),
            created_at: created
                .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0))
                .unwrap_or_default(),
            ticket: ticket.parse().unwrap_or(u64::MAX),
            namespace: request.namespace().unwrap_or_default(),
            name: request.name_any(),
        },
        joins: (request.spec.concurrency_policy == ConcurrencyPolicy::Coalesce)
            .then(|| Arc::new(wants(request))),
    }
}

/// What the request wants to be read, and how.
pub(super) fn wants(request: &SyncRequest) -> Wants {
    let spec = &request.spec;
    Wants {
        namespace: request.namespace().unwrap_or_default(),
        run_type: spec.type_,
        automation: spec.automation,
        full: spec.full,
        dry_run: spec.dry_run,
        repositories: spec.repositories.clone(),
    }
}

/// In which part of the queue the request is.
pub(super) fn part(request: &SyncRequest, ctx: &Context) -> Part {
    let spec = &request.spec;
    if !is_ours(request, ctx) {
        return Part::Out;
    }
    let stage = Stage::from(request.status.as_ref());
    // One that runs may be kept by a finalizer, and must not be shown as running for ever.
    if request.metadata.deletion_timestamp.is_some() && !matches!(stage, Stage::Running { .. }) {
        return Part::Out;
    }
    match stage {
        Stage::New if !spec.cancel => Part::New,
        Stage::Queued { not_before } if !spec.cancel && !spec.suspend => {
            let early = not_before.is_some_and(|at| at > ctx.clock.now());
            if early { Part::Out } else { Part::Waiting }
        }
        Stage::Running { .. } => Part::Running,
        Stage::New | Stage::Queued { .. } | Stage::Finished { .. } => Part::Out,
    }
}

/// Puts the request where it belongs, and stops its run here if it was cancelled, suspended
/// or deleted.
pub(super) fn show(request: &SyncRequest, ctx: &Context) {
    let (entry, part) = (entry(request), part(request, ctx));
    if ctx.change_queue(|queue| queue.show(entry, part, version(request))) {
        stop_unwanted(request, ctx);
    }
}

/// The same for the answer to a write, which may come after the watch has told that the request is gone.
pub(super) fn show_answer(request: &SyncRequest, ctx: &Context) {
    let (entry, part) = (entry(request), part(request, ctx));
    if ctx.change_queue(|queue| queue.show_answer(entry, part, version(request))) {
        stop_unwanted(request, ctx);
    }
}

fn version(request: &SyncRequest) -> u64 {
    request.resource_version().and_then(|it| it.parse().ok()).unwrap_or(u64::MAX)
}

fn stop_unwanted(request: &SyncRequest, ctx: &Context) {
    let uid = request.uid().unwrap_or_default();
    if let Some(live) = ctx.live().filter(|live| live.uid == uid) {
        if request.metadata.deletion_timestamp.is_some() {
            live.stop(Stop::Deleted);
        } else if request.spec.cancel {
            live.stop(Stop::Cancelled);
        } else if request.spec.suspend {
            live.stop(Stop::Suspended);
        }
    }
}

/// Takes note of what the watch of the requests shows, before anything else sees it.
pub fn note(event: &Event<SyncRequest>, ctx: &Context) {
    let gone = |uid: &str| {
        if let Some(live) = ctx.live().filter(|live| live.uid == uid) {
            live.stop(Stop::Deleted);
        }
    };
    match event {
        Event::Init => ctx.change_queue(super::queue::Queue::begin_listing),
        Event::InitApply(request) | Event::Apply(request) => show(request, ctx),
        Event::InitDone => {
            let missing = ctx.change_queue(super::queue::Queue::end_listing);
            for uid in &missing {
                gone(uid);
            }
        }
        Event::Delete(request) => {
            let uid = request.uid().unwrap_or_default();
            ctx.change_queue(|queue| queue.take(&uid));
            gone(&uid);
        }
    }
}
