//! The process' own endpoints: `/healthz`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

/// What is wrong with the process, by part. Ready means: nothing. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, String>>>);

impl Health {
    /// A process of which none of these parts is known to work yet.
    pub fn starting(parts: &[&'static str]) -> Self {
        let parts = parts.iter().map(|part| (*part, "not ready yet".to_owned()));
        Self(Arc::new(Mutex::new(parts.collect())))
    }

    /// Takes note that the part does not work, and why.
    pub fn ail(&self, part: &'static str, why: &str) {
        let before = self.parts().insert(part, why.to_owned());
        if before.as_deref() != Some(why) {
            tracing::warn!(part, why, "not ready");
        }
    }

    /// Takes note that the part works.
    pub fn well(&self, part: &'static str) {
        if self.parts().remove(part).is_some() {
            tracing::info!(part, "works");
        }
    }

    /// Whether nothing is wrong.
    pub fn is_ready(&self) -> bool {
        self.parts().is_empty()
    }

    /// All that is wrong, a line each; empty when the process is ready.
    pub fn ailments(&self) -> String {
        let parts = self.parts();
        let lines: Vec<_> = parts.iter().map(|(part, why)| format!("{part}: {why}\n")).collect();
        lines.concat()
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves the endpoints at `address` until `stop`, and gives the address that is listened on.
///
/// # Errors
///
/// When the address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    health: Health,
    metrics: impl Fn() -> String + Clone + Send + Sync + 'static,
    stop: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let ready = move || {
        let ailments = health.ailments();
        async move {
            if ailments.is_empty() {
                (StatusCode::OK, "ok\n".to_owned())
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, ailments)
            }
        }
    };
    let app = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { metrics() }));
    let listener = tokio::net::TcpListener::bind(address).await?;
    let listens_on = listener.local_addr()?;
    let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "the endpoints are not served any more");
        }
    });
    Ok(listens_on)
}
