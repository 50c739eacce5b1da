//! Carries out one step.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::controller::Action;

use super::observe::show;
use super::status::Change;
use super::write::write;
use super::{Context, Error, Step};
use crate::api::{Phase, Reason, SyncRequest};

/// Carries out `step`, and says when the request should be looked at again.
pub(super) async fn act(step: Step, request: &SyncRequest, ctx: &Context) -> Result<Action, Error> {
    let change = match step {
        Step::Rest => return Ok(Action::await_change()),
        Step::RestFor(time) => return Ok(Action::requeue(time.max(Duration::from_millis(100)))),
        Step::Delete => return delete(request, ctx).await,
        Step::StopRun(why) => {
            if let Some(live) = ctx.live() {
                live.stop(why);
            }
            return Ok(Action::await_change());
        }
        Step::Admit => {
            show(request, ctx);
            return Ok(Action::await_change());
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
