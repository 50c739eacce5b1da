//! The clock.

#[path = "../../src/process/clock.rs"]
pub mod clock;
