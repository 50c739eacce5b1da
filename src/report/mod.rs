//! What happens, told to the outside: Events, counters and log lines from one table.
//!
//! An Event is best effort and never an error. One that finds no API server is published when there is
//! one again; it is lost when the process ends before.

mod log;
mod metrics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use log::{LogFormat, start};
pub use metrics::Metrics;

use crate::api::{ApiUse, Phase, Reason, RunType, cut};
use crate::lease::RunNumber;
use crate::store::RunState;

/// How long one call may take to publish an Event.
const PUBLISH_WITHIN: Duration = Duration::from_secs(5);
/// The first pause before it is tried again; each one after it is twice as long, up to the last.
const PUBLISH_AGAIN: Duration = Duration::from_secs(1);
const PUBLISH_AT_LEAST: Duration = Duration::from_secs(60);
/// How many Events wait at most; those that come then are lost.
const WAITING: usize = 256;

/// Something that others want to know.
#[derive(Debug)]
pub enum Happening<'a> {
    /// A request has changed its phase.
    Phase { phase: Phase, reason: Reason, message: &'a str },
    /// The Lease was granted and the run is the active one.
    Granted { number: RunNumber, taken_over: Option<&'static str>, interrupted: &'a [RunNumber] },
    /// A holder of the Lease was replaced for a run that could not be activated.
    ReplacedInVain { number: RunNumber, why: &'static str },
    /// A write of an older run was refused, or its Lease is lost.
    Superseded { number: RunNumber },
    /// A repository has another name than when it was last read.
    Renamed { from: &'a str, to: &'a str },
    /// Somebody has freed the Lease by hand.
    Unlocked { holder: &'a str },
    /// Somebody has said that nothing may start.
    Paused,
    /// Somebody has said that runs may start again.
    Resumed,
}

/// The reasons of Events beside those of a change of phase, which are the reasons of the status.
pub const EVENTS: [(&str, &str); 6] = [
    ("TakenOver", "a holder of the lock was replaced; the note says why, and which run it had"),
    ("Superseded", "a run has lost the lock; what it wrote late was refused"),
    ("Renamed", "a repository has another name; its rows and cursors stay"),
    ("Unlocked", "somebody has freed the lock by hand"),
    ("Paused", "somebody has paused the operator: nothing starts"),
    ("Resumed", "runs start again"),
];

/// What a happening means to the outside.
#[derive(Debug, PartialEq, Eq)]
pub struct Announcement {
    pub reason: &'static str,
    pub note: String,
    pub warning: bool,
}

impl Announcement {
    /// Says what `happening` means, or `None` if it is of no interest.
    #[must_use]
    pub fn of(happening: &Happening<'_>) -> Option<Self> {
        let (reason, note, warning) = match happening {
            Happening::Phase { phase, reason, message } => {
                let warning = matches!(phase, Phase::Failed | Phase::PartiallySucceeded)
                    || reason.is_trouble();
                (reason.as_str(), format!("{}: {message}", phase.as_str()), warning)
            }
            Happening::Granted { taken_over: None, .. } => return None,
            Happening::Granted { number, taken_over: Some(why), interrupted } => {
                let interrupted: Vec<_> = interrupted.iter().map(ToString::to_string).collect();
                let closed = match interrupted.is_empty() {
                    true => "it had no unfinished run".to_owned(),
                    false => format!("interrupted: run {}", interrupted.join(", ")),
                };
                ("TakenOver", format!("run {number} has replaced a holder ({why}); {closed}"), true)
            }
            Happening::ReplacedInVain { number, why } => {
                let note = format!(
                    "run {number} has replaced a holder ({why}) and could not begin; the next run \
                     closes what was left behind"
                );
                ("TakenOver", note, true)
            }
            Happening::Superseded { number } => {
                let note = format!("run {number} has lost the lock; its late writes were refused");
                ("Superseded", note, true)
            }
            Happening::Renamed { from, to } => {
                ("Renamed", format!("{from} is {to} now; its rows and cursors stay"), false)
            }
            Happening::Unlocked { holder } => {
                ("Unlocked", format!("the lock that {holder} held was freed by hand"), true)
            }
            Happening::Paused => {
                ("Paused", "nothing starts until it is resumed; what runs goes on".into(), false)
            }
            Happening::Resumed => ("Resumed", "runs start again".into(), false),
        };
        Some(Self { reason, note, warning })
    }
}

/// Tells what happens, in one voice.
#[derive(Clone)]
pub struct Report {
    client: Client,
    reporter: Reporter,
    /// It counts what is told again; its Event keeps the first note.
    recorder: Recorder,
    metrics: Metrics,
    /// Whether it was told that Events are refused. Once is enough.
    refused: Arc<AtomicBool>,
    /// The places of the Events that wait for the API server.
    waiting: Arc<Semaphore>,
    closing: CancellationToken,
}

impl Report {
    /// `instance` is the pod or host that speaks.
    pub fn new(client: Client, instance: &str, metrics: Metrics) -> Self {
        let reporter =
            Reporter { controller: "singletrack".into(), instance: Some(instance.to_owned()) };
        Self {
            recorder: Recorder::new(client.clone(), reporter.clone()),
            client,
            reporter,
            metrics,
            refused: Arc::default(),
            waiting: Arc::new(Semaphore::new(WAITING)),
            closing: CancellationToken::new(),
        }
    }

    /// Says what has happened to the request.
    pub async fn tell(&self, request: &ObjectReference, happening: &Happening<'_>) {
        self.metrics.count(happening);
        let Some(said) = Announcement::of(happening) else { return };
        let name = request.name.as_deref().unwrap_or_default();
        let namespace = request.namespace.as_deref().unwrap_or_default();
        tracing::info!(
            request.namespace = namespace,
            request.name = name,
            reason = said.reason,
            "{}",
            said.note
        );
        // One that names a run is an Event of its own, so that each note can be read.
        let recorder = match happening {
            Happening::Granted { .. }
            | Happening::ReplacedInVain { .. }
            | Happening::Superseded { .. } => {
                Recorder::new(self.client.clone(), self.reporter.clone())
            }
            _ => self.recorder.clone(),
        };
        // The API server refuses a longer note.
        let note = cut(&said.note).to_owned();
        let event = Event {
            type_: if said.warning { EventType::Warning } else { EventType::Normal },
            reason: said.reason.to_owned(),
            note: Some(note),
            action: "Sync".to_owned(),
            secondary: None,
        };
        if !self.publish(&recorder, &event, request).await {
            self.publish_later(recorder, event, request.clone());
        }
    }

    /// Publishes it once. False if it is worth another try.
    async fn publish(&self, recorder: &Recorder, event: &Event, about: &ObjectReference) -> bool {
        match timeout(PUBLISH_WITHIN, recorder.publish(event, about)).await {
            Ok(Ok(())) => true,
            Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
                if !self.refused.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error = status.message,
                        "no Event was written; give the service account create and patch on \
                         events.events.k8s.io"
                    );
                }
                true
            }
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the event was not published");
                // What the API server does not take now, it will not take later.
                matches!(error.downcast_ref(), Some(kube::Error::Api(it)) if it.code < 500 && it.code != 429)
            }
            Err(_) => {
                tracing::debug!("the event was not published in time");
                false
            }
        }
    }

    /// Publishes it when the API server can be reached again, while the process lives.
    fn publish_later(&self, recorder: Recorder, event: Event, about: ObjectReference) {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            tracing::debug!(reason = event.reason, "too many Events wait; this one is lost");
            return;
        };
        let report = self.clone();
        tokio::spawn(async move {
            let mut pause = PUBLISH_AGAIN;
            loop {
                let closing = timeout(pause, report.closing.cancelled()).await.is_ok();
                pause = (pause * 2).min(PUBLISH_AT_LEAST);
                if report.publish(&recorder, &event, &about).await || closing {
                    break;
                }
            }
            drop(place);
        });
    }

    /// Tries once more to publish what waits for the API server. For the end of the process.
    pub async fn close(&self) {
        self.closing.cancel();
        let all = u32::try_from(WAITING).unwrap_or(u32::MAX);
        if timeout(PUBLISH_WITHIN, self.waiting.acquire_many(all)).await.is_err() {
            tracing::debug!("some Events are lost with the process");
        }
    }

    /// How many requests wait, and whether one runs.
    pub fn queue(&self, waiting: usize, running: bool) {
        self.metrics.queue(waiting, running);
    }

    /// What a run has asked of GitHub.
    pub fn asked(&self, usage: &ApiUse) {
        self.metrics.asked(usage);
    }

    /// How a run stands in the history.
    pub fn ended(&self, state: RunState) {
        self.metrics.ended(state);
    }

    /// A run of this type has copied all that it should, and ended then.
    pub fn succeeded(&self, run_type: RunType, at: DateTime<Utc>) {
        self.metrics.succeeded(run_type, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_takeover_and_a_refused_write_are_warnings_and_a_plain_grant_is_no_news() {
        let granted = |taken_over| Happening::Granted {
            number: RunNumber(7),
            taken_over,
            interrupted: &[RunNumber(6)],
        };
        assert_eq!(Announcement::of(&granted(None)), None);
        let said = Announcement::of(&granted(Some("Silent"))).unwrap();
        assert_eq!((said.reason, said.warning), ("TakenOver", true));
        assert!(said.note.contains("interrupted: run 6"), "{}", said.note);
        let in_vain = Happening::ReplacedInVain { number: RunNumber(7), why: "Silent" };
        let said = Announcement::of(&in_vain).unwrap();
        assert_eq!((said.reason, said.warning), ("TakenOver", true));
        let lost = Announcement::of(&Happening::Superseded { number: RunNumber(6) }).unwrap();
        assert!(lost.warning);
    }

    #[test]
    fn every_event_of_its_own_is_listed() {
        let number = RunNumber(1);
        let all = [
            Happening::Granted { number, taken_over: Some("Silent"), interrupted: &[] },
            Happening::Superseded { number },
            Happening::Renamed { from: "a/b", to: "a/c" },
            Happening::Unlocked { holder: "h" },
            Happening::Paused,
            Happening::Resumed,
        ];
        let told = all.map(|happening| Announcement::of(&happening).unwrap().reason);
        assert_eq!(told, EVENTS.map(|(reason, _)| reason));
    }

    #[test]
    fn a_phase_is_told_with_its_reason() {
        let phase = |phase, reason| Happening::Phase { phase, reason, message: "m" };
        let said = Announcement::of(&phase(Phase::Running, Reason::Started)).unwrap();
        assert_eq!((said.reason, said.note.as_str()), ("Started", "Running: m"));
        assert!(!said.warning);
        assert!(Announcement::of(&phase(Phase::Failed, Reason::Unauthorized)).unwrap().warning);
    }
}
