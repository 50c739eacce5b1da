//! Writes a status by compare-and-swap, and announces the change.

use json_patch::Patch;
use kube::api::{Patch as KubePatch, PatchParams};
use kube::core::Status;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::observe::show_answer;
use super::status::{Change, after, minimal};
use super::{Context, Error};
use crate::api::{SyncRequest, SyncRequestStatus};
use crate::report::Happening;

/// What has become of a write.
pub(super) enum Written {
    /// Done; the request is now this. In a box, because it is large.
    Done(Box<SyncRequest>),
    /// The request is another by now, or gone: look again.
    Outdated,
}

/// Writes the status that `change` makes of `seen`, if uid, phase and run number are still those.
///
/// Annotations, the spec and everything else may have changed in the meantime: a tool that touches
/// them must not starve us.
pub(super) async fn write(
    seen: &SyncRequest,
    change: &Change,
    ctx: &Context,
) -> Result<Written, Error> {
    let status = after(seen, change, &ctx.lease_name(), ctx.clock.now());
    let whole = |status: &SyncRequestStatus| {
        let mut operations = vec![replaced("/status", json!(status))];
        if change.is_of_any_spec() {
            operations.extend(of_the_newest_spec(status.conditions.len()));
        }
        operations
    };
    let written = match patch(seen, whole(&status), ctx).await {
        Err(Error::WriteStatus { request, source }) if is_too_much(&source) => {
            tracing::warn!(request.name = request, error = %source, "written in few words");
            patch(seen, whole(&minimal(&status)), ctx).await?
        }
        other => other?,
    };
    tell(&written, change, ctx).await;
    Ok(written)
}

/// The same for whoever runs the request and may have written it before without an answer: what stands
/// there already is done.
pub(super) async fn write_again(
    seen: &SyncRequest,
    change: &Change,
    ctx: &Context,
) -> Result<Written, Error> {
    let written = write(seen, change, ctx).await?;
    if matches!(written, Written::Done(_)) {
        return Ok(written);
    }
    let status = after(seen, change, &ctx.lease_name(), ctx.clock.now());
    let written = found(seen, &status, ctx).await?;
    tell(&written, change, ctx).await;
    Ok(written)
}

/// Says that the request has changed, to the queue at once: the next decision must know it.
async fn tell(written: &Written, change: &Change, ctx: &Context) {
    if let Written::Done(request) = written {
        show_answer(request, ctx);
        let (phase, reason, message) = change.says();
        let news = Happening::Phase { phase, reason, message: &message };
        ctx.report.tell(&request.object_ref(&()), &news).await;
    }
}

/// Looks whether the status of a run stands there already: the answer to an earlier try was lost, ours or
/// one of the client's own. What is not ours is outdated.
async fn found(
    seen: &SyncRequest,
    wanted: &SyncRequestStatus,
    ctx: &Context,
) -> Result<Written, Error> {
    if wanted.run_number.is_none() {
        return Ok(Written::Outdated);
    }
    let name = seen.name_any();
    let requests = ctx.requests(&seen.namespace().unwrap_or_default());
    let now = requests
        .get_opt(&name)
        .await
        .map_err(|source| Error::WriteStatus { request: name, source: Box::new(source) })?;
    // Not by its times: an earlier try had earlier ones. Nobody else writes for this run.
    let key = |it: &SyncRequestStatus| (it.phase, it.run_number, it.reason.clone());
    let same = now.filter(|now| {
        now.metadata.uid == seen.metadata.uid
            && now.status.as_ref().is_some_and(|status| key(status) == key(wanted))
    });
    Ok(same.map_or(Written::Outdated, |now| Written::Done(Box::new(now))))
}

/// Says of a request that has ended that this holds for its spec as it is now: tools that wait do not
/// believe a condition of an older one.
pub(super) async fn acknowledge(ended: &SyncRequest, ctx: &Context) -> Result<(), Error> {
    let name = ended.name_any();
    let requests = ctx.requests(&ended.namespace().unwrap_or_default());
    // What is kept of those that have ended is not all of their status.
    let now = requests.get_opt(&name).await;
    let now = now.map_err(|source| Error::Read { request: name, source })?;
    if let Some(now) = now.filter(|now| now.metadata.uid == ended.metadata.uid) {
        let conditions = now.status.as_ref().map_or(0, |status| status.conditions.len());
        patch(&now, of_the_newest_spec(conditions), ctx).await?;
    }
    Ok(())
}

/// The operation that replaces the part of the status at `path`.
pub(super) fn replaced(path: &str, value: Value) -> Value {
    json!({"op": "add", "path": path, "value": value})
}

/// The operations that make a status with so many conditions one of the spec as it is when they
/// arrive: it may be another than the one that was read.
fn of_the_newest_spec(conditions: usize) -> Vec<Value> {
    let places = (0..conditions).map(|at| format!("/status/conditions/{at}/observedGeneration"));
    let places = std::iter::once("/status/observedGeneration".to_owned()).chain(places);
    let copied = |path| json!({"op": "copy", "from": "/metadata/generation", "path": path});
    places.map(copied).collect()
}

/// Changes the status, under the same conditions.
pub(super) async fn patch(
    seen: &SyncRequest,
    changes: Vec<Value>,
    ctx: &Context,
) -> Result<Written, Error> {
    let default = SyncRequestStatus::default();
    let before = seen.status.as_ref().unwrap_or(&default);
    // Also that there is no run number: what arrives late must not count for a request that has run since.
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": seen.metadata.uid}),
        json!({"op": "test", "path": "/status/phase", "value": before.phase}),
        json!({"op": "test", "path": "/status/runNumber", "value": before.run_number}),
    ];
    operations.extend(changes);
    let operations: Patch = serde_json::from_value(operations.into()).unwrap_or_default();
    let operations = KubePatch::Json::<()>(operations);
    let requests = ctx.requests(&seen.namespace().unwrap_or_default());
    let params = PatchParams::default();
    let name = seen.name_any();
    match requests.patch_status(&name, &params, &operations).await {
        Ok(request) => Ok(Written::Done(Box::new(request))),
        Err(kube::Error::Api(status)) if is_outdated(&status) => {
            tracing::debug!(request.name = name, message = status.message, "status is outdated");
            Ok(Written::Outdated)
        }
        Err(source) => Err(Error::WriteStatus { request: name, source: Box::new(source) }),
    }
}

/// Whether the request is another than the patch was made for. A status that breaks a rule of the
/// schema has the same code, but the rule stands with it.
fn is_outdated(status: &Status) -> bool {
    let has_cause = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
    matches!(status.code, 404 | 409) || (status.code == 422 && !has_cause)
}

/// Whether the API server refuses the status for what is in it, or for how much that is.
fn is_too_much(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    matches!(status.code, 413 | 422) || (status.code == 500 && status.message.contains("too large"))
}
