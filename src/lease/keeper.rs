//! Makes the calls that [`step()`](super::step()) asks for, and decides nothing.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1 as core;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Got, Holder, Pod, Record, RunNumber, Scene, Sighting, Tenure, Times, judge, pod_matters, vacant,
};
use crate::process::clock::Clock;

/// A Lease as it was seen: every write is a change of such a one.
pub type Seen = Arc<Lease>;

/// Who this process is, for everybody who reads the Lease.
#[derive(Clone, Debug)]
pub struct Identity {
    name: String,
    pod_uid: String,
    boot: String,
}

impl Identity {
    /// `name` is the pod's, or the host's outside a pod, where `pod_uid` is empty.
    pub fn new(name: &str, pod_uid: &str) -> Self {
        Self { name: name.to_owned(), pod_uid: pod_uid.to_owned(), boot: nonce() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pod_uid(&self) -> &str {
        &self.pod_uid
    }

    /// Whether `holder` is an attempt of this process.
    pub fn is_own(&self, holder: &Holder) -> bool {
        holder.boot() == self.boot
    }

    /// A holder that has never been before.
    pub fn attempt(&self) -> Holder {
        Holder::new(&self.name, &self.boot, &nonce())
    }
}

/// The shim between the protocol and the API server.
///
/// The client must not retry by itself: a write that was done and whose answer was lost would come
/// back as a conflict.
pub struct Keeper {
    leases: Api<Lease>,
    pods: Api<core::Pod>,
    name: String,
    identity: Identity,
    times: Times,
    clock: Clock,
    sighting: Sighting,
    trouble: Option<String>,
}

impl Keeper {
    pub fn new(
        client: Client,
        (namespace, name): (&str, &str),
        identity: Identity,
        times: Times,
        clock: Clock,
    ) -> Self {
        Self {
            leases: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity,
            times,
            clock,
            sighting: Sighting::default(),
            trouble: None,
        }
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn times(&self) -> &Times {
        &self.times
    }

    /// Why the last call failed, if it did: it says what to do.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Proof of the grant to `holder` under `number`.
    pub fn tenure(&self, number: RunNumber, holder: &Holder, lost: CancellationToken) -> Tenure {
        Tenure::new(number, holder.clone(), lost)
    }

    /// Takes note of a version that a watch has shown.
    pub fn note(&mut self, lease: &Lease) {
        self.sighting.note(uid(lease), version(lease), Instant::now());
    }

    /// Reads the Lease by quorum (no resourceVersion is named) and judges it.
    pub async fn get(&mut self, attempt: Option<&Holder>) -> Got<Seen, RunNumber> {
        let asked_at = Instant::now();
        let answer = self.call("get", self.leases.get(&self.name)).await;
        let lease = match self.heard(answer) {
            Ok(lease) => lease,
            Err(got) => return got,
        };
        let record = Record::from(&lease);
        let mut scene = Scene {
            attempt,
            boot: &self.identity.boot,
            pod_uid: &self.identity.pod_uid,
            unchanged_for: self.sighting.unchanged_for(uid(&lease), version(&lease), asked_at),
            now: self.clock.now(),
            pod: Pod::Unknown,
            times: self.times,
        };
        if pod_matters(&record, &scene) {
            let (pod, trouble) = self.pod_of(&record).await;
            scene.pod = pod;
            self.trouble = trouble;
        }
        let verdict = judge(&record, &scene);
        self.note(&lease);
        Got::Lease(Arc::new(lease), verdict)
    }

    /// Creates the Lease, held by nobody.
    pub async fn create(&mut self) -> Got<Seen, RunNumber> {
        let lease = vacant(&self.name);
        let params = PostParams::default();
        let call = self.leases.create(&params, &lease);
        let answer = self.call("create", call).await;
        self.heard(answer).map_or_else(|got| got, |lease| Got::Stored(Arc::new(lease)))
    }

    /// Writes the Lease, if it still has the uid and the resourceVersion of `lease`.
    pub async fn put(&mut self, lease: Lease) -> Got<Seen, RunNumber> {
        let params = PostParams::default();
        let call = self.leases.replace(&self.name, &params, &lease);
        let answer = self.call("update", call).await;
        match self.heard(answer) {
            Ok(stored) => {
                self.note(&stored);
                Got::Stored(Arc::new(stored))
            }
            Err(got) => got,
        }
    }

    /// The holder's pod, and why nothing is known of it where that is for want of a right.
    async fn pod_of(&self, record: &Record) -> (Pod, Option<String>) {
        let Some(holder) = &record.holder else { return (Pod::Unknown, None) };
        let pod = match timeout(self.times.call_timeout(), self.pods.get_opt(holder.name())).await {
            Ok(Ok(None)) => Pod::Gone,
            Ok(Ok(Some(pod))) if pod.uid().as_deref() != Some(&record.pod_uid) || ended(&pod) => {
                Pod::Gone
            }
            Ok(Ok(Some(_))) => Pod::Alive,
            Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => {
                let why = format!(
                    "the holder's pod cannot be read, so its lease is taken over only when it is \
                     stale: {}; give the operator's service account get on pods in its namespace",
                    status.message
                );
                return (Pod::Unknown, Some(why));
            }
            Ok(Err(_)) | Err(_) => Pod::Unknown,
        };
        (pod, None)
    }

    async fn call(
        &self,
        verb: &str,
        call: impl Future<Output = kube::Result<Lease>>,
    ) -> Result<Lease, No> {
        let limit = self.times.call_timeout();
        match timeout(limit, call).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() =>
            {
                Err(No::Conflict)
            }
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Err(No::Gone),
            Ok(Err(error)) => Err(No::Unknown(describe(verb, &self.name, &error))),
            Err(_) => Err(No::Unknown(format!(
                "no answer to {verb} lease {:?} within {limit:?}",
                self.name
            ))),
        }
    }

    /// Keeps the trouble of the last call, for readiness.
    fn heard(&mut self, answer: Result<Lease, No>) -> Result<Lease, Got<Seen, RunNumber>> {
        self.trouble = None;
        answer.map_err(|no| match no {
            No::Conflict => Got::Conflict,
            No::Gone => Got::Gone,
            No::Unknown(why) => {
                tracing::warn!(error = why, "the lease could not be used");
                self.trouble = Some(why);
                Got::Unknown
            }
        })
    }
}

/// An answer that is no Lease.
enum No {
    Conflict,
    Gone,
    Unknown(String),
}

/// What went wrong, and what to do about it.
fn describe(verb: &str, name: &str, error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => format!(
            "not allowed to {verb} lease {name:?} ({}): give the operator's service account get, \
             list, watch, create and update on leases.coordination.k8s.io in its namespace",
            status.message
        ),
        kube::Error::Api(status) => {
            format!("failed to {verb} lease {name:?}: {}", status.message)
        }
        other => {
            let mut text = format!("failed to {verb} lease {name:?}");
            let mut source: Option<&dyn std::error::Error> = Some(other);
            while let Some(cause) = source {
                text.push_str(": ");
                text.push_str(&cause.to_string());
                source = cause.source();
            }
            text
        }
    }
}

fn ended(pod: &core::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn uid(lease: &Lease) -> &str {
    lease.metadata.uid.as_deref().unwrap_or_default()
}

fn version(lease: &Lease) -> &str {
    lease.metadata.resource_version.as_deref().unwrap_or_default()
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..12].to_owned()
}
