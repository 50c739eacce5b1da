//! An operator sees late, or never, what others do.
//!
//! Its watches are frozen while something happens and is undone. Then they go on, so that it sees all
//! of it late, or they are told that they are too old, so that it lists again and sees the end only.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use singletrack::api::{Phase, RunType, SyncRequestSpec};
use singletrack::lease::vacant;

use super::Told;
use super::hand::{delete, delete_lease, hold_lease};
use super::oracle::Bounds;
use super::stage::Stage;
use super::story::{gone, sleeps, succeeds};
use crate::history::Floor;
use crate::requests::open_issues;
use crate::stand_in::Gate;
use crate::support::{Operator, Proxy, Starter, awaited};

/// What it does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    CreatedDeleted,
    DeletedRecreated,
    SuspendedUnsuspended,
    UnsuspendedCancelled,
    CancelledDeleted,
    RunByAnother,
    LeaseGrantedReleased,
    LeaseRecreated,
    LeaseRecreatedInRun,
    /// The Lease is released while it waits for it.
    LeaseReleased,
    /// The holder's pod is another of the same name.
    PodRecreated,
}

/// What has changed when it reads the Lease for a request that was there when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Suspended,
    Cancelled,
    Deleted,
    Recreated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Late(Missed),
    Never(Missed),
    Old(Since),
    /// The Lease was free when it was read, and somebody else has run since.
    LeaseTaken,
    /// The name that it deletes belongs to another request by now.
    NameTaken,
    /// The holder renews the Lease for longer than the duration.
    HealthyHolder,
}

impl View {
    /// The most runs that are needed: what is not wanted any more is not begun.
    fn runs(self) -> usize {
        match self {
            Self::Old(_) => 1,
            Self::LeaseTaken | Self::NameTaken | Self::HealthyHolder => 2,
            Self::Late(missed) | Self::Never(missed) => match missed {
                Missed::CreatedDeleted
                | Missed::DeletedRecreated
                | Missed::UnsuspendedCancelled
                | Missed::LeaseRecreated
                | Missed::LeaseReleased
                | Missed::PodRecreated => 1,
                Missed::SuspendedUnsuspended
                | Missed::CancelledDeleted
                | Missed::RunByAnother
                | Missed::LeaseGrantedReleased
                | Missed::LeaseRecreatedInRun => 2,
            },
        }
    }
}

pub(super) fn views() -> Vec<View> {
    use Missed as M;
    let missed = [
        M::CreatedDeleted,
        M::DeletedRecreated,
        M::SuspendedUnsuspended,
        M::UnsuspendedCancelled,
        M::CancelledDeleted,
        M::RunByAnother,
        M::LeaseGrantedReleased,
        M::LeaseRecreated,
        M::LeaseRecreatedInRun,
        M::LeaseReleased,
        M::PodRecreated,
    ];
    let since = [Since::Suspended, Since::Cancelled, Since::Deleted, Since::Recreated];
    let mut views: Vec<View> = missed.map(View::Late).to_vec();
    views.extend(missed.map(View::Never));
    views.extend(since.map(View::Old));
    views.extend([View::LeaseTaken, View::NameTaken, View::HealthyHolder]);
    views
}

pub(super) async fn tell(view: View) -> Told {
    let stage = Stage::new("view").await;
    let proxy = Proxy::start(&stage.space).await;
    let held = match view {
        View::HealthyHolder => Some(healthy(&stage).await),
        _ => None,
    };
    let starter = match &held {
        Some(_) => short(&stage, "one"),
        None => stage.operator("one"),
    };
    let operator = stage.behind(&proxy, starter).start();
    operator.ready().await;
    let mut operators = vec![operator];
    if let Some((holder, gate)) = held {
        outlasts(&stage, &proxy, &gate).await;
        operators.push(holder);
    }
    match view {
        View::Late(what) => misses(&stage, &proxy, what, false).await,
        View::Never(what) => misses(&stage, &proxy, what, true).await,
        View::Old(since) => looks_late(&stage, &proxy, since).await,
        View::LeaseTaken => lease_taken(&stage, &proxy).await,
        View::NameTaken => name_taken(&stage, &proxy).await,
        View::HealthyHolder => {}
    }
    stage.settled("").await;
    let deleted = [Missed::LeaseRecreated, Missed::LeaseRecreatedInRun];
    let deleted = deleted.into_iter().any(|it| [View::Late(it), View::Never(it)].contains(&view));
    let bounds = Bounds { lease_deleted: deleted, ..Bounds::runs(view.runs()) };
    let floor = Floor { runs: 1, rows: 1, ..Floor::default() };
    let rows = stage.end(operators, floor, bounds).await;
    Told { rows, writes: proxy.writes(), met: true }
}

