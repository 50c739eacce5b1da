//! Whether the watches work, as their streams show it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::runtime::watcher::{self, Event};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::process::serve::Health;
use crate::store::chain;

/// A watch that fails is tried again within this, so one that is silent for so long works.
const QUIET: Duration = Duration::from_secs(75);

/// The watches of one process.
#[derive(Debug)]
pub(super) struct Watches {
    pub(super) requests: Watch,
    pub(super) lease: Watch,
    failed: Notify,
}

/// One watch. It tells when it fails, and when something changes, but not when it works again.
#[derive(Debug)]
pub(super) struct Watch {
    part: &'static str,
    resource: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listed: bool,
    failed: Option<Failed>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    at: Instant,
    forbidden: bool,
}

impl Watches {
    pub(super) fn new() -> Self {
        let watch = |part, resource| Watch { part, resource, state: Mutex::default() };
        Self {
            requests: watch("requests", "syncrequests.singletrack.dev"),
            lease: watch("lease watch", "leases.coordination.k8s.io"),
            failed: Notify::new(),
        }
    }

    /// The parts of the process' health that are kept here.
    pub(super) const PARTS: [&'static str; 2] = ["requests", "lease watch"];

    /// Takes note of what the stream of `watch` has shown.
    pub(super) fn heard<K>(
        &self,
        watch: &Watch,
        change: &Result<Event<K>, watcher::Error>,
        health: &Health,
    ) {
        match change {
            Ok(event) => {
                let mut state = watch.state();
                state.listed |= matches!(event, Event::InitDone);
                // The start of a listing is no sign yet.
                if !matches!(event, Event::Init) {
                    state.failed = None;
                }
                if state.listed && state.failed.is_none() {
                    health.well(watch.part);
                }
            }
            Err(error) => {
                let (at, forbidden) = (Instant::now(), is_forbidden(error));
                watch.state().failed = Some(Failed { at, forbidden });
                health.ail(watch.part, &trouble(watch.resource, error));
                self.failed.notify_one();
            }
        }
    }

    /// No right is missing: what was refused before goes on by itself.
    pub(super) fn are_allowed(&self, health: &Health) {
        for watch in [&self.requests, &self.lease] {
            let mut state = watch.state();
            let mended = |failed: Failed| failed.forbidden || failed.at.elapsed() > QUIET;
            if state.listed && state.failed.is_some_and(mended) {
                state.failed = None;
                health.well(watch.part);
            }
        }
    }

    pub(super) fn are_well(&self) -> bool {
        [&self.requests, &self.lease].iter().all(|watch| watch.state().failed.is_none())
    }

    /// Returns when a watch has failed.
    pub(super) async fn have_failed(&self) {
        self.failed.notified().await;
    }
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status))
    | WatchStartFailed(kube::Error::Api(status))
    | WatchFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    status.is_forbidden()
}

fn trouble(resource: &str, error: &watcher::Error) -> String {
    format!(
        "cannot watch {resource}: {}; it is tried again, the operator's service account needs get, \
         list and watch there",
        chain(error)
    )
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(code: u16) -> Result<Event<()>, watcher::Error> {
        let status = Status::failure("no", "Forbidden").with_code(code);
        Err(watcher::Error::WatchStartFailed(kube::Error::Api(status.boxed())))
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_was_refused_works_when_it_is_allowed_and_another_when_it_is_quiet() {
        let health = Health::starting(&["requests"]);
        let watches = Watches::new();
        let heard = |change| watches.heard(&watches.requests, &change, &health);
        watches.are_allowed(&health);
        assert_eq!(health.ailments(), "requests: not ready yet\n", "it has listed nothing");
        heard(Ok(Event::InitDone));
        assert_eq!(health.ailments(), "");

        heard(refused(403));
        assert!(health.ailments().contains("needs get, list and watch"));
        assert!(!watches.are_well());
        watches.are_allowed(&health);
        assert_eq!(health.ailments(), "");

        heard(refused(500));
        watches.are_allowed(&health);
        assert!(!health.ailments().is_empty(), "nobody knows yet");
        tokio::time::advance(QUIET * 2).await;
        watches.are_allowed(&health);
        assert_eq!(health.ailments(), "");

        heard(refused(500));
        heard(Ok(Event::Apply(())));
        assert_eq!(health.ailments(), "", "it has shown something");
    }
}
