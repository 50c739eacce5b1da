//! The lock: one `Lease` that all runs share.
//!
//! [`step()`] is the protocol: where an attempt stands and what has just come back give where it
//! stands next and the one call to make. [`judge()`] says what a Lease that we see means. The
//! [`Keeper`] makes the calls, decides nothing, and hands out a [`Tenure`].
//!
//! # Guarantees
//!
//! - Grants are ordered: a later grant of the Lease carries a higher [`RunNumber`].
//! - A holder that keeps renewing keeps the Lease, however wrong its clock is.
//! - Every write carries the uid and the resourceVersion that it is a change of. Creating the Lease
//!   is never a grant, and we never delete it.
//!
//! # Assumptions
//!
//! Clocks run at about the same rate. Two may still believe that they hold the lock (one was paused
//! and does not know better): the store refuses the writes of the older one.

mod judge;
mod keeper;
mod record;
mod sighting;
mod step;
mod tenure;
mod times;

pub use judge::{Pod, Scene, TakenOver, Verdict, judge, pod_matters};
pub use keeper::{Identity, Keeper, Seen};
pub use record::{Claim, Record, grant, is_paused, release, renew, set_paused, vacant};
pub use sighting::Sighting;
pub use step::{Ask, At, Got, step};
pub use tenure::{Holder, RunNumber, Tenure};
pub use times::{Times, TimesDoNotFit};
