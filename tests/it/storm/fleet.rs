//! Three operators on one database, each behind a proxy, with everything that can be done to them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use singletrack::api::{Phase, SyncRequest};

use super::board::Board;
use super::kind::Base;
use crate::history::Times;
use crate::requests::{github, holder};
use crate::stand_in::{Gate, Matcher, StandIn};
use crate::support::{Cable, Home, Namespace, Operator, Pod, Proxy, Server, operator};

/// Half an hour and ten seconds, three hundred and twenty times faster.
pub(super) const TIMES: Times =
    Times { stale_after: Duration::from_secs(6), heartbeat: Duration::from_millis(500) };

/// So long a fault waits for what it wants to see; then it goes on all the same.
pub(super) const AT_MOST: Duration = Duration::from_secs(9);

const PODS: [&str; 3] = ["one", "two", "three"];

/// What an operator has said, from its start to its end.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub(super) pod: String,
    pub(super) log: String,
    /// Whether it ended by `kill -9` or has stood still at its end, so that it could not say all.
    pub(super) killed: bool,
}

pub(super) struct Replica {
    pub(super) pod: Pod,
    pub(super) operator: Operator,
    pub(super) proxy: Proxy,
    kubeconfig: PathBuf,
}

pub(super) struct Fleet {
    // First, so that they are dropped before what they use.
    pub(super) replicas: Vec<Replica>,
    pub(super) board: Board,
    pub(super) space: Namespace,
    pub(super) github: Arc<StandIn>,
    pub(super) cable: Option<Cable>,
    pub(super) home: Home,
    pub(super) server: Option<Server>,
    /// Whether pods have uids that can be asked about. They are gone then, for there are none.
    has_uids: bool,
    /// The uids of requests that somebody has deleted before they ended.
    pub(super) deleted: Mutex<BTreeSet<String>>,
    /// Of those that are no more.
    words: Vec<Words>,
    started: usize,
}

impl Fleet {
    /// `api` is the API server that the operators use; the test has one of its own. Their calls go into
    /// the file.
    pub(super) async fn start(base: Base, api: &Client, has_uids: bool, calls: &Path) -> Self {
        let server = match base {
            Base::Sqlite => None,
            Base::Postgres => Some(Server::start().await),
        };
        let home = match &server {
            None => Home::sqlite(),
            Some(server) => Home::on(server).await,
        };
        let cable = match home.database() {
            None => None,
            Some(database) => Some(Cable::to(database.url()).await),
        };
        let space = Namespace::new("storm").await;
        let mut fleet = Self {
            board: Board::of(&space),
            space,
            github: Arc::new(github(1, 40).await),
            cable,
            home,
            server,
            has_uids,
            replicas: Vec::new(),
            deleted: Mutex::default(),
            words: Vec::new(),
            started: 0,
        };
        for name in PODS {
            let proxy = Proxy::between(api.clone(), Some((calls, name))).await;
            let kubeconfig = proxy.kubeconfig(fleet.home.folder());
            let pod = fleet.pod(name);
            let operator = fleet.operator(&pod, &kubeconfig);
            fleet.replicas.push(Replica { pod, operator, proxy, kubeconfig });
        }
        for replica in &fleet.replicas {
            replica.operator.ready().await;
        }
        fleet
    }

    fn pod(&self, name: &str) -> Pod {
        if self.has_uids { Pod::named(name) } else { Pod::without_uid(name) }
    }

    fn operator(&mut self, pod: &Pod, kubeconfig: &Path) -> Operator {
        self.started += 1;
        let folder = self.home.folder().join(format!("log-{}", self.started));
        std::fs::create_dir(&folder).expect("a folder");
        let mut starter = operator(&self.space, &self.github, self.home.folder())
            .pod(pod)
            .times(TIMES.stale_after, TIMES.heartbeat)
            .log_in(&folder)
            .env("KUBECONFIG", &kubeconfig.to_string_lossy())
            .env("SINGLETRACK_LOG", "info")
            .env("SINGLETRACK_RETRY_AFTER", "200ms");
        if let (Some(cable), Some(database)) = (&self.cable, self.home.database()) {
            starter = starter.on(&cable.through(database.url()));
        }
        starter.start()
    }

    /// Starts it again, after it has ended: in the same pod or in another one.
    pub(super) fn start_again(&mut self, at: usize, same_pod: bool) {
        let kubeconfig = self.replicas[at].kubeconfig.clone();
        if !same_pod {
            self.replicas[at].pod = self.pod(&format!("{}-{}", PODS[at], self.started));
        }
        let pod = self.replicas[at].pod.clone();
        let next = self.operator(&pod, &kubeconfig);
        let old = std::mem::replace(&mut self.replicas[at].operator, next);
        self.words.push(Words { pod: pod.name, log: old.own_log(), killed: old.was_killed() });
    }

    /// What all have said until now, also those that are no more.
    pub(super) fn words(&self) -> Vec<Words> {
        let live = self.replicas.iter().map(|replica| Words {
            pod: replica.pod.name.clone(),
            log: replica.operator.own_log(),
            killed: false,
        });
        live.chain(self.words.iter().cloned()).collect()
    }

    /// Holds the next run at its first question to GitHub, if one comes. Whether one is held, and shown
    /// as running.
    pub(super) async fn hold(&self) -> (Gate, bool) {
        let gate = self.github.hold(Matcher::get("/repos/acme/widgets-0"));
        let mut seen = self.board.seen();
        let runs = async {
            gate.arrived().await;
            let runs = |it: &SyncRequest| it.phase() == Phase::Running;
            drop(seen.wait_for(|shown| shown.values().any(runs)).await);
        };
        let is_held = tokio::time::timeout(AT_MOST, runs).await.is_ok();
        (gate, is_held)
    }

    pub(super) async fn lease(&self) -> Option<Lease> {
        let get = self.space.leases().get_opt("singletrack").await;
        get.ok().flatten()
    }

    /// Which of them has the lock.
    pub(super) async fn holding(&self) -> Option<usize> {
        let lease = self.lease().await?;
        let holder = holder(&lease);
        let pod = holder.split('_').next()?;
        self.replicas.iter().position(|replica| replica.pod.name == pod)
    }

    /// Waits until somebody else holds the Lease than now, for a while.
    pub(super) async fn taken_over(&self) {
        let before = self.lease().await.map(|lease| holder(&lease)).unwrap_or_default();
        let other = async {
            let others = |lease: &Lease| !holder(lease).is_empty() && holder(lease) != before;
            self.space.lease_when("another holds it", others).await
        };
        let _ = tokio::time::timeout(AT_MOST, other).await;
    }
}
