//! The parts of the operator that go on beside each other. None of them may be missing: the process
//! ends with the first that ends by a fault of its own, so that it is started again.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Starts the parts.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    stop: CancellationToken,
    broken: CancellationToken,
}

impl Parts {
    /// Parts that end when `stop` says so.
    pub(super) fn until(stop: CancellationToken) -> Self {
        Self { stop, broken: CancellationToken::new() }
    }

    /// Starts one; the handle ends when it does, whichever way.
    pub(super) fn start(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let parts = self.clone();
        tokio::spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(part = name, "a fault of this part ends the process");
                parts.broken.cancel();
                parts.stop.cancel();
            }
        })
    }

    /// Whether one has ended by a fault of its own.
    pub(super) fn are_broken(&self) -> bool {
        self.broken.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_stops_the_others() {
        let stop = CancellationToken::new();
        let parts = Parts::until(stop.clone());
        parts.start("well", async {}).await.unwrap();
        assert!(!stop.is_cancelled() && !parts.are_broken());
        parts.start("broken", async { panic!("a fault") }).await.unwrap();
        assert!(stop.is_cancelled() && parts.are_broken());
    }
}
