//! The SyncRequest resource as kubectl sees it: types, their rules, and the names used around them.
//!
//! # Guarantees
//!
//! - Everything that a schema can say is in the schema, so the API server refuses bad input itself.
//! - A terminal phase never changes and a run number never falls, whoever writes the status.
//!
//! The files under `crds/` and in the chart are written from these types by a test.

mod condition;
mod names;
mod reason;
mod spec;
mod status;
mod time;

pub use condition::{Condition, Facts as ConditionFacts, conditions};
pub use names::{BadRepoName, RepoName, RepoPattern};
pub use reason::Reason;
pub use spec::{ConcurrencyPolicy, RunType, SyncRequest, SyncRequestSpec, crd};
pub use status::{
    ApiUse, LockRef, Phase, Progress, RepositoryPhase, RepositoryStatus, RunResult,
    SyncRequestStatus, cut,
};
pub use time::Micros;

/// The group of the resource; the prefix of every annotation and label of ours.
pub const GROUP: &str = "singletrack.dev";
