//! The life of requests against a real API server.

use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use kube::api::DeleteParams;
use kube::runtime::wait::await_condition;
use kube::runtime::wait::conditions::is_deleted;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::store::RunState;

use crate::stand_in::{Matcher, StandIn, World};
use crate::support::{Namespace, Pod, TOKEN, awaited, history, operator, phase_of};

/// A stand-in with a few repositories, that asks for the token of the tests.
pub(crate) async fn github(repositories: usize, issues: usize) -> StandIn {
    let mut world = World::generate(7, repositories, issues);
    world.token = Some(TOKEN.to_owned());
    StandIn::start(world).await
}

/// The first page of a repository's open issues.
pub(crate) fn open_issues() -> Matcher {
    Matcher::get("/repos/acme/widgets-0/issues").with("state", "open")
}

#[tokio::test]
async fn twenty_requests_and_two_operators_make_one_run_at_a_time() {
    let space = Namespace::new("twenty").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(2, 120).await;
    let one = operator(&space, &github, folder.path()).pod(&Pod::named("one")).start();
    let two = operator(&space, &github, folder.path()).pod(&Pod::named("two")).start();
    one.ready().await;
    two.ready().await;

    let names: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
    join_all(names.iter().enumerate().map(|(n, name)| {
        let type_ = if n % 3 == 0 { RunType::Scheduled } else { RunType::Manual };
        space.create(name, SyncRequestSpec::of(type_))
    }))
    .await;
    let mut finished = join_all(names.iter().map(|name| space.finished(name))).await;

    for request in &finished {
        assert_eq!(phase_of(request), Phase::Succeeded, "{request:?}");
    }
    let runs = history(folder.path()).await;
    assert_eq!(runs.len(), 20);
    for (earlier, later) in runs.iter().zip(runs.iter().skip(1)) {
        assert!(earlier.number < later.number);
        assert!(earlier.completed_at.unwrap() <= later.started_at, "{earlier:?} {later:?}");
        assert_eq!(earlier.state, RunState::Succeeded);
    }
    finished.sort_by_key(|request| request.status.as_ref().unwrap().run_number);
    for pair in finished.windows(2) {
        let [earlier, later] = pair else { unreachable!("windows of two") };
        let ended_at = earlier.status.as_ref().unwrap().completion_time.unwrap();
        assert!(ended_at <= later.status.as_ref().unwrap().start_time.unwrap());
    }
    let uids: std::collections::BTreeSet<_> =
        runs.iter().filter_map(|run| run.uid.clone()).collect();
    assert_eq!(uids.len(), 20, "none has run twice");
}

#[tokio::test]
async fn reject_ends_at_once_while_a_run_goes_on_and_runs_when_nothing_does() {
    let space = Namespace::new("reject").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("first").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("first", Phase::Running).await;

    let reject = SyncRequestSpec {
        concurrency_policy: ConcurrencyPolicy::Reject,
        ..SyncRequestSpec::of(RunType::Manual)
    };
    space.create("refused", reject.clone()).await;
    let refused = space.finished("refused").await.status.unwrap();
    assert_eq!(refused.phase, Phase::Rejected);
    assert_eq!(refused.reason.as_deref(), Some("AlreadyRunning"));
    assert!(refused.message.as_deref().unwrap().starts_with("first has been running since "));

    gate.open();
    space.finished("first").await;
    space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
    space.create("welcome", reject).await;
    assert_eq!(phase_of(&space.finished("welcome").await), Phase::Succeeded);
}

