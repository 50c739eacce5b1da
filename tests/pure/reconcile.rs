//! The plan, the queue, and what they are made of.

#[path = "../../src/reconcile/number.rs"]
mod number;
#[path = "../../src/reconcile/plan.rs"]
mod plan;
#[path = "../../src/reconcile/queue.rs"]
mod queue;
#[cfg(test)]
#[path = "../../src/reconcile/queue_model.rs"]
mod queue_model;
#[path = "../../src/reconcile/retry.rs"]
mod retry;
#[path = "../../src/reconcile/stage.rs"]
mod stage;
#[path = "../../src/reconcile/wants.rs"]
mod wants;

pub use queue::{Entry, Order, Queue};
pub use stage::Stage;
pub use wants::Wants;

/// What the plan names of the reasons to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Cancelled,
    Suspended,
}
