//! Does again what the database has broken off for the sake of another transaction.

use std::time::Duration;

use crate::store::Error;

/// How often it is tried: for more than a minute when a lock does not come.
const TRIES: u32 = 15;

/// Does the work of one transaction, and does it again after a deadlock, or when a lock did not come
/// in time. Nothing was written then.
pub(super) async fn settled<T, W>(work: impl Fn() -> W) -> Result<T, Error>
where
    W: Future<Output = Result<T, Error>>,
{
    for tried in 1..TRIES {
        match work().await {
            Err(error) if error.was_broken_off() => {
                tracing::debug!(tried, error = &error as &dyn std::error::Error, "tries again");
                tokio::time::sleep(Duration::from_millis(20) * tried).await;
            }
            done => return done,
        }
    }
    work().await
}