pub(crate) fn holder(lease: &k8s_openapi::api::coordination::v1::Lease) -> String {
    let spec = lease.spec.as_ref();
    spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_running_request_that_is_deleted_frees_the_lock_before_its_page_is_answered() {
    let space = Namespace::new("deleted").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("doomed").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("doomed", Phase::Running).await;

    space.requests().delete("doomed", &DeleteParams::default()).await.unwrap();
    space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
    assert_eq!(
        github.requests().iter().filter(|r| r.status == Some(200)).count(),
        1,
        "the page is not answered"
    );
    let runs = history(folder.path()).await;
    assert_eq!((runs[0].state, runs[0].reason.as_deref()), (RunState::Cancelled, Some("Deleted")));
    gate.open();
    space.manual("next").await;
    assert_eq!(phase_of(&space.finished("next").await), Phase::Succeeded);
}

#[tokio::test]
async fn a_cancelled_waiter_leaves_at_once_and_a_cancelled_run_stops() {
    let space = Namespace::new("cancelled").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("runs").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("runs", Phase::Running).await;
    space.manual("waits").await;
    space.in_phase("waits", Phase::Queued).await;

    space.change("waits", json!({"cancel": true})).await;
    assert_eq!(phase_of(&space.finished("waits").await), Phase::Cancelled);
    assert_eq!(phase_of(&space.get("runs").await), Phase::Running, "the other one goes on");

    space.change("runs", json!({"cancel": true})).await;
    assert_eq!(phase_of(&space.finished("runs").await), Phase::Cancelled);
    space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
    let runs = history(folder.path()).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].state, RunState::Cancelled);
}

/// Whether all of the status is about the spec as it is: kubectl does not believe a condition of an
/// older one, and waits on.
fn is_observed(request: &SyncRequest) -> bool {
    let now = request.metadata.generation;
    let status = request.status.as_ref().unwrap();
    let mut conditions = status.conditions.iter();
    status.observed_generation == now && conditions.all(|it| it.observed_generation == now)
}

#[tokio::test]
async fn whoever_waits_for_a_condition_sees_an_end_that_came_of_a_changed_spec() {
    let space = Namespace::new("observed").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("runs").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("runs", Phase::Running).await;
    space.change("runs", json!({"suspend": true})).await;
    let suspended = space.in_phase("runs", Phase::Queued).await;
    assert!(is_observed(&suspended), "{:?}", suspended.status);
    space.change("runs", json!({"suspend": false})).await;
    space.in_phase("runs", Phase::Running).await;
    space.change("runs", json!({"cancel": true})).await;
    let ended = space.finished("runs").await;
    assert!(is_observed(&ended), "{:?}", ended.status);
    space.change("runs", json!({"suspend": true})).await;
    space.request_when("runs", "is observed once more", is_observed).await;
}

#[tokio::test]
async fn a_finished_request_is_deleted_after_its_ttl() {
    let space = Namespace::new("ttl").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let _operator = operator(&space, &github, folder.path()).start();
    let spec = SyncRequestSpec {
        ttl_seconds_after_finished: Some(1),
        ..SyncRequestSpec::of(RunType::Manual)
    };
    let uid = space.create("brief", spec).await.uid().unwrap();
    space.manual("lasting").await;
    space.finished("lasting").await;
    let gone = await_condition(space.requests(), "brief", is_deleted(&uid));
    awaited("it is deleted", gone).await.unwrap();
    assert_eq!(phase_of(&space.get("lasting").await), Phase::Succeeded, "no TTL, not deleted");
    let runs = history(folder.path()).await;
    assert!(runs.iter().any(|run| run.uid.as_ref() == Some(&uid)), "it did run");
}

#[tokio::test]
async fn higher_priority_runs_first_and_among_equals_the_older_one() {
    let space = Namespace::new("order").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("first").await;
    awaited("a page is held", gate.arrived()).await;
    for (name, priority) in [("low", 0), ("lower", 0), ("high", 50), ("higher", 100)] {
        let spec = SyncRequestSpec { priority, ..SyncRequestSpec::of(RunType::Manual) };
        space.create(name, spec).await;
        space.in_phase(name, Phase::Queued).await;
    }
    gate.open();
    for name in ["low", "lower", "high", "higher"] {
        space.finished(name).await;
    }
    let runs = history(folder.path()).await;
    let order: Vec<_> = runs.iter().filter_map(|run| run.name.as_deref()).collect();
    assert_eq!(order, ["first", "higher", "high", "low", "lower"]);
}