/// The rest of the story after what it has missed.
enum Rest {
    /// The request is run, by whoever it may be.
    Runs,
    /// It is not run any more; the next one is.
    NextRuns,
}

async fn misses(stage: &Stage, proxy: &Proxy, what: Missed, never: bool) {
    let space = &stage.space;
    let gate = stage.github.hold(open_issues());
    before(stage, what).await;
    proxy.freeze_watches(true);
    let another = match what {
        Missed::RunByAnother | Missed::LeaseGrantedReleased => {
            gate.open();
            Some(stage.operator("two").start())
        }
        _ => None,
    };
    let rest = meanwhile(stage, what).await;
    if let Some(mut another) = another {
        succeeds(stage, "a").await;
        stage.settled("").await;
        another.kill();
    }
    if never {
        proxy.expire_watches();
    }
    proxy.freeze_watches(false);
    if what == Missed::LeaseReleased {
        // It was waited for; nothing else wakes the operator up.
        gate.open();
    }
    match (rest, what) {
        (Rest::Runs, Missed::DeletedRecreated) => {
            stage.space.free_lease().await;
            gate.open();
            succeeds(stage, "a").await;
        }
        (Rest::Runs, _) => {
            gate.open();
            succeeds(stage, "a").await;
        }
        (Rest::NextRuns, _) => {
            if what == Missed::UnsuspendedCancelled {
                assert_eq!(space.finished("a").await.phase(), Phase::Cancelled);
            }
            gate.open();
            space.manual("b").await;
            succeeds(stage, "b").await;
        }
    }
}

/// What the operator still sees.
async fn before(stage: &Stage, what: Missed) {
    let space = &stage.space;
    match what {
        Missed::CreatedDeleted | Missed::LeaseGrantedReleased | Missed::LeaseRecreated => {}
        Missed::SuspendedUnsuspended | Missed::CancelledDeleted | Missed::LeaseRecreatedInRun => {
            space.manual("a").await;
            space.in_phase("a", Phase::Running).await;
        }
        Missed::UnsuspendedCancelled => {
            let suspended =
                SyncRequestSpec { suspend: true, ..SyncRequestSpec::of(RunType::Manual) };
            space.create("a", suspended).await;
            space.request_when("a", "sleeps", sleeps).await;
        }
        Missed::DeletedRecreated | Missed::RunByAnother | Missed::LeaseReleased => {
            hold_lease(stage, "somebody", "").await;
            space.manual("a").await;
            space.in_phase("a", Phase::Queued).await;
        }
        Missed::PodRecreated => {
            let uid = create_pod(stage).await;
            hold_lease(stage, "holder", &uid).await;
            space.manual("a").await;
            space.in_phase("a", Phase::Queued).await;
        }
    }
}

async fn meanwhile(stage: &Stage, what: Missed) -> Rest {
    let space = &stage.space;
    match what {
        Missed::CreatedDeleted => {
            space.manual("a").await;
            delete(stage, "a").await;
            return Rest::NextRuns;
        }
        Missed::CancelledDeleted => {
            let uid = space.get("a").await.uid().expect("it has one");
            space.change("a", json!({"cancel": true})).await;
            delete(stage, "a").await;
            gone(stage, &uid).await;
            return Rest::NextRuns;
        }
        Missed::UnsuspendedCancelled => {
            space.change("a", json!({"suspend": false})).await;
            space.change("a", json!({"cancel": true})).await;
            return Rest::NextRuns;
        }
        Missed::LeaseRecreated => {
            recreate_lease(stage).await;
            return Rest::NextRuns;
        }
        Missed::DeletedRecreated => {
            delete(stage, "a").await;
            let other = SyncRequestSpec { priority: 5, ..SyncRequestSpec::of(RunType::Manual) };
            space.create("a", other).await;
        }
        Missed::SuspendedUnsuspended => {
            space.change("a", json!({"suspend": true})).await;
            space.change("a", json!({"suspend": false})).await;
        }
        Missed::RunByAnother | Missed::LeaseReleased => stage.space.free_lease().await,
        Missed::LeaseRecreatedInRun => recreate_lease(stage).await,
        Missed::PodRecreated => {
            let pods: Api<Pod> = Api::namespaced(space.client.clone(), &space.name);
            let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            pods.delete("holder", &at_once).await.expect("it is there");
            create_pod(stage).await;
        }
        Missed::LeaseGrantedReleased => {
            space.manual("a").await;
            succeeds(stage, "a").await;
            return Rest::NextRuns;
        }
    }
    match what {
        Missed::RunByAnother => {
            succeeds(stage, "a").await;
            Rest::NextRuns
        }
        _ => Rest::Runs,
    }
}

