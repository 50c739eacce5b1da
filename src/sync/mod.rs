//! One run: reads repositories from GitHub and writes them into the store.
//!
//! # Guarantees
//!
//! - One repository's failure is that repository's: the others go on, and rows already committed
//!   stay.
//! - A cursor moves only after a complete pass, in the transaction of the pass's last rows.
//! - A page in hand while the next is being read is all that is held of a list, however long it is;
//!   of the issues themselves only the numbers.
//!
//! # Errors
//!
//! A run that ends with a [`Broken`] has no result: the lock or the store is gone, it was told to
//! stop, or GitHub refuses the token.

mod issues;
mod outcome;
mod rows;
mod rules;
mod run;
mod targets;
mod window;

pub use outcome::{Conclusion, conclude};
pub use rules::{Rules, RulesConfig};
pub use run::{Broken, Run, run};
pub use targets::{NotTracked, Tracked};
