//! Two operators on one store, the first of them behind a proxy.

use std::time::Duration;

use http::Method;
use tokio::sync::watch;

use super::{History, Recorder, Times};
use crate::stand_in::StandIn;
use crate::support::{Action, Home, Namespace, Operator, Pod, Proxy, Rule, Starter, operator};

/// Who does not renew is replaced long before it knows that it is lost: its pod is not there.
pub(super) const TIMES: Times =
    Times { stale_after: Duration::from_secs(60), heartbeat: Duration::from_millis(500) };

pub(super) struct Scene {
    pub(super) space: Namespace,
    pub(super) home: Home,
    pub(super) github: StandIn,
    pub(super) proxy: Proxy,
    pub(super) times: Times,
}

impl Scene {
    pub(super) async fn new(github: StandIn, home: Home) -> Self {
        let space = Namespace::new("history").await;
        let proxy = Proxy::start(&space).await;
        Self { space, home, github, proxy, times: TIMES }
    }

    /// With operators that hold on longer: one that is slow is not taken for dead.
    pub(super) fn patient(mut self) -> Self {
        self.times.heartbeat = Duration::from_secs(2);
        self
    }

    fn starter(&self, pod: &str) -> Starter {
        let starter = operator(&self.space, &self.github, self.home.folder());
        self.home
            .keep(starter)
            .pod(&Pod::named(pod))
            .times(self.times.stale_after, self.times.heartbeat)
            .env("SINGLETRACK_RETRY_AFTER", "100ms")
    }

    /// Starts an operator behind the proxy.
    pub(super) async fn behind_proxy(&self, pod: &str) -> Operator {
        self.behind(&self.proxy, pod).await
    }

    /// Starts an operator behind a proxy of its own.
    pub(super) async fn behind(&self, proxy: &Proxy, pod: &str) -> Operator {
        let kubeconfig = proxy.kubeconfig(self.home.folder());
        let one = self.starter(pod).env("KUBECONFIG", &kubeconfig.to_string_lossy()).start();
        one.ready().await;
        one
    }

    /// Starts an operator that nothing is in the way of.
    pub(super) async fn start(&self, pod: &str) -> Operator {
        let two = self.starter(pod).start();
        two.ready().await;
        two
    }

    /// Begins to write the history, which needs a store that is prepared.
    pub(super) async fn record(&self) -> Recorder {
        Recorder::start(&self.space, &self.home).await
    }

    pub(super) async fn end(&self, recorder: Recorder) -> History {
        recorder.end(&self.home, self.times).await
    }

    /// Holds all writes of the Lease from now on; sending `true` lets them through.
    pub(super) fn hold_lease(&self) -> watch::Sender<bool> {
        hold_all(&self.proxy, Some(Method::PUT), "/leases/singletrack", "")
    }
}

/// Holds all calls of this kind from now on; sending `true` lets them through.
pub(super) fn hold_all(
    proxy: &Proxy,
    method: Option<Method>,
    path: &'static str,
    body: &'static str,
) -> watch::Sender<bool> {
    let (gate, held) = watch::channel(false);
    proxy.rule(Rule { method, path, body, action: Action::Hold(held), times: usize::MAX });
    gate
}
