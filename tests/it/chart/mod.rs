//! The Helm chart: what it refuses, what it renders, and how a release lives.

mod accounts;
mod configuration;
mod forbidden;
mod form;
mod monitoring;
mod refuse;
mod release;
pub(crate) mod rights;
mod schedules;
mod sets;
pub(crate) mod tool;
mod verbs;
