//! What only PostgreSQL has: several operators at once, and the ways in.

mod connect;
mod fence;
