//! Writes a status by compare-and-swap, and announces the change.

use json_patch::Patch;
use kube::api::{Patch as KubePatch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::observe::show;
use super::status::{Change, after};
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
    let written = patch(seen, "/status", json!(status), ctx).await?;
    if let Written::Done(request) = &written {
        // At once, and not when the watch tells: the next decision must know it.
        show(request, ctx);
        let (phase, reason, message) = change.says();
        let news = Happening::Phase { phase, reason, message: &message };
        ctx.report.tell(&request.object_ref(&()), &news).await;
    }
    Ok(written)
}

/// Replaces the part of the status at `path`, under the same conditions.
pub(super) async fn patch(
    seen: &SyncRequest,
    path: &str,
    value: serde_json::Value,
    ctx: &Context,
) -> Result<Written, Error> {
    let default = SyncRequestStatus::default();
    let before = seen.status.as_ref().unwrap_or(&default);
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": seen.metadata.uid}),
        json!({"op": "test", "path": "/status/phase", "value": before.phase}),
    ];
    if let Some(number) = before.run_number {
        operations.push(json!({"op": "test", "path": "/status/runNumber", "value": number}));
    }
    operations.push(json!({"op": "add", "path": path, "value": value}));
    let operations: Patch = serde_json::from_value(json!(operations)).unwrap_or_default();
    let operations = KubePatch::Json::<()>(operations);
    let requests = ctx.requests(&seen.namespace().unwrap_or_default());
    let params = PatchParams::default();
    let name = seen.name_any();
    match requests.patch_status(&name, &params, &operations).await {
        Ok(request) => Ok(Written::Done(Box::new(request))),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409 | 422) => {
            tracing::debug!(request.name = name, message = status.message, "status is outdated");
            Ok(Written::Outdated)
        }
        Err(source) => Err(Error::WriteStatus { request: name, source: Box::new(source) }),
    }
}
