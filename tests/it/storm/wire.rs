//! What is done between the operators and what they use: the API server, the database.

use std::process::Stdio;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::faults::Blow;
use super::fleet::{AT_MOST, Fleet};
use super::kind::Kind;
use crate::support::{Action, Random, Rule, poll};

/// What an API server in trouble says.
fn refusal(code: StatusCode, reason: &str) -> Action {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the storm says no", "reason": reason, "code": code.as_u16()});
    Action::Answer(code, status.to_string())
}

impl Fleet {
    pub(super) async fn strike_api(&self, Blow { kind, at, gate }: Blow, random: &mut Random) {
        match kind {
            Kind::HolderCutOff => {
                let proxy = &self.replicas[at].proxy;
                proxy.freeze_watches(true);
                proxy.rule(Rule::every("/", Action::DropCall));
                self.taken_over().await;
                gate.open();
                // What it does now is late, and only the database can say so.
                self.for_a_while(random).await;
            }
            Kind::LeaseWritesLate => {
                let (open, held) = tokio::sync::watch::channel(false);
                let times = random.below(12) + 1;
                let late = Rule { times, ..Rule::every("/leases/", Action::Hold(held)) };
                self.replicas[at].proxy.rule(Rule { method: Some(Method::PUT), ..late });
                gate.open();
                match random.percent(50) {
                    true => self.taken_over().await,
                    false => self.for_a_while(random).await,
                }
                open.send_replace(true);
            }
            Kind::WatchesFrozen | Kind::WatchesExpired => {
                let seeing = random.below(self.replicas.len());
                let proxy = &self.replicas[seeing].proxy;
                proxy.freeze_watches(true);
                gate.open();
                self.for_a_while(random).await;
                if kind == Kind::WatchesExpired {
                    proxy.expire_watches();
                }
            }
            weather => {
                self.replicas[at].proxy.rule(bad_weather(weather, random));
                gate.open();
                self.for_a_while(random).await;
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

    /// Whether a write has met it, as far as that can be seen.
    pub(super) async fn strike_disk(
        &mut self,
        Blow { kind, at, gate }: Blow,
        random: &mut Random,
    ) -> bool {
        let times = random.below(8) + 1;
        let fault = match kind {
            Kind::StoreWriteKilled => format!("pwrite64:signal=SIGKILL:when={times}"),
            Kind::DiskFull => format!("pwrite64:error=ENOSPC:when=1..{times}"),
            _ => "pwrite64:delay_enter=30000".to_owned(),
        };
        let traced = self.trace(at, &fault).await;
        gate.open();
        if kind != Kind::StoreWriteKilled {
            self.for_a_while(random).await;
            return true;
        }
        let dies = self.replicas[at].operator.ended();
        let is_dead = tokio::time::timeout(AT_MOST / 3, dies).await.is_ok();
        drop(traced);
        if is_dead {
            self.replicas[at].operator.has_ended();
            self.start_again(at, random.percent(50));
        }
        is_dead
    }

    pub(super) async fn strike_store(&self, blow: Blow, random: &mut Random) {
        let (server, cable) = (self.server.as_ref(), self.cable.as_ref());
        match (blow.kind, server.zip(cable).zip(self.home.database())) {
            (Kind::StoreCrashed, Some(((server, _), _))) => {
                tokio::task::block_in_place(|| server.crash());
                blow.gate.open();
                self.for_a_while(random).await;
                tokio::task::block_in_place(|| server.start_again());
            }
            (Kind::StoreReadOnly, Some((_, database))) => {
                database.set_read_only(true).await;
                blow.gate.open();
                self.for_a_while(random).await;
                database.set_read_only(false).await;
            }
            (Kind::StoreCut, Some(((_, cable), _))) => cable.cut(),
            (Kind::StoreSilent, Some(((_, cable), _))) => {
                cable.silence(true);
                blow.gate.open();
                self.for_a_while(random).await;
                cable.silence(false);
            }
            (Kind::CommitsUnheard, Some(((_, cable), _))) => {
                cable.lose_commits(random.below(3) + 1);
                blow.gate.open();
                let _ = tokio::time::timeout(AT_MOST, cable.have_lost()).await;
                cable.lose_commits(0);
            }
            _ => {
                let held = self.home.lock().await;
                blow.gate.open();
                self.for_a_while(random).await;
                held.release().await;
            }
        }
    }

    /// Injects a fault into the operator's writes of its database file, while the result lives.
    async fn trace(&self, at: usize, fault: &str) -> Traced {
        let pid = self.replicas[at].operator.pid();
        let child = std::process::Command::new("strace")
            .args(["-f", "-qq", "-p", &pid.to_string(), "-P"])
            .arg(self.home.folder().join("store.db-wal"))
            .args(["-e", "trace=pwrite64", "-e", &format!("inject={fault}"), "-o", "/dev/null"])
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is there");
        poll("strace has it", async || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            (!status.contains("TracerPid:\t0\n")).then_some(())
        })
        .await;
        Traced(child)
    }
}

/// What the API server does to some or all calls of a replica.
fn bad_weather(kind: Kind, random: &mut Random) -> Rule {
    let some = random.below(12) + 1;
    let times = |times, action| Rule { times, ..Rule::every("/", action) };
    match kind {
        Kind::AnswersLost => {
            let method = random.pick(&[Method::PUT, Method::PATCH, Method::POST]);
            Rule { method: Some(method), ..times(random.below(3) + 1, Action::DropAnswer) }
        }
        Kind::ApiErrors => times(some, refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")),
        Kind::ApiBusy => times(some, refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests")),
        Kind::ApiAnswersCut => times(some, Action::CutBody(random.below(400))),
        _ => {
            let millis = u64::try_from(random.below(700)).expect("it is small");
            Rule::every("/", Action::Delay(Duration::from_millis(millis)))
        }
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
