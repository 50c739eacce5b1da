//! The one place that asks what time it is, and that waits for GitHub.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The clock that decides about waits for GitHub and the expiry of tokens, and that dates records.
///
/// A real one follows the system. One made by [`Clock::starting_at`] stands still until somebody
/// waits: then it jumps.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Mutex<DateTime<Utc>>>>);

impl Clock {
    /// A clock for tests and recorded answers, which jumps over every wait.
    #[must_use]
    pub fn starting_at(at: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(Mutex::new(at))))
    }

    /// The time now, for writing into records that people and other programs read.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            None => wall(),
            Some(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Returns when this much time has passed on this clock.
    pub async fn wait(&self, time: Duration) {
        match &self.0 {
            None => tokio::time::sleep(time).await,
            Some(at) => {
                {
                    let mut at = at.lock().unwrap_or_else(PoisonError::into_inner);
                    let time = TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX);
                    *at = at.checked_add_signed(time).unwrap_or(DateTime::<Utc>::MAX_UTC);
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

/// The system's time.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
fn wall() -> DateTime<Utc> {
    Utc::now()
}
