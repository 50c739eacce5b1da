//! How long to wait before asking again. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Head;

/// The longest single wait. GitHub's windows are an hour; a header that says more is not believed.
pub(super) const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// How long a limit makes us wait: what the answer says, else a minute and growing.
///
/// `nth` counts the limits in a row that said nothing, from 0. `now` is only used when the answer
/// has no date of its own.
#[must_use]
pub fn limit_wait(head: &Head, nth: u32, now: DateTime<Utc>) -> Duration {
    let from_reset = || {
        let reset = head.reset.filter(|_| head.remaining == Some(0))?;
        let left = reset - head.date.unwrap_or(now);
        // A reset that has passed already: the quota is there again, or about to be.
        Some(left.to_std().unwrap_or_default().max(Duration::from_secs(1)))
    };
    let unsaid = || Duration::from_secs(60).saturating_mul(1 << nth.min(6));
    head.retry_after
        .map(|wait| wait.max(Duration::from_secs(1)))
        .or_else(from_reset)
        .unwrap_or_else(unsaid)
        .min(LONGEST)
}

/// How many times a server that is ill is asked, and how long the pause before each further try is.
#[must_use]
pub fn retry_wait() -> backon::ExponentialBuilder {
    backon::ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(30))
        .with_max_times(5)
        .with_jitter()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600, 0).unwrap()
    }

    #[track_caller]
    fn check(head: Head, nth: u32, seconds: u64) {
        assert_eq!(limit_wait(&head, nth, now()), Duration::from_secs(seconds));
    }

    fn reset_in(seconds: i64) -> Head {
        let reset = Some(now() + chrono::TimeDelta::seconds(seconds));
        Head { remaining: Some(0), reset, date: Some(now()), ..Head::default() }
    }

    #[test]
    fn what_the_answer_says_counts_first() {
        let retry_after = Some(Duration::from_secs(7));
        check(Head { retry_after, ..reset_in(100) }, 0, 7);
        check(Head { retry_after: Some(Duration::ZERO), ..Head::default() }, 0, 1);
        check(reset_in(100), 3, 100);
        check(Head { date: None, ..reset_in(100) }, 0, 100);
    }

    #[test]
    fn a_reset_in_the_past_is_a_second_and_one_too_far_is_not_believed() {
        check(reset_in(-50), 0, 1);
        check(reset_in(86_400 * 365), 0, 7200);
        check(Head { reset: Some(now()), remaining: Some(5), ..Head::default() }, 0, 60);
    }

    #[test]
    fn a_limit_that_says_nothing_is_a_minute_and_growing() {
        for (nth, seconds) in [(0, 60), (1, 120), (2, 240), (6, 3840), (60, 3840)] {
            check(Head::default(), nth, seconds);
        }
    }

    #[test]
    fn a_server_that_is_ill_is_asked_five_times_more_and_soon_first() {
        use backon::BackoffBuilder;
        let pauses: Vec<Duration> = retry_wait().build().collect();
        assert_eq!(pauses.len(), 5);
        let (soon, later) = (Duration::from_millis(500), Duration::from_secs(2));
        assert!(pauses[0] >= soon && pauses[0] < later, "{pauses:?}");
        assert!(pauses[4] > pauses[0], "{pauses:?}");
    }

    proptest! {
        #[test]
        fn a_wait_ends_and_one_that_says_nothing_never_shrinks(
            retry_after in prop::option::of(any::<u64>()),
            remaining in prop::option::of(-1..2_i64),
            reset in prop::option::of(any::<i64>()),
            date in prop::option::of(any::<i32>()),
            nth: u32,
        ) {
            let head = Head {
                retry_after: retry_after.map(Duration::from_secs),
                remaining,
                reset: reset.and_then(|at| DateTime::from_timestamp(at >> 20, 0)),
                date: date.and_then(|at| DateTime::from_timestamp(at.into(), 0)),
                ..Head::default()
            };
            let wait = limit_wait(&head, nth, now());
            prop_assert!((Duration::from_secs(1)..=LONGEST).contains(&wait), "{:?}", wait);
            prop_assert!(limit_wait(&head, nth.saturating_add(1), now()) >= wait);
        }
    }
}
