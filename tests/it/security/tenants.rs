//! What one who may create or change objects can do to others.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequestSpec};
use singletrack::lease::vacant;

use crate::coalesce::{paused, resume};
use crate::namespaces::{watching, with};
use crate::requests::{github, holder, open_issues};
use crate::support::{Namespace, Proxy, awaited, history, operator, phase_of};

fn asked(policy: ConcurrencyPolicy, priority: i32) -> SyncRequestSpec {
    SyncRequestSpec { concurrency_policy: policy, priority, ..SyncRequestSpec::of(RunType::Manual) }
}

#[tokio::test]
async fn a_forged_status_costs_its_own_request_alone() {
    let space = Namespace::new("forged").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let proxy = Proxy::start(&space).await;
    paused(&space).await;
    let _operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", proxy.kubeconfig(folder.path()).to_str().unwrap())
        .start();
    let forged = [
        ("done", json!({"phase": "Succeeded"})),
        ("running", json!({"phase": "Running", "runNumber": 3})),
        ("high", json!({"runNumber": i64::MAX})),
        ("jump", json!({"runNumber": 1_000_000})),
        ("attempts", json!({"attempts": i64::MAX})),
        ("later", json!({"nextAttemptAt": "9999-12-31T23:59:59Z"})),
        ("lock", json!({"lock": {"lease": "elsewhere/theirs"}})),
    ];
    for (name, status) in &forged {
        space.manual(name).await;
        space.in_phase(name, Phase::Queued).await;
        let patch = Patch::Merge(json!({"status": status}));
        let patched = space.requests().patch_status(name, &PatchParams::default(), &patch).await;
        patched.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let many: Vec<Value> =
        (0..17).map(|n| json!({"type": format!("T{n}"), "status": "True"})).collect();
    let patch = Patch::Merge(json!({"status": {"conditions": many}}));
    let refused = space.requests().patch_status("later", &PatchParams::default(), &patch).await;
    assert!(refused.is_err(), "the API server has taken more conditions than there are");
    space.manual("honest").await;
    resume(&space).await;
    assert_eq!(phase_of(&space.finished("honest").await), Phase::Succeeded);
    let status = space.finished("high").await.status.unwrap();
    assert_eq!((status.phase, status.reason.as_deref()), (Phase::Failed, Some("RunNumberForged")));
    for name in ["jump", "running"] {
        assert_eq!(phase_of(&space.finished(name).await), Phase::Succeeded, "{name}");
    }
    // Nothing is written again and again, neither theirs nor another's.
    space.manual("last").await;
    assert_eq!(phase_of(&space.finished("last").await), Phase::Succeeded);
    space.event("last", "Completed").await;
    for name in forged.iter().map(|(name, _)| *name).chain(["honest", "last"]) {
        let writes = proxy.count(&format!(
            "PATCH /apis/singletrack.dev/v1alpha1/namespaces/{}/syncrequests/{name}/",
            space.name
        ));
        assert!(writes <= 10, "{name} was written {writes} times");
    }
    let numbers: Vec<_> = history(folder.path()).await.iter().map(|run| run.number.0).collect();
    assert!(numbers.iter().all(|number| *number < 1_000_100), "{numbers:?}");
}

#[tokio::test]
async fn a_planted_lease_is_used_and_never_deleted() {
    let space = Namespace::new("planted").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let maps: Api<ConfigMap> = Api::namespaced(space.client.clone(), &space.name);
    let metadata = ObjectMeta { name: Some("owner".into()), ..ObjectMeta::default() };
    let map = ConfigMap { metadata, ..ConfigMap::default() };
    let owner = maps.create(&PostParams::default(), &map).await.unwrap();
    let mut lease = vacant("singletrack");
    lease.metadata.finalizers = Some(vec!["evil.test/never".into()]);
    lease.metadata.labels = Some(BTreeMap::from([("app".into(), "somebody-elses".into())]));
    lease.metadata.annotations = Some(BTreeMap::from([
        ("evil.test/much".into(), "x".repeat(200 << 10)),
        ("evil.test/escape".into(), "\u{1b}[2J\n".into()),
    ]));
    lease.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: "owner".into(),
        uid: owner.uid().unwrap(),
        block_owner_deletion: Some(true),
        controller: Some(true),
    }]);
    let planted = space.leases().create(&PostParams::default(), &lease).await.unwrap();
    let _operator = operator(&space, &github, folder.path()).start();
    for name in ["first", "second"] {
        space.manual(name).await;
        assert_eq!(phase_of(&space.finished(name).await), Phase::Succeeded);
    }
    let after = space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
    let (before, after) = (planted.metadata, after.metadata);
    assert_eq!(after.uid, before.uid);
    assert_eq!(after.deletion_timestamp, None);
    assert_eq!(after.finalizers, before.finalizers);
    assert_eq!(after.owner_references, before.owner_references);
    assert_eq!(after.labels.unwrap()["app"], "somebody-elses");
    let (theirs, kept) = (before.annotations.unwrap(), after.annotations.unwrap());
    for (name, value) in theirs {
        assert_eq!(kept.get(&name), Some(&value), "{name}");
    }
}

