//! One fault, in the middle of a run: held at GitHub, it goes on when the fault has done what it can.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use singletrack::api::{RunType, SyncRequest, SyncRequestSpec};

use super::fleet::{AT_MOST, Fleet, TIMES};
use super::kind::{Group, Kind};
use super::users::say;
use crate::history::BY_HAND;
use crate::stand_in::{Fault, Gate, Matcher};
use crate::support::{Random, cluster};

/// Where a fault strikes.
pub(super) struct Blow {
    pub(super) kind: Kind,
    /// The replica that has the lock, or any if none is known to have it.
    pub(super) at: usize,
    /// What holds the run.
    pub(super) gate: Gate,
}

impl Fleet {
    /// Does it. Whether it has struck a run that was running.
    pub(super) async fn strike(&mut self, kind: Kind, random: &mut Random) -> bool {
        for replica in &mut self.replicas {
            let ended = replica.operator.has_ended();
            assert!(ended.is_none(), "{} has ended by itself: {ended:?}", replica.pod.name);
        }
        let (gate, is_held) = self.hold().await;
        let at = match self.holding().await {
            Some(at) => at,
            None => random.below(self.replicas.len()),
        };
        let blow = Blow { kind, at, gate };
        match kind.group() {
            Group::Processes => self.strike_processes(blow, random).await,
            Group::Api => self.strike_api(blow, random).await,
            Group::Cluster => self.strike_cluster(blow, random).await,
            Group::People => return self.strike_objects(blow, random).await && is_held,
            Group::GitHub => self.strike_github(&blow, random),
            Group::Disk => return self.strike_disk(blow, random).await && is_held,
            Group::Store => self.strike_store(blow, random).await,
        }
        is_held
    }

    /// A time in which heartbeats are missed, or none. This is the fault itself: nothing is awaited.
    pub(super) async fn for_a_while(&self, random: &mut Random) {
        let heartbeats = u32::try_from(random.below(6) + 1).expect("it is small");
        tokio::time::sleep(TIMES.heartbeat * heartbeats).await;
    }

    async fn strike_processes(&mut self, Blow { kind, at, gate }: Blow, random: &mut Random) {
        match kind {
            Kind::HolderKilled | Kind::HolderReplaced => {
                self.replicas[at].operator.kill();
                // Either it is back before the others have noticed, or after.
                if random.percent(50) {
                    self.taken_over().await;
                }
                gate.open();
                self.start_again(at, kind == Kind::HolderKilled);
            }
            Kind::OtherKilled => {
                let other = (at + 1) % self.replicas.len();
                self.replicas[other].operator.kill();
                gate.open();
                self.start_again(other, random.percent(50));
            }
            Kind::HolderStopped => self.stop(at).await,
            Kind::RollingRestart => {
                for at in 0..self.replicas.len() {
                    self.stop(at).await;
                    self.replicas[at].operator.says("the operator has started").await;
                }
            }
            kind => {
                self.replicas[at].operator.pause();
                match kind {
                    Kind::HolderPaused => self.taken_over().await,
                    _ => tokio::time::sleep(TIMES.heartbeat * 2).await,
                }
                gate.open();
                self.replicas[at].operator.go_on();
            }
        }
    }

    async fn stop(&mut self, at: usize) {
        let ended = self.replicas[at].operator.terminate().await;
        assert!(ended.success(), "{}: {ended}", self.replicas[at].pod.name);
        self.start_again(at, false);
    }

    async fn strike_cluster(&self, blow: Blow, random: &mut Random) {
        // One database's storm at a time: an API server does not start while etcd stands still.
        static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _alone = ALONE.lock().await;
        let (pause, go_on) = match blow.kind {
            Kind::ApiRestarted => return cluster().command("restart").await,
            Kind::ApiPaused => ("pause second", "continue second"),
            _ => ("pause etcd", "continue etcd"),
        };
        cluster().command(pause).await;
        self.for_a_while(random).await;
        blow.gate.open();
        cluster().command(go_on).await;
    }

    /// Whether there was something to change.
    async fn strike_objects(&self, blow: Blow, random: &mut Random) -> bool {
        match blow.kind {
            Kind::LeaseDeleted => {
                let _ = self.space.leases().delete("singletrack", &DeleteParams::default()).await;
            }
            Kind::LeaseFreed | Kind::LeaseTaken => {
                let holder = if blow.kind == Kind::LeaseFreed { "" } else { BY_HAND };
                let patch = Patch::Merge(json!({"spec": {"holderIdentity": holder}}));
                let params = PatchParams::default();
                let _ = self.space.leases().patch("singletrack", &params, &patch).await;
                if random.percent(50) {
                    self.taken_over().await;
                }
            }
            kind => return self.change_its_mind(kind).await,
        }
        true
    }

    /// Somebody changes his mind about the request that runs.
    async fn change_its_mind(&self, kind: Kind) -> bool {
        let Some(running) = self.board.running() else { return false };
        let (name, requests) = (running.name_any(), self.space.requests());
        match kind {
            Kind::RunCancelled => drop(say(&self.space, &name, json!({"cancel": true})).await),
            Kind::RunSuspended => {
                say(&self.space, &name, json!({"suspend": true})).await;
                let again = say(&self.space, &name, json!({"suspend": false}));
                assert!(again.await, "the API server of the test answers");
            }
            _ => {
                let uid = running.uid().expect("it has one");
                self.deleted.lock().expect("not poisoned").insert(uid);
                let _ = requests.delete(&name, &DeleteParams::default()).await;
            }
        }
        if kind == Kind::RunRecreated {
            let mut seen = self.board.seen();
            let gone = seen.wait_for(|shown| !shown.contains_key(&name));
            let _ = tokio::time::timeout(AT_MOST, gone).await;
            let request = SyncRequest::new(&name, SyncRequestSpec::of(RunType::Manual));
            let _ = requests.create(&PostParams::default(), &request).await;
        }
        true
    }

    fn strike_github(&self, blow: &Blow, random: &mut Random) {
        let (times, fault) = match blow.kind {
            Kind::GitHubErrors => (6, Fault::html(http::StatusCode::BAD_GATEWAY)),
            Kind::GitHubResets => (4, Fault::Reset),
            _ => (10, Fault::Slow { delay: Duration::from_millis(200) }),
        };
        self.github.inject(Matcher::any(), 0, Some(random.below(times) + 1), fault);
    }
}
