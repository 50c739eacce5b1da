//! The edges of the process: the clock, the HTTP endpoints, and the signals that stop it.

pub mod clock;
pub mod serve;
pub mod stop;
