//! One run: reads repositories from GitHub and writes them into the store.
//!
//! # Guarantees
//!
//! - One repository's failure is that repository's: the others go on, and rows already committed
//!   stay.
//! - A cursor moves only after a complete pass, in the transaction of the pass's last rows.
//! - A pass that was cut short goes on where it stopped, if that is not long ago. Later it begins
//!   anew, and does not take what the cut one has stored for all that there is.
//! - What a limit cuts off is said, by the list's horizon: since when it is complete.
//! - A run of a workflow is stored together with its jobs.
//! - An issue is removed only on proof, or when few enough have vanished to be believed. Workflows,
//!   releases and packages are marked as removed when they are not in a list that was read whole.
//! - A page in hand while the next is being read is all that is held of a list, however long it is;
//!   of the issues themselves only the numbers. With a page of runs, the jobs of its runs are held.
//!
//! # Errors
//!
//! A run that ends with a [`Broken`] has no result: the lock or the store is gone, it was told to
//! stop, or GitHub refuses the token.

mod automation;
mod discovery;
mod guard;
mod issues;
mod list;
mod outcome;
mod pass;
mod put;
mod reader;
mod repository;
mod rows;
mod rules;
mod run;
mod single;
mod subject;
mod targets;
mod window;
mod write_back;

pub use automation::ReadLimits;
pub use discovery::Discovery;
pub use outcome::{Conclusion, conclude};
pub use rules::{Rules, RulesConfig};
pub use run::{Achieved, Broken, Parts, Renamed, Run, run};
pub use targets::{NotTracked, Tracked, Wanted};
