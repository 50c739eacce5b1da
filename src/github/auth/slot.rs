//! The token of one installation, which many wait for and one gets.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use http::HeaderValue;
use tokio::sync::Mutex;

use crate::github::Error;

/// The place of one installation's token.
#[derive(Default)]
pub(super) struct Slot {
    /// How often a token was asked for, whatever came of it.
    attempts: AtomicU64,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    installation: Option<u64>,
    token: Option<Minted>,
    failure: Option<Error>,
}

/// A token that was got, as the header in which it is sent.
#[derive(Clone)]
pub(super) struct Minted {
    pub(super) installation: u64,
    pub(super) header: HeaderValue,
    pub(super) use_until: DateTime<Utc>,
}

impl Slot {
    /// The token. Where there is none that is good, `mint` gets one, once for all who wait.
    ///
    /// A failure counts for all who waited for it. That the App is not installed counts for good: a
    /// source lives for one run.
    pub(super) async fn token(
        &self,
        now: impl Fn() -> DateTime<Utc>,
        mint: impl AsyncFnOnce(Option<u64>) -> Result<Minted, Error>,
    ) -> Result<HeaderValue, Error> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut held = self.held.lock().await;
        if let Some(token) = held.token.as_ref().filter(|token| now() < token.use_until) {
            return Ok(token.header.clone());
        }
        let waited = self.attempts.load(Ordering::Acquire) != seen;
        match &held.failure {
            Some(failure) if waited || matches!(failure, Error::NotInstalled { .. }) => {
                return Err(failure.clone());
            }
            _ => {}
        }
        let minted = mint(held.installation).await;
        self.attempts.fetch_add(1, Ordering::AcqRel);
        match minted {
            Ok(minted) => {
                let header = minted.header.clone();
                *held = Held {
                    installation: Some(minted.installation),
                    token: Some(minted),
                    failure: None,
                };
                Ok(header)
            }
            Err(failure) => {
                held.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Forgets the token, if it is still the one that was refused.
    pub(super) async fn refused(&self, header: &HeaderValue) {
        let mut held = self.held.lock().await;
        if held.token.as_ref().is_some_and(|token| token.header == *header) {
            held.token = None;
        }
    }
}
