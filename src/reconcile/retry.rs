//! When a request is tried again. Pure but for the jitter.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, TimeDelta, Utc};

/// The longest pause between two attempts, as a Job has it.
const LONGEST: Duration = Duration::from_secs(6 * 60);

/// How many attempts a request has, and the pause before the second one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts {
    /// How many have started, the one that has just ended included.
    pub(super) used: i64,
    /// `spec.backoffLimit`: how many may follow the first.
    pub(super) limit: i32,
    pub(super) pause: Duration,
}

impl Attempts {
    /// When the next attempt may start; `None` when there is none left. The pause doubles each
    /// time, and is longer by chance, so that replicas and requests do not move in step.
    pub(super) fn next_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.used > i64::from(self.limit) {
            return None;
        }
        let before = usize::try_from(self.used.max(1) - 1).unwrap_or(0);
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(self.pause)
            .with_factor(2.0)
            .with_max_delay(LONGEST)
            .with_max_times(before + 1)
            .with_jitter()
            .build();
        let pause = pauses.nth(before).unwrap_or(LONGEST);
        let pause = TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX);
        now.checked_add_signed(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_and_there_are_as_many_attempts_as_the_limit_says() {
        let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        let pause = |used, limit| {
            let attempts = Attempts { used, limit, pause: Duration::from_secs(10) };
            attempts.next_at(now).map(|at| (at - now).num_milliseconds())
        };
        // The jitter adds at most what the first pause is.
        for (used, least) in [(1, 10_000), (2, 20_000), (3, 40_000), (6, 320_000), (9, 360_000)] {
            let pause = pause(used, 10).unwrap();
            assert!((least..=2 * least).contains(&pause), "{used}: {pause}");
        }
        assert!(pause(2, 2).is_some());
        assert_eq!(pause(3, 2), None);
        assert_eq!(pause(1, 0), None);
    }
}
