//! What somebody may try, who can create requests, answer in GitHub's name, or write to the database.
//! SECURITY.md names the test of each threat; some are elsewhere.

mod addresses;
mod audit;
mod database;
mod lease;
mod names;
mod pod;
mod reach;
mod supply;
mod tenants;
mod threats;
mod volume;
