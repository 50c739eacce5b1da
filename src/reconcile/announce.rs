//! The start of a run, as its request shows it.

use kube::ResourceExt;

use super::execution::Execution;
use super::status::Change;
use super::write::Written;
use crate::api::{Reason, SyncRequest};
use crate::store::{self, RunState};

/// What a request is that could not be shown as running.
enum Still {
    Wanted(Box<SyncRequest>),
    /// It was cancelled or deleted.
    Unwanted,
    /// Somebody else has been granted since, and has put it back into the queue.
    LeftBehind,
}

impl Execution {
    /// Writes status Running. `None`: the request is not what it was, and the run is closed; or the
    /// Lease is lost.
    pub(super) async fn announce(&self) -> Option<SyncRequest> {
        let change = Change::started(&self.tenure);
        let mut request = self.request.clone();
        loop {
            match self.persist(&request, &change).await? {
                Written::Done(request) => return Some(*request),
                // Somebody wants it otherwise, or a write of an earlier run has arrived since.
                Written::Outdated => match self.look_again().await? {
                    Still::Wanted(now) => request = *now,
                    Still::Unwanted => break,
                    Still::LeftBehind => {
                        let message = "another operator has taken it for lost; it runs again";
                        self.record(&self.end(RunState::Interrupted, Reason::Interrupted, message))
                            .await;
                        return None;
                    }
                },
            }
        }
        let message = "the request was cancelled or deleted before it started";
        self.record(&self.end(RunState::Cancelled, Reason::Cancelled, message)).await;
        None
    }

    /// Whether the request is to run all the same. `None` is as in [`Self::persist`].
    async fn look_again(&self) -> Option<Still> {
        let requests = self.ctx.requests(&self.request.namespace().unwrap_or_default());
        let name = self.request.name_any();
        loop {
            match requests.get_opt(&name).await {
                Ok(now) => return Some(self.still(now)),
                Err(error) => {
                    tracing::warn!(request.name = name, error = store::chain(&error), "again");
                }
            }
            if self.pause().await {
                return None;
            }
        }
    }

    fn still(&self, now: Option<SyncRequest>) -> Still {
        let same = |now: &SyncRequest| now.metadata.uid == self.request.metadata.uid;
        let Some(now) = now.filter(same) else { return Still::Unwanted };
        let stopped = now.spec.cancel || now.metadata.deletion_timestamp.is_some();
        // Whoever has been granted since has put our number or a newer one there: see `former`.
        let number = now.status.as_ref().and_then(|status| status.run_number);
        if stopped || now.phase().is_terminal() {
            Still::Unwanted
        } else if number >= Some(self.tenure.number().0) {
            Still::LeftBehind
        } else {
            Still::Wanted(Box::new(now))
        }
    }
}