async fn recreate_lease(stage: &Stage) {
    delete_lease(stage).await;
    // The holder may have been quicker.
    let _ = stage.space.leases().create(&PostParams::default(), &vacant("singletrack")).await;
}

/// A pod that no node runs. Gives its uid.
async fn create_pod(stage: &Stage) -> String {
    let pods: Api<Pod> = Api::namespaced(stage.space.client.clone(), &stage.space.name);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "holder"},
        "spec": {"automountServiceAccountToken": false,
            "containers": [{"name": "it", "image": "none"}]}});
    let pod = serde_json::from_value(pod).expect("a pod");
    pods.create(&PostParams::default(), &pod).await.expect("a pod").uid().expect("it has one")
}

/// It has seen the request, and asks for the Lease; until the answer comes, the request changes.
async fn looks_late(stage: &Stage, proxy: &Proxy, since: Since) {
    let space = &stage.space;
    let gate = proxy.hold(Method::GET, "/leases/singletrack", "");
    let uid = space.manual("a").await.uid().expect("it has one");
    proxy.taken("/leases/singletrack").await;
    space.in_phase("a", Phase::Queued).await;
    proxy.freeze_watches(true);
    match since {
        Since::Suspended => space.change("a", json!({"suspend": true})).await,
        Since::Cancelled => space.change("a", json!({"cancel": true})).await,
        Since::Deleted => delete(stage, "a").await,
        Since::Recreated => {
            delete(stage, "a").await;
            space.manual("a").await;
        }
    }
    let before = proxy.calls();
    gate.send_replace(true);
    proxy.called_after(before, "/syncrequests/a").await;
    proxy.freeze_watches(false);
    match since {
        Since::Suspended => {
            space.request_when("a", "sleeps", sleeps).await;
            space.change("a", json!({"suspend": false})).await;
            return succeeds(stage, "a").await;
        }
        Since::Cancelled => assert_eq!(space.finished("a").await.phase(), Phase::Cancelled),
        Since::Deleted => gone(stage, &uid).await,
        Since::Recreated => return succeeds(stage, "a").await,
    }
    space.manual("b").await;
    succeeds(stage, "b").await;
}

async fn lease_taken(stage: &Stage, proxy: &Proxy) {
    let gate = proxy.hold(Method::PUT, "/leases/singletrack", "request-name");
    stage.space.manual("a").await;
    proxy.taken("/leases/singletrack").await;
    let mut another = stage.operator("two").start();
    succeeds(stage, "a").await;
    stage.settled("").await;
    another.kill();
    gate.send_replace(true);
    stage.space.manual("b").await;
    succeeds(stage, "b").await;
}

async fn name_taken(stage: &Stage, proxy: &Proxy) {
    let gate = proxy.hold(Method::DELETE, "/syncrequests/a", "");
    let ttl = Some(0);
    let of = SyncRequestSpec::of(RunType::Manual);
    let brief = SyncRequestSpec { ttl_seconds_after_finished: ttl, ..of };
    let uid = stage.space.create("a", brief).await.uid().expect("it has one");
    proxy.taken("/syncrequests/a").await;
    delete(stage, "a").await;
    gone(stage, &uid).await;
    let again = stage.space.manual("a").await.uid();
    gate.send_replace(true);
    succeeds(stage, "a").await;
    assert_eq!(stage.space.get("a").await.uid(), again);
}

/// An operator whose lock goes stale soon.
fn short(stage: &Stage, pod: &str) -> Starter {
    stage.starter(pod).times(Duration::from_secs(6), Duration::from_millis(600))
}

/// One that runs the request "a" and is kept from its end.
async fn healthy(stage: &Stage) -> (Operator, Gate) {
    let gate = stage.github.hold(open_issues());
    let holder = short(stage, "two").start();
    stage.space.manual("a").await;
    awaited("a page is held", gate.arrived()).await;
    stage.space.in_phase("a", Phase::Running).await;
    (holder, gate)
}

/// The holder renews the Lease for twice the duration, and another one sees nothing of it.
async fn outlasts(stage: &Stage, proxy: &Proxy, gate: &Gate) {
    proxy.freeze_watches(true);
    let renewals = Mutex::new(BTreeSet::new());
    let many = |lease: &Lease| {
        let mut renewals = renewals.lock().expect("not poisoned");
        renewals.insert(lease.resource_version());
        renewals.len() > 24
    };
    stage.space.lease_when("it is renewed again and again", many).await;
    stage.space.manual("b").await;
    proxy.freeze_watches(false);
    gate.open();
    succeeds(stage, "a").await;
    succeeds(stage, "b").await;
}
