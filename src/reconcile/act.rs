//! Carries out one step.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::controller::Action;

use super::observe::{is_changed_since_its_end, show, time_left};
use super::status::Change;
use super::write::{acknowledge, write};
use super::{Context, Error, Step};
use crate::api::{Phase, Reason, SyncRequest};

/// A request is looked at again after so long at the earliest.
const SHORTEST_REST: Duration = Duration::from_millis(100);
/// One that was let into the queue is let in again after so long, if it still waits.
const ADMIT_AGAIN: Duration = Duration::from_secs(60);

/// Carries out `step`, and says when the request should be looked at again.
pub(super) async fn act(step: Step, request: &SyncRequest, ctx: &Context) -> Result<Action, Error> {
    if is_changed_since_its_end(request, ctx) && step != Step::Delete {
        acknowledge(request, ctx).await?;
    }
    let change = match step {
        Step::Rest => return Ok(Action::await_change()),
        Step::RestFor(time) => return Ok(Action::requeue(time.max(SHORTEST_REST))),
        Step::Delete => return delete(request, ctx).await,
        Step::StopRun(why) => {
            if let Some(live) = ctx.live() {
                live.stop(why);
            }
            return Ok(Action::await_change());
        }
        Step::Admit => {
            show(request, ctx);
            // Its deadline may come before its turn. And if the clock is set back it is early again.
            let left = time_left(request, ctx).unwrap_or(ADMIT_AGAIN);
            return Ok(Action::requeue(left.clamp(SHORTEST_REST, ADMIT_AGAIN)));
        }
        Step::Suspend => Change::suspended("waits until spec.suspend is false"),
        Step::Enqueue { ahead } => Change::Queued { ahead },
        Step::Reject { message } => {
            Change::Closed { phase: Phase::Rejected, reason: Reason::AlreadyRunning, message }
        }
        Step::Fail { reason, message } => Change::Closed { phase: Phase::Failed, reason, message },
        Step::Cancel => Change::Closed {
            phase: Phase::Cancelled,
            reason: Reason::Cancelled,
            message: "cancelled before it ran".to_owned(),
        },
    };
    // Outdated: what has changed comes by the watch.
    write(request, &change, ctx).await?;
    Ok(Action::await_change())
}

/// Deletes the request of this uid, and no other of the same name.
async fn delete(request: &SyncRequest, ctx: &Context) -> Result<Action, Error> {
    let preconditions = Preconditions { uid: request.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    let requests = ctx.requests(&request.namespace().unwrap_or_default());
    let name = request.name_any();
    match requests.delete(&name, &params).await {
        Ok(_) => Ok(Action::await_change()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
            Ok(Action::await_change())
        }
        Err(source) => Err(Error::Delete { request: name, source }),
    }
}
