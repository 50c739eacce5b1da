//! The lock, checked: every interleaving of a few processes that drive the production functions, with
//! all that can go wrong between them.
//!
//! The environment is the model's (compare-and-swap, transactions, what is on its way, faults, what
//! the judge is told); no decision of the protocol is made in it. A rule of the protocol that is
//! taken away ([`lock::Mutant`]) must break something, and the shortest way to that is kept in
//! `snapshots`.

mod coverage;
mod explore;
mod life;
mod lock;
mod queue;
