//! What is done for each kind: to the processes and to the people's side. Each hits a run in its
//! middle, held at GitHub, and lets it go on when it has seen what it wants to see.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use singletrack::api::{RunType, SyncRequest, SyncRequestSpec};

use super::fleet::{Fleet, TIMES};
use super::kind::Kind;
use super::users::say;
use crate::history::BY_HAND;
use crate::stand_in::{Fault, Matcher};
use crate::support::{Random, cluster};

impl Fleet {
    /// Does it. Whether a run was running.
    pub(super) async fn strike(&mut self, kind: Kind, random: &mut Random) -> bool {
        let (gate, is_held) = self.hold().await;
        let at = match self.holding().await {
            Some(at) => at,
            None => random.below(self.replicas.len()),
        };
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
            Kind::HolderStopped => {
                self.stop(at).await;
                gate.open();
            }
            Kind::RollingRestart => {
                for at in 0..self.replicas.len() {
                    self.stop(at).await;
                    self.replicas[at].operator.says("the operator has started").await;
                }
                gate.open();
            }
            Kind::HolderPaused => {
                self.replicas[at].operator.pause();
                self.taken_over().await;
                gate.open();
                self.replicas[at].operator.go_on();
            }
            Kind::HolderStutters => {
                self.replicas[at].operator.pause();
                tokio::time::sleep(TIMES.heartbeat * 2).await;
                self.replicas[at].operator.go_on();
                gate.open();
            }
            Kind::LeaseDeleted => {
                let _ = self.space.leases().delete("singletrack", &DeleteParams::default()).await;
                gate.open();
            }
            Kind::LeaseFreed | Kind::LeaseTaken => {
                let somebody = if kind == Kind::LeaseFreed { "" } else { BY_HAND };
                let spec = json!({"spec": {"holderIdentity": somebody}});
                let (params, patch) = (PatchParams::default(), Patch::Merge(spec));
                let _ = self.space.leases().patch("singletrack", &params, &patch).await;
                if random.percent(50) {
                    self.taken_over().await;
                }
                gate.open();
            }
            Kind::RunCancelled | Kind::RunDeleted | Kind::RunRecreated | Kind::RunSuspended => {
                self.change_its_mind(kind).await;
                gate.open();
            }
            Kind::GitHubErrors => {
                let error = Fault::html(http::StatusCode::BAD_GATEWAY);
                self.github.inject(Matcher::any(), 0, Some(random.below(6) + 1), error);
                gate.open();
            }
            Kind::GitHubResets => {
                self.github.inject(Matcher::any(), 0, Some(random.below(4) + 1), Fault::Reset);
                gate.open();
            }
            Kind::GitHubSlow => {
                let delay = Duration::from_millis(200);
                self.github.inject(Matcher::any(), 0, Some(10), Fault::Slow { delay });
                gate.open();
            }
            Kind::ApiPaused => {
                cluster().command("pause second").await;
                self.for_a_while(random).await;
                gate.open();
                cluster().command("continue second").await;
            }
            Kind::ApiRestarted => {
                cluster().command("restart").await;
                gate.open();
            }
            Kind::EtcdPaused => {
                cluster().command("pause etcd").await;
                self.for_a_while(random).await;
                gate.open();
                cluster().command("continue etcd").await;
            }
            of_the_api => match of_the_api.is_of_the_store() {
                true => self.strike_store(of_the_api, at, gate, random).await,
                false => self.strike_api(of_the_api, at, gate, random).await,
            },
        }
        is_held
    }

    /// A time in which heartbeats are missed, or none. This is the fault itself: nothing is awaited.
    pub(super) async fn for_a_while(&self, random: &mut Random) {
        let heartbeats = u32::try_from(random.below(6) + 1).expect("it is small");
        tokio::time::sleep(TIMES.heartbeat * heartbeats).await;
    }

    async fn stop(&mut self, at: usize) {
        let _ = self.replicas[at].operator.terminate().await;
        self.start_again(at, false);
    }

    async fn change_its_mind(&self, kind: Kind) {
        let Some(running) = self.board.running() else { return };
        let (name, requests) = (running.name_any(), self.space.requests());
        match kind {
            Kind::RunCancelled => drop(say(&self.space, &name, json!({"cancel": true})).await),
            Kind::RunSuspended => {
                say(&self.space, &name, json!({"suspend": true})).await;
                let again = say(&self.space, &name, json!({"suspend": false}));
                assert!(again.await, "the API server of the test answers");
            }
            _ => drop(requests.delete(&name, &DeleteParams::default()).await),
        }
        if kind == Kind::RunRecreated {
            let mut seen = self.board.seen();
            let gone = seen.wait_for(|shown| !shown.contains_key(&name));
            let _ = tokio::time::timeout(super::fleet::AT_MOST, gone).await;
            let request = SyncRequest::new(&name, SyncRequestSpec::of(RunType::Manual));
            let _ = requests.create(&PostParams::default(), &request).await;
        }
    }
}
