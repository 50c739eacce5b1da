//! The pure files of the operator and the checker of histories, without what surrounds them: the same
//! files, with their own tests, built in seconds. What they need of impure ones stands in for it here.

#![allow(dead_code, unused_imports, unreachable_pub)]

// The checker names the operator by its crate.
extern crate self as singletrack;

#[path = "../../src/api/mod.rs"]
pub mod api;
mod github;
mod history;
mod lease;
mod process;
mod reconcile;
mod store;
mod sync;
