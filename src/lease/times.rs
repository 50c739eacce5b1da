//! The times of the lock, which fit together. Pure.

use std::time::Duration;

/// After how long a silent holder is stale, how often a holder renews, and what follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    stale_after: Duration,
    renew_every: Duration,
}

/// Times that leave no room for several renewals before the holder counts as silent.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[error(
    "a heartbeat every {renew_every:?} does not fit three times into {stale_after:?}: \
     make lease.staleAfter longer or lease.heartbeat shorter"
)]
pub struct TimesDoNotFit {
    renew_every: Duration,
    stale_after: Duration,
}

impl Times {
    /// Three renewals must fit into one staleness, which is at least a second.
    pub fn new(stale_after: Duration, renew_every: Duration) -> Result<Self, TimesDoNotFit> {
        let fits = renew_every
            .checked_mul(3)
            .is_some_and(|three| !renew_every.is_zero() && three <= stale_after);
        if fits && stale_after >= Duration::from_secs(1) {
            Ok(Self { stale_after, renew_every })
        } else {
            Err(TimesDoNotFit { renew_every, stale_after })
        }
    }

    pub fn stale_after(&self) -> Duration {
        self.stale_after
    }

    pub fn renew_every(&self) -> Duration {
        self.renew_every
    }

    /// Silence after which a holder is worth a look at its pod.
    pub fn doubt_after(&self) -> Duration {
        self.renew_every * 3
    }

    /// Without a successful request for so long, a holder gives up: before others may take over.
    pub fn give_up_after(&self) -> Duration {
        self.stale_after / 6 * 5
    }

    /// The longest that one call may take, so that giving up comes in time.
    pub fn call_timeout(&self) -> Duration {
        (self.stale_after / 6).min(Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_heartbeats_fit_into_one_staleness() {
        let secs = Duration::from_secs;
        assert!(Times::new(secs(1800), secs(10)).is_ok());
        assert!(Times::new(secs(30), secs(10)).is_ok());
        assert!(Times::new(secs(29), secs(10)).is_err());
        assert!(Times::new(secs(30), secs(0)).is_err());
        assert!(Times::new(secs(0), secs(0)).is_err());
        assert!(Times::new(secs(30), Duration::MAX).is_err());
        let millis = Duration::from_millis;
        assert!(Times::new(secs(1), millis(300)).is_ok());
        assert!(Times::new(millis(999), millis(300)).is_err(), "it is written in seconds");
    }

    #[test]
    fn a_holder_gives_up_before_others_may_take_over_and_no_call_is_in_its_way() {
        let secs = Duration::from_secs;
        let times = Times::new(secs(1800), secs(10)).unwrap();
        assert_eq!((times.stale_after(), times.renew_every()), (secs(1800), secs(10)));
        assert_eq!((times.doubt_after(), times.give_up_after()), (secs(30), secs(1500)));
        assert_eq!(times.call_timeout(), secs(10));
        let short = Times::new(secs(30), secs(10)).unwrap();
        assert_eq!((short.give_up_after(), short.call_timeout()), (secs(25), secs(5)));
    }
}