#[tokio::test]
async fn a_suspended_request_holds_nobody_up() {
    let space = Namespace::new("suspended").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let _operator = operator(&space, &github, folder.path()).start();
    let spec =
        SyncRequestSpec { suspend: true, priority: 100, ..SyncRequestSpec::of(RunType::Manual) };
    space.create("sleeps", spec).await;
    space.in_phase("sleeps", Phase::Queued).await;
    space.manual("runs").await;
    assert_eq!(phase_of(&space.finished("runs").await), Phase::Succeeded);
    assert_eq!(phase_of(&space.get("sleeps").await), Phase::Queued);
    space.change("sleeps", json!({"suspend": false})).await;
    assert_eq!(phase_of(&space.finished("sleeps").await), Phase::Succeeded);
}

#[tokio::test]
async fn an_operator_that_is_told_to_stop_queues_its_request_and_frees_the_lock() {
    let space = Namespace::new("stopped").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let mut first = operator(&space, &github, folder.path()).start();
    space.manual("long").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("long", Phase::Running).await;

    assert!(first.terminate().await.success());
    let status = space.get("long").await.status.unwrap();
    assert_eq!(status.phase, Phase::Queued);
    assert_eq!(status.reason.as_deref(), Some("OperatorStopped"));
    assert_eq!(status.attempts, Some(0), "the attempt is not counted");
    assert_eq!(holder(&space.leases().get("singletrack").await.unwrap()), "");
    gate.open();

    let _second = operator(&space, &github, folder.path()).start();
    assert_eq!(phase_of(&space.finished("long").await), Phase::Succeeded);
    let runs: Vec<_> = history(folder.path()).await.iter().map(|run| run.state).collect();
    assert_eq!(runs, [RunState::Interrupted, RunState::Succeeded]);
}

#[tokio::test]
async fn every_change_of_phase_is_an_event_and_progress_is_shown() {
    let space = Namespace::new("events").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(2, 30).await;
    let last = Matcher::get("/repos/acme/widgets-1/issues").with("state", "closed");
    let gate = github.hold(last);
    let _operator =
        operator(&space, &github, folder.path()).env("SINGLETRACK_PARALLEL", "1").start();
    space.manual("shown").await;
    awaited("a page is held", gate.arrived()).await;
    let half = space
        .request_when("shown", "is half done", |request| {
            let progress = request.status.as_ref().and_then(|status| status.progress.clone());
            progress.is_some_and(|progress| progress.summary == "1/2")
        })
        .await;
    let progress = half.status.unwrap().progress.unwrap();
    assert!(progress.items_fetched > 30, "{progress:?}");
    gate.open();
    let status = space.finished("shown").await.status.unwrap();
    assert_eq!(status.result.as_ref().unwrap().created, 60);
    assert_eq!(status.repositories.len(), 2);
    for reason in ["Queued", "Started", "Completed"] {
        space.event("shown", reason).await;
    }
}

#[tokio::test]
async fn an_idle_cluster_is_left_alone_for_a_minute() {
    let space = Namespace::new("idle").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let short = |name: &str| {
        operator(&space, &github, folder.path())
            .pod(&Pod::named(name))
            .times(Duration::from_secs(6), Duration::from_secs(1))
            .start()
    };
    let (one, two) = (short("one"), short("two"));
    one.ready().await;
    two.ready().await;
    space.manual("done").await;
    space.finished("done").await;
    space.event("done", "Completed").await;
    space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;

    let requests: Api<SyncRequest> = space.requests();
    let config = watcher::Config::default;
    let leases = watcher(space.leases(), config()).default_backoff().touched_objects();
    let requests = watcher(requests, config()).default_backoff().touched_objects();
    let mut writes = futures::stream::select(
        leases.map_ok(|_| "a Lease").boxed(),
        requests.map_ok(|_| "a SyncRequest").boxed(),
    );
    // The first listing shows what is there.
    for _ in 0..2 {
        awaited("the listing", writes.next()).await;
    }
    let minute = tokio::time::timeout(Duration::from_secs(60), writes.next()).await;
    assert!(minute.is_err(), "{minute:?} was written");
}
