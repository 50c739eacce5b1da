//! Singletrack copies GitHub issues and automation data into a database, one run at a time.
//!
//! ```text
//!  kubectl, CronJob, CLI
//!         | SyncRequest
//!         v
//!  reconcile::observe --> View --> plan --> Step --> act --> status, Event
//!         |                       (pure)
//!         v Queue (pure): who is next
//!  reconcile::Track <-- lease::step, judge (pure) --> Tenure --> Execution --> sync::run
//!         |                                                          |            |
//!  lease::Keeper | heartbeat                                         |     github::Source (octocrab)
//!         v                                                          v
//!  coordination.k8s.io Lease                          store::Store -- refuses an older Tenure
//! ```
//!
//! The Lease decides who may run; the fence in the store decides whose writes count. A lock alone
//! cannot stop a holder that was paused and wakes up late, so each grant carries a run number, and
//! the store refuses every write that does not carry the active one.
//!
//! # Invariants
//!
//! - Only the keeper makes a [`lease::Tenure`], and every write to the store asks for one: code
//!   without the lock does not compile.
//! - The protocol is one pure function, [`lease::step()`]: one call under way, no await, no clock, no
//!   client. A model checker drives the same function.
//! - A pass over a request may be cut off anywhere and repeated.
//! - Every write to the API server carries the uid; writes of the Lease also the resourceVersion;
//!   status patches test phase and run number.
//! - Only [`process::clock`] asks the time, and only [`cli`] reads the environment.
//! - Only `lease::record` knows jiff's types; octocrab's end in `github::octo`, sqlx's in [`store`].
//!
//! # Modules, in reading order
//!
//! A later one may use an earlier one, never the reverse; a test holds it.
//!
//! 1. [`api`]: the resource as kubectl sees it.
//! 2. [`process`]: clock, endpoints, signals.
//! 3. [`lease`]: the lock.
//! 4. [`store`]: where the data goes; the fence.
//! 5. [`github`]: where it comes from.
//! 6. [`sync`]: one run.
//! 7. [`report`]: Events, counters and log lines.
//! 8. [`reconcile`]: one pass over a request, the queue, and the track.
//! 9. [`cli`] and [`controller`]: the commands, and the operator's start and stop.

// They panic where nobody reads: what is said goes through `cli::print`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod api;
pub mod cli;
pub mod controller;
pub mod github;
pub mod lease;
pub mod process;
pub mod reconcile;
pub mod report;
pub mod store;
pub mod sync;
