//! Whether the watches work, as their streams show it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, Event};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::places::{Places, in_words};
use crate::process::serve::Health;
use crate::store::chain;

/// A watch that fails is tried again within this, with its pause and the time that a server may take
/// to refuse it, so one that is silent for so long works.
const QUIET: Duration = Duration::from_secs(75);

/// A watch that is cut off twice within this does not work; once is what connections are like.
const AT_ONCE: Duration = Duration::from_secs(10);

/// The longest pause before a watch that has failed is tried again: as long as it lasts, nobody is heard.
/// A process has few watches, so the API server bears it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The pauses between the tries of a watch that fails: those of Kubernetes' own clients, but none
/// longer than [`LONGEST_PAUSE`], where theirs go up to a minute.
#[derive(Default)]
pub(super) struct Pauses(DefaultBackoff);

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(LONGEST_PAUSE))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// The watches of one process: that of the Lease, and those of the requests, one a place.
#[derive(Debug)]
pub(super) struct Watches {
    lease: Watch,
    requests: Vec<Watch>,
    failed: Notify,
}

/// One watch. It tells when it fails, and when something changes, but not when it works again.
#[derive(Debug)]
pub(super) struct Watch {
    part: &'static str,
    resource: &'static str,
    place: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listed: bool,
    /// When it was last cut off after it had begun.
    cut: Option<Instant>,
    failed: Option<Failed>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    at: Instant,
    forbidden: bool,
}

impl Watches {
    pub(super) fn of(own: &str, places: &Places) -> Self {
        let watch =
            |part, resource, place| Watch { part, resource, place, state: Mutex::default() };
        let requests = |place| watch("requests", "syncrequests.singletrack.dev", place);
        Self {
            lease: watch("lease watch", "leases.coordination.k8s.io", Some(own.to_owned())),
            requests: places.each().into_iter().map(requests).collect(),
            failed: Notify::new(),
        }
    }

    pub(super) fn of_lease(&self) -> &Watch {
        &self.lease
    }

    /// That of the place with this number.
    pub(super) fn of_requests(&self, number: usize) -> &Watch {
        &self.requests[number]
    }

    fn all(&self) -> impl Iterator<Item = &Watch> {
        self.requests.iter().chain([&self.lease])
    }

    /// A part of the health is well when all its watches are.
    fn tell(&self, part: &'static str, health: &Health) {
        if self.all().filter(|watch| watch.part == part).all(Watch::is_well) {
            health.well(part);
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
                drop(state);
                self.tell(watch.part, health);
            }
            Err(error) => {
                let (at, forbidden) = (Instant::now(), is_forbidden(error));
                let mut state = watch.state();
                if matches!(error, watcher::Error::WatchFailed(_)) {
                    let before = state.cut.replace(at);
                    let again = before.is_some_and(|before| at - before < AT_ONCE);
                    if state.failed.is_none() && !again {
                        return;
                    }
                }
                state.failed = Some(Failed { at, forbidden });
                drop(state);
                health.ail(watch.part, &watch.trouble(error));
                self.failed.notify_one();
            }
        }
    }

    /// No right is missing: what was refused before goes on by itself.
    pub(super) fn are_allowed(&self, health: &Health, now: Instant) {
        for watch in self.all() {
            let mut state = watch.state();
            let mended = |failed: Failed| failed.forbidden || now - failed.at > QUIET;
            if state.listed && state.failed.is_some_and(mended) {
                state.failed = None;
                drop(state);
                self.tell(watch.part, health);
            }
        }
    }

    pub(super) fn are_well(&self) -> bool {
        self.all().all(|watch| watch.state().failed.is_none())
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

    fn is_well(&self) -> bool {
        let state = self.state();
        state.listed && state.failed.is_none()
    }

    fn trouble(&self, error: &watcher::Error) -> String {
        format!(
            "cannot watch {} in {}: {}; it is tried again, the operator's service account needs \
             get, list and watch there",
            self.resource,
            in_words(self.place.as_deref()),
            chain(error)
        )
    }
}

/// Whether the API server says that we may not.
pub(super) fn is_forbidden(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    let (InitialListFailed(kube::Error::Api(status))
    | WatchStartFailed(kube::Error::Api(status))
    | WatchFailed(kube::Error::Api(status))) = error
    else {
        return false;
    };
    status.is_forbidden()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(code: u16) -> Result<Event<()>, watcher::Error> {
        let reason = if code == 403 { "Forbidden" } else { "InternalError" };
        let status = Status::failure("no", reason).with_code(code);
        Err(watcher::Error::WatchStartFailed(kube::Error::Api(status.boxed())))
    }

    #[test]
    fn a_watch_that_fails_is_tried_again_soon_however_often_it_has_failed() {
        let pauses: Vec<_> = Pauses::default().take(50).collect();
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE), "{pauses:?}");
        assert!(pauses[0] < pauses[1], "the first ones grow: {pauses:?}");
        assert_eq!(pauses[49], LONGEST_PAUSE);
    }

    #[test]
    fn a_watch_that_was_refused_works_when_it_is_allowed_and_another_when_it_is_quiet() {
        let health = Health::starting(&["requests"]);
        let watches = Watches::of("own", &Places::All);
        let heard = |change| watches.heard(watches.of_requests(0), &change, &health);
        watches.are_allowed(&health, Instant::now());
        assert_eq!(health.ailments(), "requests: not ready yet\n", "it has listed nothing");
        heard(Ok(Event::InitDone));
        assert_eq!(health.ailments(), "");

        heard(refused(403));
        assert!(health.ailments().contains("needs get, list and watch"));
        assert!(!watches.are_well());
        watches.are_allowed(&health, Instant::now());
        assert_eq!(health.ailments(), "");

        heard(refused(500));
        watches.are_allowed(&health, Instant::now());
        assert!(!health.ailments().is_empty(), "nobody knows yet");
        watches.are_allowed(&health, Instant::now() + QUIET * 2);
        assert_eq!(health.ailments(), "");

        heard(refused(500));
        heard(Ok(Event::Apply(())));
        assert_eq!(health.ailments(), "", "it has shown something");
    }

    #[test]
    fn a_watch_that_is_cut_off_once_is_none_that_fails() {
        let health = Health::starting(&["requests"]);
        let watches = Watches::of("own", &Places::All);
        let heard = |change| watches.heard(watches.of_requests(0), &change, &health);
        let cut = || -> Result<Event<()>, _> {
            Err(watcher::Error::WatchFailed(kube::Error::LinesCodecMaxLineLengthExceeded))
        };
        heard(Ok(Event::InitDone));
        heard(cut());
        assert_eq!(health.ailments(), "");
        heard(cut());
        assert!(!health.ailments().is_empty(), "at once again");
    }

    #[test]
    fn one_watch_of_several_that_fails_is_told_until_it_works() {
        let health = Health::starting(&["requests"]);
        let places = Places::of(false, "own", vec!["other".into()]);
        let watches = Watches::of("own", &places);
        let heard = |number, change| watches.heard(watches.of_requests(number), &change, &health);
        heard(0, Ok(Event::InitDone));
        assert!(!health.ailments().is_empty(), "the other one has listed nothing");
        heard(1, Ok(Event::InitDone));
        assert_eq!(health.ailments(), "");
        heard(1, refused(403));
        heard(0, Ok(Event::Apply(())));
        assert!(health.ailments().contains("in namespace other"), "{}", health.ailments());
        watches.are_allowed(&health, Instant::now());
        assert_eq!(health.ailments(), "");
    }
}
