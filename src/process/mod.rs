//! The edges of the process: the clock, the HTTP endpoints, its place in the pod,
//! and the signals that stop it.

pub mod alone;
pub mod clock;
pub mod serve;
pub mod stop;
