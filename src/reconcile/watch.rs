//! Watches over a run that goes on: whether it makes progress, and whether its time is up.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Stop;
use super::execution::Execution;
use super::observe::time_left;
use crate::api::Progress;
use crate::github::Source;

/// How long a run that was told to stop may take for it: a transaction has 30 seconds.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Tells the run to stop when its deadline has passed or it makes no progress. Returns when it
/// should have stopped long ago.
pub(super) async fn watch_over(
    execution: &Execution,
    source: &Source,
    progress: watch::Receiver<Progress>,
) {
    let why = tokio::select! {
        () = stalled(execution, source, progress) => Some(Stop::Stalled),
        () = deadline(execution) => Some(Stop::Deadline),
        () = execution.live.stop.cancelled() => None,
        () = execution.tenure.lost().cancelled() => None,
    };
    if let Some(why) = why {
        execution.live.stop(why);
    }
    sleep(STOPS_WITHIN).await;
}

async fn deadline(execution: &Execution) {
    match time_left(&execution.request, &execution.ctx) {
        Some(left) => sleep(left).await,
        None => std::future::pending().await,
    }
}

/// Returns when for the stall time nothing has come from GitHub and nothing was stored. A wait for a
/// limit with a known end is no stall.
async fn stalled(execution: &Execution, source: &Source, mut progress: watch::Receiver<Progress>) {
    let patience = execution.ctx.settings.stall_after;
    let waits = source.limits().waits();
    let (mut heard, mut moved_at) = (source.heard(), Instant::now());
    loop {
        let look_at = Instant::now() + patience / 8;
        tokio::select! {
            Ok(()) = progress.changed() => moved_at = Instant::now(),
            () = sleep_until(look_at) => {}
        }
        let now = execution.ctx.clock.now();
        let waiting = waits.borrow().iter().any(|until| *until > now);
        if source.heard() != heard || waiting {
            (heard, moved_at) = (source.heard(), Instant::now());
        }
        if moved_at.elapsed() >= patience {
            return;
        }
    }
}
