//! The integration tests: one binary, one control plane, one namespace a test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../examples/github/stand_in/mod.rs"]
mod stand_in;
mod support;

mod admission;
mod api_server;
mod asking;
mod auth;
mod automation;
mod automation_limits;
mod both_stores;
mod cases;
mod chaos;
mod chaos_automation;
mod chart;
mod coalesce;
mod commands;
mod crds;
mod doctor;
mod e2e;
mod failing;
mod hints;
mod history;
mod hostile;
mod issues;
mod killed;
mod labels;
mod life;
mod lock;
mod misuse;
mod mutate;
mod namespaces;
mod network;
mod outdated;
mod plans;
mod postgres;
mod readme;
mod recordings;
mod referee;
mod referee_automation;
mod referee_automation_sync;
mod replicas;
mod repositories;
mod requests;
mod schema;
mod secrets;
mod security;
mod store_contract;
mod store_lost;
mod storm;
mod switch;
mod sync;
mod terminal;
mod tidy;
mod values;