/// Two hundred here stand for any number: the queue is looked at whole.
#[tokio::test]
async fn many_requests_of_one_namespace_hold_up_nobody_of_higher_priority() {
    let (a, b) = (Namespace::new("crowd").await, Namespace::new("single").await);
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let config = watching(folder.path(), &[&a]);
    let gate = github.hold(open_issues());
    let _operator = with(operator(&b, &github, folder.path()), &config).start();
    a.manual("goes-on").await;
    awaited("a page is held", gate.arrived()).await;
    let requests = a.requests();
    stream::iter(0..200)
        .map(|n| {
            let spec = asked(ConcurrencyPolicy::Queue, 0);
            let request = singletrack::api::SyncRequest::new(&format!("crowd-{n}"), spec);
            let requests = requests.clone();
            async move { requests.create(&PostParams::default(), &request).await.unwrap() }
        })
        .buffer_unordered(16)
        .for_each(async |_| ())
        .await;
    a.in_phase("crowd-199", Phase::Queued).await;
    b.create("urgent", asked(ConcurrencyPolicy::Queue, 1)).await;
    b.in_phase("urgent", Phase::Queued).await;
    gate.open();
    assert_eq!(phase_of(&b.finished("urgent").await), Phase::Succeeded);
    let runs = history(folder.path()).await;
    assert_eq!(runs[1].name.as_deref(), Some("urgent"), "{:?}", runs[1]);
}

#[tokio::test]
async fn nothing_of_another_namespace_is_told() {
    let (a, b) = (Namespace::new("hidden").await, Namespace::new("curious").await);
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let config = watching(folder.path(), &[&a]);
    let gate = github.hold(open_issues());
    let _operator = with(operator(&b, &github, folder.path()), &config).start();
    a.manual("unheard-of").await;
    awaited("a page is held", gate.arrived()).await;
    a.in_phase("unheard-of", Phase::Running).await;
    // Like requests of both that wait, which one run could answer.
    for (space, name) in [(&a, "unheard-waiter"), (&b, "joins"), (&b, "queues")] {
        space.create(name, asked(ConcurrencyPolicy::Coalesce, 0)).await;
        space.in_phase(name, Phase::Queued).await;
    }
    b.create("refused", asked(ConcurrencyPolicy::Reject, 0)).await;
    let refused = b.finished("refused").await.status.unwrap();
    assert_eq!(refused.phase, Phase::Rejected);
    assert!(refused.message.unwrap().starts_with("another run has been going on since "));
    let seen = async || {
        let any = ListParams::default();
        let requests = b.requests().list(&any).await.unwrap();
        let events: Api<k8s_openapi::api::events::v1::Event> =
            Api::namespaced(b.client.clone(), &b.name);
        let events = events.list(&any).await.unwrap();
        serde_json::to_string(&requests).unwrap() + &serde_json::to_string(&events).unwrap()
    };
    let early = seen().await;
    gate.open();
    for name in ["joins", "queues"] {
        assert_eq!(phase_of(&b.finished(name).await), Phase::Succeeded);
    }
    a.finished("unheard-waiter").await;
    let late = seen().await;
    for told in [early, late] {
        assert!(told.contains("curious"));
        for word in ["unheard", "hidden"] {
            assert!(!told.contains(word), "{word} is told");
        }
    }
    // The waiter of the other namespace has answered none of these.
    let runs = history(folder.path()).await;
    let of = |space: &Namespace| {
        runs.iter().filter(|run| run.namespace.as_deref() == Some(space.name.as_str())).count()
    };
    assert_eq!((of(&a), of(&b)), (2, 1));
}
