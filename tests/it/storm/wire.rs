//! What is done between the operators and what they use: the API server, the database.

use std::process::Stdio;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::fleet::{AT_MOST, Fleet, TIMES};
use super::kind::Kind;
use crate::stand_in::Gate;
use crate::support::{Action, Random, Rule};

impl Kind {
    pub(super) fn is_of_the_store(self) -> bool {
        matches!(
            self,
            Self::StoreLocked
                | Self::StoreWriteKilled
                | Self::DiskFull
                | Self::DiskSlow
                | Self::StoreCrashed
                | Self::StoreReadOnly
                | Self::StoreCut
                | Self::StoreSilent
                | Self::CommitsUnheard
        )
    }
}

/// What an API server in trouble says.
fn refusal(code: StatusCode, reason: &str) -> Action {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the storm says no", "reason": reason, "code": code.as_u16()});
    Action::Answer(code, status.to_string())
}

impl Fleet {
    pub(super) async fn strike_api(
        &mut self,
        kind: Kind,
        at: usize,
        gate: Gate,
        random: &mut Random,
    ) {
        let proxy = &self.replicas[at].proxy;
        let some = random.below(12) + 1;
        let every = |action| Rule { times: some, ..Rule::every("/", action) };
        match kind {
            Kind::HolderCutOff => {
                proxy.freeze_watches(true);
                proxy.rule(Rule::every("/", Action::DropCall));
                self.taken_over().await;
                gate.open();
                // What it does now is late, and only the database can say so.
                self.for_a_while(random).await;
            }
            Kind::AnswersLost => {
                let method = random.pick(&[Method::PUT, Method::PATCH, Method::POST]);
                let times = random.below(3) + 1;
                let lost = Rule { times, ..Rule::every("/", Action::DropAnswer) };
                proxy.rule(Rule { method: Some(method), ..lost });
                gate.open();
                self.for_a_while(random).await;
            }
            Kind::LeaseWritesLate => {
                let (open, held) = tokio::sync::watch::channel(false);
                let late = Rule { times: some, ..Rule::every("/leases/", Action::Hold(held)) };
                proxy.rule(Rule { method: Some(Method::PUT), ..late });
                gate.open();
                match random.percent(50) {
                    true => self.taken_over().await,
                    false => self.for_a_while(random).await,
                }
                open.send_replace(true);
            }
            Kind::ApiErrors => {
                let code = StatusCode::INTERNAL_SERVER_ERROR;
                proxy.rule(every(refusal(code, "InternalError")));
                gate.open();
                self.for_a_while(random).await;
            }
            Kind::ApiBusy => {
                let code = StatusCode::TOO_MANY_REQUESTS;
                proxy.rule(every(refusal(code, "TooManyRequests")));
                gate.open();
                self.for_a_while(random).await;
            }
            Kind::ApiAnswersCut => {
                proxy.rule(every(Action::CutBody(random.below(400))));
                gate.open();
                self.for_a_while(random).await;
            }
            Kind::ApiSlow => {
                let delay = Duration::from_millis(u64::try_from(random.below(700)).expect("small"));
                proxy.rule(Rule::every("/", Action::Delay(delay)));
                gate.open();
                self.for_a_while(random).await;
            }
            _ => {
                let seeing = random.below(self.replicas.len());
                let proxy = &self.replicas[seeing].proxy;
                proxy.freeze_watches(true);
                gate.open();
                self.for_a_while(random).await;
                if kind == Kind::WatchesExpired {
                    proxy.expire_watches();
                }
                proxy.freeze_watches(false);
            }
        }
        self.clear();
    }

    /// Nothing is held, lost or refused any more between the operators and the API server.
    pub(super) fn clear(&self) {
        for replica in &self.replicas {
            replica.proxy.clear();
            replica.proxy.freeze_watches(false);
        }
    }

    pub(super) async fn strike_store(
        &mut self,
        kind: Kind,
        at: usize,
        gate: Gate,
        random: &mut Random,
    ) {
        match kind {
            Kind::StoreLocked => {
                let held = self.home.lock().await;
                gate.open();
                self.for_a_while(random).await;
                held.release().await;
            }
            Kind::StoreWriteKilled => {
                let when = random.below(8) + 1;
                let kill = format!("pwrite64:signal=SIGKILL:when={when}");
                let strace = self.strace(at, "pwrite64", &kill);
                gate.open();
                let dies = async {
                    while self.replicas[at].operator.has_ended().is_none() {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                };
                let died = tokio::time::timeout(AT_MOST / 3, dies).await.is_ok();
                drop(strace);
                if died {
                    self.start_again(at, random.percent(50));
                }
            }
            Kind::DiskFull => {
                let full = format!("pwrite64:error=ENOSPC:when=1..{}", random.below(6) + 1);
                let strace = self.strace(at, "pwrite64", &full);
                gate.open();
                self.for_a_while(random).await;
                drop(strace);
            }
            Kind::DiskSlow => {
                let strace = self.strace(at, "pwrite64", "pwrite64:delay_enter=30000");
                gate.open();
                self.for_a_while(random).await;
                drop(strace);
            }
            Kind::StoreCrashed => {
                let server = self.server.as_ref().expect("there is a server");
                tokio::task::block_in_place(|| server.crash());
                gate.open();
                self.for_a_while(random).await;
                let server = self.server.as_ref().expect("there is a server");
                tokio::task::block_in_place(|| server.start_again());
            }
            Kind::StoreReadOnly => {
                let database = self.home.database().expect("it is on a server");
                database.set_read_only(true).await;
                gate.open();
                self.for_a_while(random).await;
                database.set_read_only(false).await;
            }
            _ => self.pull_cable(kind, gate, random).await,
        }
    }

    async fn pull_cable(&self, kind: Kind, gate: Gate, random: &mut Random) {
        let cable = self.cable.as_ref().expect("there is a cable");
        match kind {
            Kind::StoreCut => {
                cable.cut();
                gate.open();
            }
            Kind::StoreSilent => {
                cable.silence(true);
                gate.open();
                self.for_a_while(random).await;
                cable.silence(false);
            }
            _ => {
                cable.lose_commits(random.below(3) + 1);
                gate.open();
                let lost = async {
                    while cable.to_lose() > 0 {
                        tokio::time::sleep(TIMES.heartbeat / 10).await;
                    }
                };
                let _ = tokio::time::timeout(AT_MOST, lost).await;
                cable.lose_commits(0);
            }
        }
    }

    /// Injects a fault into the operator's writes of its database file, while the result lives.
    fn strace(&self, at: usize, call: &str, fault: &str) -> Traced {
        let wal = self.home.folder().join("store.db-wal");
        let child = std::process::Command::new("strace")
            .args(["-f", "-qq", "-p", &self.replicas[at].operator.pid().to_string(), "-P"])
            .arg(wal)
            .args(["-e", &format!("trace={call}"), "-e", &format!("inject={fault}")])
            .args(["-o", "/dev/null"])
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is there: apt install strace");
        Traced(child)
    }
}

/// Detaches when it is dropped.
struct Traced(std::process::Child);

impl Drop for Traced {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}
