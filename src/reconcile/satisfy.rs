//! The requests that wait for what a run has just done: they end with it.

use std::sync::Arc;

use futures::StreamExt;
use kube::runtime::reflector::ObjectRef;

use super::status::Change;
use super::write::write;
use super::{Context, Error, Order};
use crate::api::{Phase, SyncRequest};
use crate::store::RunRecord;

/// How many statuses are written at once.
const AT_ONCE: usize = 16;

/// Ends all requests that stand with the run as answered by it and still wait. One that has changed
/// in the meantime, or that somebody else has written, is left alone.
///
/// # Errors
///
/// The first that could not be written; the others are. Whoever comes to one of the rest as the
/// head of the queue ends them all.
pub(super) async fn satisfy(record: &RunRecord, ctx: &Context) -> Result<(), Error> {
    let change = Change::satisfied(record);
    let places: Vec<(String, Order)> = {
        let queue = ctx.queue();
        let uids = record.coalesced.iter();
        uids.filter_map(|uid| Some((uid.clone(), queue.waiting_place(uid)?))).collect()
    };
    let mut writing = futures::stream::iter(places)
        .map(async |(uid, order)| match find(&order, ctx).await? {
            Some(request) if is_waiting(&request, &uid) => {
                write(&request, &change, ctx).await.map(drop)
            }
            _ => Ok(()),
        })
        .buffer_unordered(AT_ONCE);
    let mut failed = None;
    while let Some(done) = writing.next().await {
        failed = failed.or(done.err());
    }
    failed.map_or(Ok(()), Err)
}

/// The request as the watch has shown it, or else as it is.
async fn find(order: &Order, ctx: &Context) -> Result<Option<Arc<SyncRequest>>, Error> {
    let name = ObjectRef::new(&order.name).within(&order.namespace);
    if let Some(known) = ctx.shown(&name) {
        return Ok(Some(known));
    }
    let request = ctx.requests(&order.namespace).get_opt(&order.name).await;
    let request = request.map_err(|source| Error::Read { request: order.name.clone(), source })?;
    Ok(request.map(Arc::new))
}

/// Whether the request is the one of this uid, and waits. Another may have its name by the time that
/// its turn comes.
fn is_waiting(request: &SyncRequest, uid: &str) -> bool {
    request.phase() == Phase::Queued
        && !request.spec.cancel
        && request.metadata.uid.as_deref() == Some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{RunType, SyncRequestSpec, SyncRequestStatus};

    fn request(uid: &str, phase: Phase, cancel: bool) -> SyncRequest {
        let spec = SyncRequestSpec { cancel, ..SyncRequestSpec::of(RunType::Manual) };
        let mut request = SyncRequest::new("name", spec);
        request.metadata.uid = Some(uid.to_owned());
        request.status = Some(SyncRequestStatus { phase, ..SyncRequestStatus::default() });
        request
    }

    #[test]
    fn only_the_very_request_that_was_answered_ends_with_the_run_and_none_of_its_name() {
        let rows = [
            ("1", Phase::Queued, false, true),
            ("2", Phase::Queued, false, false),
            ("1", Phase::Running, false, false),
            ("1", Phase::Queued, true, false),
        ];
        for (uid, phase, cancel, expected) in rows {
            let request = request(uid, phase, cancel);
            assert_eq!(is_waiting(&request, "1"), expected, "{uid} {phase:?} {cancel}");
        }
    }
}
