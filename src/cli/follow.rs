//! Follows a request to its end: a bar on a terminal, a line for each change elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};

use super::manifest::RequestName;
use super::{Exit, Failure, print};
use crate::api::{SyncRequest, SyncRequestStatus};

/// The request of this name.
pub(super) async fn existing(
    requests: &Api<SyncRequest>,
    namespace: &str,
    name: &RequestName,
) -> Result<SyncRequest, Failure> {
    let request = requests.get_opt(name.as_str()).await;
    let request = request.map_err(|error| Failure::kube("the request cannot be read", &error))?;
    request.ok_or_else(|| {
        Failure::plain(format!(
            "there is no SyncRequest {namespace}/{name}: list them with: kubectl get syncrequests \
             -n {namespace}"
        ))
    })
}

/// Returns when the request has ended: the exit code of its end, or an error when it has not ended
/// after `limit`.
pub(super) async fn follow(
    requests: &Api<SyncRequest>,
    request: &SyncRequest,
    limit: Option<Duration>,
) -> Result<Exit, Failure> {
    let mut shown = Shown::new();
    let following = to_its_end(requests, request, &mut shown);
    let ended = match limit {
        None => following.await,
        Some(limit) => match tokio::time::timeout(limit, following).await {
            Ok(ended) => ended,
            Err(_) => {
                let name = request.name_any();
                let limit = humantime::format_duration(limit);
                Err(Failure::timed_out(format!(
                    "{name} has not ended within {limit}; it goes on: see how far it is with: \
                     singletrack wait {name}"
                )))
            }
        },
    };
    shown.done();
    ended
}

async fn to_its_end(
    requests: &Api<SyncRequest>,
    request: &SyncRequest,
    shown: &mut Shown,
) -> Result<Exit, Failure> {
    let name = request.name_any();
    let mut changes = watcher::watch_object(requests.clone(), &name).default_backoff().boxed();
    loop {
        let seen = match changes.try_next().await {
            Ok(Some(Some(seen))) if seen.uid() == request.uid() => seen,
            Ok(Some(_)) => {
                return Err(Failure::plain(format!(
                    "{name} was deleted before it ended; its run is in the history: singletrack \
                     query \"SELECT * FROM run_history\""
                )));
            }
            Ok(None) => {
                return Err(Failure::plain(format!(
                    "the watch has ended; try again: singletrack wait {name}"
                )));
            }
            Err(error) => {
                shown.trouble(&refused(error)?);
                continue;
            }
        };
        let status = seen.status.unwrap_or_default();
        shown.status(&status);
        if status.phase.is_terminal() {
            return Ok(Exit::from(status.phase));
        }
    }
}

/// What is wrong with the watch, which begins again by itself; an error where that is of no use.
fn refused(error: watcher::Error) -> Result<String, Failure> {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(cause) | WatchStartFailed(cause) | WatchFailed(cause) => match &cause {
            kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404) => {
                Err(Failure::kube("the request cannot be watched", &cause))
            }
            _ => Ok(crate::store::chain(&cause)),
        },
        other => Ok(crate::store::chain(&other)),
    }
}

/// What the user sees of it, on standard error.
struct Shown {
    bar: Option<ProgressBar>,
    before: String,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(style("{spinner} {msg}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, before: String::new() }
    }

    fn status(&mut self, status: &SyncRequestStatus) {
        let progress = status.progress.as_ref().filter(|_| !status.phase.is_terminal());
        let counted = progress.filter(|progress| progress.repositories_total > 0);
        if let (Some(bar), Some(progress)) = (&self.bar, counted) {
            let number = |number: i64| u64::try_from(number).unwrap_or(0);
            bar.set_style(style("{spinner} {wide_bar} {pos}/{len} {msg}"));
            bar.set_length(number(progress.repositories_total));
            bar.set_position(number(progress.repositories_done));
        }
        let counted = self.bar.is_some() && counted.is_some();
        self.line(line(status, !counted));
    }

    fn trouble(&mut self, why: &str) {
        self.line(format!("the cluster does not answer, asking again: {}", print::plain(why)));
    }

    fn line(&mut self, line: String) {
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None if line != self.before => {
                print::note(&line);
                self.before = line;
            }
            None => {}
        }
    }

    /// Leaves the last line where it is.
    fn done(self) {
        if let Some(bar) = self.bar {
            bar.set_style(style("{msg}"));
            bar.abandon();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Phase, progress unless it is shown otherwise, and message.
fn line(status: &SyncRequestStatus, with_progress: bool) -> String {
    let progress = status.progress.as_ref().filter(|_| !status.phase.is_terminal());
    let progress = progress.filter(|progress| with_progress && !progress.summary.is_empty());
    let progress = progress.map(|progress| format!(" {}", progress.summary)).unwrap_or_default();
    let message = print::plain(status.message.as_deref().unwrap_or_default());
    let colon = if message.is_empty() { "" } else { ": " };
    format!("{}{progress}{colon}{message}", status.phase.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Phase, Progress};

    #[test]
    fn a_line_has_what_there_is() {
        let progress = Progress { summary: "1/3".into(), ..Progress::default() };
        let mut status = SyncRequestStatus { progress: Some(progress), ..Default::default() };
        assert_eq!(line(&status, true), "Pending 1/3");
        status.phase = Phase::Running;
        status.message = Some("since\nnoon".into());
        assert_eq!(line(&status, true), "Running 1/3: since noon");
        assert_eq!(line(&status, false), "Running: since noon");
        status.phase = Phase::Succeeded;
        assert_eq!(line(&status, true), "Succeeded: since noon");
    }
}
