//! What is left of GitHub's quota, and who waits for it until when.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::Head;
use super::quota::LONGEST;
use crate::process::clock::Clock;

/// How many requests of the hourly quota are left to others, unless the configuration says another
/// number.
pub const DEFAULT_FLOOR: i64 = 50;

/// The quota as the answers tell it, and the waits for it.
#[derive(Debug)]
pub struct Limits {
    floor: i64,
    /// What was left of each quota, at the last answer that said so.
    left: Mutex<HashMap<String, Left>>,
    /// The end of each wait that goes on.
    waits: watch::Sender<Vec<DateTime<Utc>>>,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    remaining: i64,
    reset: DateTime<Utc>,
}

impl Limits {
    pub(super) fn new(floor: i64) -> Self {
        Self { floor, left: Mutex::default(), waits: watch::Sender::default() }
    }

    /// Until when a wait for a limit goes on, as it changes: the latest of them.
    pub fn waits(&self) -> watch::Receiver<Vec<DateTime<Utc>>> {
        self.waits.subscribe()
    }

    /// Takes note of what an answer says of its quota.
    pub(super) fn note(&self, quota: &str, head: &Head) {
        if let (Some(remaining), Some(reset)) = (head.remaining, head.reset) {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            left.insert(quota.to_owned(), Left { remaining, reset });
        }
    }

    /// How long to leave the rest of the quota to others, if that is all there is.
    pub(super) fn hold(&self, quota: &str, now: DateTime<Utc>) -> Option<Duration> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).get(quota).copied();
        let left = left.filter(|left| left.remaining <= self.floor)?;
        // A reset that has passed: the quota is there again.
        let wait = (left.reset - now).to_std().ok().filter(|wait| !wait.is_zero())?;
        Some(wait.min(LONGEST))
    }

    /// Waits, and lets be seen until when.
    pub(super) async fn wait(&self, time: Duration, clock: &Clock) {
        let until = chrono::TimeDelta::from_std(time)
            .ok()
            .and_then(|time| clock.now().checked_add_signed(time))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.waits.send_modify(|waits| waits.push(until));
        // Also when the wait is cut off.
        let _shown = Shown { limits: self, until };
        clock.wait(time).await;
    }
}

/// A wait that is shown for as long as this lives.
struct Shown<'a> {
    limits: &'a Limits,
    until: DateTime<Utc>,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.limits.waits.send_modify(|waits| {
            if let Some(at) = waits.iter().position(|until| *until == self.until) {
                waits.swap_remove(at);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
    }

    #[test]
    fn the_last_fifty_of_the_quota_are_left_to_others_until_it_is_reset() {
        let limits = Limits::new(DEFAULT_FLOOR);
        assert_eq!(limits.hold("q", at(0)), None, "nothing is known, so nothing is held back");
        let rows = [(51, 100, None), (50, 100, Some(100)), (0, 100, Some(100)), (0, 0, None)];
        for (remaining, reset, seconds) in rows {
            let (remaining, reset) = (Some(remaining), Some(at(reset)));
            limits.note("q", &Head { remaining, reset, ..Head::default() });
            assert_eq!(limits.hold("q", at(0)), seconds.map(Duration::from_secs), "{remaining:?}");
        }
        let (remaining, reset) = (Some(0), DateTime::from_timestamp(95_617_584_000, 0));
        limits.note("far", &Head { remaining, reset, ..Head::default() });
        assert_eq!(limits.hold("far", at(0)), Some(LONGEST), "a reset that is not believed");
        limits.note("q", &Head::default());
        assert_eq!(
            limits.hold("q", at(-10)),
            Some(Duration::from_secs(10)),
            "an answer without a word"
        );
        assert_eq!(limits.hold("another", at(-10)), None, "each quota is one of its own");
    }

    #[tokio::test]
    async fn a_wait_is_seen_while_it_goes_on_and_not_after_it_was_cut_off() {
        let limits = Limits::new(0);
        let waits = limits.waits();
        {
            let clock = Clock::default();
            let mut wait = Box::pin(limits.wait(Duration::from_secs(3600), &clock));
            assert!(futures::poll!(&mut wait).is_pending());
            assert_eq!(waits.borrow().len(), 1);
        }
        assert!(waits.borrow().is_empty());
    }
}
