//! What only PostgreSQL has: several operators at once, and the ways in.

mod commands;
mod connect;
mod fence;
mod lost;
mod rows;

pub(crate) use fence::{begun, waiting};
