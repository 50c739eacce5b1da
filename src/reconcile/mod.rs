//! One pass over one request: observe, plan, act; and the track on which runs go one by one.
//!
//! A pass over a request ([`reconcile`]) reads everything into one view, asks [`plan()`], and carries
//! out one step. It never runs a sync: the [`Track`] does, in a task of its own, for the head of
//! the [`Queue`].
//!
//! # Guarantees
//!
//! - A pass may be cut off anywhere and repeated.
//! - Every status is written by compare-and-swap on uid, phase and run number, so several replicas
//!   may do the same pass at once.
//! - A request that is Running and whose run is gone is repaired before anything else runs, where
//!   it can be read.
//!
//! # Assumptions
//!
//! All operators of one lock see the same requests and read the same configuration.

mod act;
mod announce;
mod candidate;
mod context;
mod execution;
mod former;
mod number;
mod observe;
mod plan;
mod queue;
#[cfg(test)]
mod queue_model;
mod retry;
mod satisfy;
mod stage;
mod status;
mod track;
mod wants;
mod watch;
mod write;

pub use context::{Context, Live, Settings, Stop};
pub use number::{Forged, floor};
pub use observe::note;
pub use plan::{Step, View, plan};
pub use queue::{Entry, Order, Part, Queue};
pub use stage::Stage;
pub use track::Track;
pub use wants::Wants;

use std::sync::Arc;

use kube::runtime::controller::Action;

use crate::api::SyncRequest;

/// A pass that could not be finished. It is repeated.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    #[error("failed to read lease {lease:?}")]
    ReadLease { lease: String, source: kube::Error },

    #[error("failed to read request {request:?}")]
    Read { request: String, source: kube::Error },

    #[error("failed to write the status of {request:?}")]
    WriteStatus { request: String, source: Box<kube::Error> },

    #[error("failed to delete {request:?}")]
    Delete { request: String, source: kube::Error },
}

/// Brings one request one step further.
pub async fn reconcile(request: Arc<SyncRequest>, ctx: Arc<Context>) -> Result<Action, Error> {
    // Two requests that are new at once must see each other, or both would find the track empty. All
    // other passes wait for that as well: a pass is two calls at most, each with its limit of time.
    let _first_sight = ctx.first_sight.lock().await;
    let view = observe::observe(&request, &ctx).await?;
    let step = plan(&view);
    tracing::debug!(request = %request.metadata.name.as_deref().unwrap_or_default(), ?step, "planned");
    act::act(step, &request, &ctx).await
}
