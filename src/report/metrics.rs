//! Counters and gauges, for `/metrics`. Labels come from closed sets.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Happening;
use crate::api::{ApiUse, Phase, RunType};
use crate::lease::TakenOver;
use crate::store::RunState;

type Labels = [(&'static str, &'static str); 1];

/// The metrics of one process. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    changes: Family<Labels, Counter>,
    takeovers: Family<Labels, Counter>,
    superseded: Counter,
    runs: Family<Labels, Counter>,
    ready: Gauge,
    waiting: Gauge,
    running: Gauge,
    last_success: Family<Labels, Gauge>,
    asked: Family<Labels, Counter>,
    waited: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("singletrack");
        let metrics = Self {
            registry: Arc::default(),
            changes: Family::default(),
            takeovers: Family::default(),
            superseded: Counter::default(),
            runs: Family::default(),
            ready: Gauge::default(),
            waiting: Gauge::default(),
            running: Gauge::default(),
            last_success: Family::default(),
            asked: Family::default(),
            waited: Counter::default(),
        };
        let changes = metrics.changes.clone();
        registry.register("request_phases", "Changes of phase, by the new phase", changes);
        let takeovers = metrics.takeovers.clone();
        registry.register("takeovers", "Holders that were replaced, by reason", takeovers);
        let superseded = metrics.superseded.clone();
        registry.register("superseded_runs", "Runs that have lost the lock", superseded);
        registry.register("runs", "Runs that have ended, by state", metrics.runs.clone());
        registry.register("ready", "Whether the process is ready: 1 or 0", metrics.ready.clone());
        registry.register("waiting_requests", "Requests in the queue", metrics.waiting.clone());
        registry.register("running_requests", "Requests that run", metrics.running.clone());
        let last_success = metrics.last_success.clone();
        let help = "When a run has last succeeded, by type; 0: not in this process";
        registry.register_with_unit("last_success_timestamp", help, Unit::Seconds, last_success);
        let asked = metrics.asked.clone();
        registry.register("github_requests", "Requests to GitHub, by what came of them", asked);
        let waited = metrics.waited.clone();
        let help = "Time spent waiting for GitHub's limits";
        registry.register_with_unit("github_limit_wait", help, Unit::Seconds, waited);
        let metrics = Self { registry: Arc::new(registry), ..metrics };
        metrics.begin_at_zero();
        metrics
    }
}

impl Metrics {
    /// Lets every counter be there from the start: Prometheus does not see the step from nothing to
    /// one.
    fn begin_at_zero(&self) {
        for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Pending) {
            drop(self.changes.get_or_create(&[("phase", phase.as_str())]));
        }
        for why in TakenOver::ALL {
            drop(self.takeovers.get_or_create(&[("reason", why.as_str())]));
        }
        for state in RunState::ALL.into_iter().filter(|state| *state != RunState::Running) {
            drop(self.runs.get_or_create(&[("state", state.as_str())]));
        }
        for run_type in RunType::ALL {
            drop(self.last_success.get_or_create(&[("type", run_type.as_str())]));
        }
        self.asked(&ApiUse::default());
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }

    pub(super) fn count(&self, happening: &Happening<'_>) {
        match happening {
            Happening::Phase { phase, .. } => {
                self.changes.get_or_create(&[("phase", phase.as_str())]).inc();
            }
            Happening::Granted { taken_over: Some(why), .. }
            | Happening::ReplacedInVain { why, .. } => {
                self.takeovers.get_or_create(&[("reason", *why)]).inc();
            }
            Happening::Granted { taken_over: None, .. }
            | Happening::Renamed { .. }
            | Happening::Unlocked { .. }
            | Happening::Paused
            | Happening::Resumed => {}
            Happening::Superseded { .. } => {
                self.superseded.inc();
            }
        }
    }

    /// Whether the process is ready, as `/readyz` tells it.
    pub fn ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    pub(super) fn queue(&self, waiting: usize, running: bool) {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.running.set(i64::from(running));
    }

    pub(super) fn asked(&self, usage: &ApiUse) {
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        let add = |kind, count: i64| {
            self.asked.get_or_create(&[("outcome", kind)]).inc_by(number(count));
        };
        add("not_modified", usage.not_modified);
        add("retried", usage.retried);
        add("answered", usage.requests - usage.not_modified - usage.retried);
        self.waited.inc_by(number(usage.waited_seconds));
    }

    pub(super) fn ended(&self, state: RunState) {
        self.runs.get_or_create(&[("state", state.as_str())]).inc();
    }

    pub(super) fn succeeded(&self, run_type: RunType, at: DateTime<Utc>) {
        self.last_success.get_or_create(&[("type", run_type.as_str())]).set(at.timestamp());
    }
}
