//! Where a plan is told: a namespace, a GitHub, a prepared database, and who writes it all down.

use futures::FutureExt;
use singletrack::store::Store;

use super::oracle::{Bounds, Ended};
use super::story::Story;
use super::{Rows, TIMES};
use crate::history::{Floor, Recorder};
use crate::requests::{github, holder};
use crate::stand_in::StandIn;
use crate::support::{Home, Namespace, Operator, Pod, Proxy, Starter, data, dump, operator};

pub(super) struct Stage {
    pub(super) space: Namespace,
    pub(super) home: Home,
    pub(super) github: StandIn,
    recorder: Recorder,
}

impl Stage {
    pub(super) async fn new(purpose: &str) -> Self {
        Self::with(purpose, github(1, 6).await).await
    }

    pub(super) async fn with(purpose: &str, github: StandIn) -> Self {
        let space = Namespace::new(purpose).await;
        let home = Home::sqlite();
        // By hand, so that all that the operator writes is seen.
        let store = home.open();
        store.prepare(&space.uid().await).await.expect("the store is prepared");
        store.close().await;
        let recorder = Recorder::start(&space, &home).await;
        Self { space, home, github, recorder }
    }

    /// An operator that says it is this pod.
    pub(super) fn operator(&self, pod: &str) -> Starter {
        self.starter(pod).times(TIMES.stale_after, TIMES.heartbeat)
    }

    /// The same without the times of its lock.
    pub(super) fn starter(&self, pod: &str) -> Starter {
        self.home
            .keep(operator(&self.space, &self.github, self.home.folder()))
            .pod(&Pod::named(pod))
            .env("SINGLETRACK_RETRY_AFTER", "200ms")
    }

    /// An operator behind a proxy.
    pub(super) fn behind(&self, proxy: &Proxy, starter: Starter) -> Starter {
        let kubeconfig = proxy.kubeconfig(self.home.folder());
        starter.env("KUBECONFIG", &kubeconfig.to_string_lossy())
    }

    /// Waits until nobody holds the lock but whoever is dead: a dead one keeps it until somebody
    /// asks for the next run.
    pub(super) async fn settled(&self, dead: &str) {
        let free = |lease: &_| holder(lease).is_empty() || holder(lease) == dead;
        self.space.lease_when("nobody alive holds it", free).await;
    }

    pub(super) async fn lock_holder(&self) -> String {
        let lease = self.space.leases().get_opt("singletrack").await.expect("an answer");
        lease.as_ref().map(holder).unwrap_or_default()
    }

    /// Tells a story to the first of these operators until `fault` has ended it, if it ever does, and
    /// to another one from then on. Says whether there is another one.
    pub(super) async fn told(
        &self,
        story: Story,
        operators: &mut Vec<Operator>,
        fault: impl AsyncFnOnce(&mut Operator),
        same_pod: bool,
    ) -> bool {
        let told = story.play(self).boxed_local().shared();
        let undisturbed = async {
            told.clone().await;
            self.settled("").await;
        };
        tokio::select! {
            () = fault(&mut operators[0]) => {
                let dead = self.lock_holder().await;
                operators.push(self.operator(if same_pod { "one" } else { "two" }).start());
                told.await;
                self.settled(&dead).await;
                true
            }
            () = undisturbed => false,
        }
    }

    /// Ends what is left, and holds what has happened against the rules. Gives the rows that say
    /// what GitHub has.
    pub(super) async fn end(self, operators: Vec<Operator>, floor: Floor, bounds: Bounds) -> Rows {
        drop(operators);
        let requests = self.space.requests().list(&kube::api::ListParams::default()).await;
        let requests = requests.expect("a list").items;
        let events = super::oracle::events(&self.space).await;
        let logs = super::oracle::logs(self.home.folder());
        let history = self.recorder.end(&self.home, TIMES).await;
        history.check(floor);
        let wrong = super::oracle::judge(&Ended { history, requests, events, logs }, bounds);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let store = self.home.open();
        let rows = data(dump(&store).await);
        store.close().await;
        rows
    }
}
