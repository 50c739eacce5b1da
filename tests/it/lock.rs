//! The lock against a real API server: killed, paused, cut off.

use std::time::Duration;

use chrono::TimeDelta;
use http::{Method, StatusCode};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use singletrack::api::Phase;
use singletrack::lease::vacant;
use singletrack::process::clock::Clock;
use singletrack::store::{RunState, Sqlite};

use crate::requests::{github, holder, open_issues};
use crate::support::{Action, Namespace, Pod, Proxy, Rule, awaited, history, operator, phase_of};

const HEARTBEAT: Duration = Duration::from_secs(1);
/// Far longer than any test: who is replaced before was replaced for a better reason than silence.
const LONG: Duration = Duration::from_secs(1800);

#[tokio::test]
async fn the_same_pod_takes_over_from_its_killed_self_at_once() {
    let takeover = killed_and_started_again(&Pod::named("same"), &Pod::named("same")).await;
    assert_eq!(takeover.as_deref(), Some("OwnEarlier"));
}

#[tokio::test]
async fn another_pod_takes_over_from_a_killed_one_after_three_heartbeats() {
    let takeover = killed_and_started_again(&Pod::named("one"), &Pod::named("other")).await;
    assert_eq!(takeover.as_deref(), Some("PodGone"));
}

/// Kills an operator in the middle of its only request and starts one that says it is `then`. Gives
/// the reason of the takeover.
async fn killed_and_started_again(first: &Pod, then: &Pod) -> Option<String> {
    let space = Namespace::new("killed").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let start = |pod: &Pod| {
        operator(&space, &github, folder.path()).pod(pod).times(LONG, HEARTBEAT).start()
    };
    let mut killed = start(first);
    space.manual("only").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("only", Phase::Running).await;
    killed.kill();
    gate.open();
    let _next = start(then);
    let request = space.finished("only").await;
    assert_eq!(phase_of(&request), Phase::Succeeded);
    assert_eq!(request.status.unwrap().run_number, Some(2));
    let runs = history(folder.path()).await;
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Interrupted, RunState::Succeeded]);
    space.event("only", "TakenOver").await;
    runs[1].takeover_reason.clone()
}

#[tokio::test]
async fn a_lease_of_somebody_who_died_long_ago_is_taken_over() {
    let space = Namespace::new("old").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let mut lease = vacant("singletrack");
    let old = json!({"spec": {
        "holderIdentity": "somebody-else",
        "leaseDurationSeconds": 1800,
        "renewTime": (Clock::default().now() - TimeDelta::minutes(31)).format("%FT%T%.6fZ").to_string(),
    }});
    lease = space.leases().create(&PostParams::default(), &lease).await.unwrap();
    let params = PatchParams::default();
    space.leases().patch(&lease.name_any(), &params, &Patch::Merge(old)).await.unwrap();

    let _operator = operator(&space, &github, folder.path()).times(LONG, HEARTBEAT).start();
    space.manual("next").await;
    assert_eq!(phase_of(&space.finished("next").await), Phase::Succeeded);
    let runs = history(folder.path()).await;
    assert_eq!(runs[0].takeover_reason.as_deref(), Some("LongDead"));
}

#[tokio::test]
async fn a_healthy_run_that_is_longer_than_the_duration_is_never_taken_over() {
    let space = Namespace::new("healthy").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let start = |name: &str| {
        operator(&space, &github, folder.path())
            .pod(&Pod::without_uid(name))
            .times(Duration::from_secs(12), Duration::from_secs(1))
            .start()
    };
    let first = start("first");
    space.manual("long").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("long", Phase::Running).await;
    let _second = start("second");
    space.manual("waits").await;
    space.in_phase("waits", Phase::Queued).await;

    // Longer than two durations, told by the holder's own heartbeats.
    let renewals = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let many = |lease: &k8s_openapi::api::coordination::v1::Lease| {
        let mut renewals = renewals.lock().unwrap();
        renewals.insert(lease.resource_version());
        renewals.len() > 25
    };
    space.lease_when("more than twenty-five renewals", many).await;
    assert_eq!(phase_of(&space.get("waits").await), Phase::Queued);
    gate.open();
    assert_eq!(phase_of(&space.finished("waits").await), Phase::Succeeded);
    for run in first.history().await {
        assert_eq!((run.state, run.takeover_reason), (RunState::Succeeded, None));
    }
}

#[tokio::test]
async fn a_paused_holder_that_wakes_up_after_a_takeover_writes_nothing() {
    let space = Namespace::new("paused").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 40).await;
    let gate = github.hold(open_issues());
    let start = |name: &str| {
        operator(&space, &github, folder.path())
            .pod(&Pod::without_uid(name))
            .times(Duration::from_secs(4), Duration::from_secs(1))
            .start()
    };
    let sleeper = start("sleeper");
    space.manual("late").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("late", Phase::Running).await;
    sleeper.pause();

    let second = start("second");
    // Only its own question is answered; the sleeper's stays on the way.
    awaited("the second one asks", gate.arrived_times(2)).await;
    gate.open();
    assert_eq!(phase_of(&space.finished("late").await), Phase::Succeeded);
    let runs = second.history().await;
    // Which of the two is seen first depends on when the second one has first looked.
    let why = runs[1].takeover_reason.as_deref();
    assert!(matches!(why, Some("Silent" | "LongDead")), "{why:?}");
    let before = dump(folder.path()).await;

    sleeper.go_on();
    space.event("late", "Superseded").await;
    assert_eq!(dump(folder.path()).await, before, "a late write was accepted");
    assert_eq!(second.history().await[0].state, RunState::Interrupted);
    assert_eq!(phase_of(&space.get("late").await), Phase::Succeeded);
}

/// All that a run can write.
async fn dump(folder: &std::path::Path) -> Vec<Vec<Vec<String>>> {
    let store = Sqlite::read_only(&folder.join("store.db"));
    let mut tables = Vec::new();
    for table in [
        "repositories",
        "issues",
        "pull_requests",
        "sync_runs",
        "sync_cursors",
        "sync_etags",
        "sync_run_repositories",
        "sync_quarantine",
        "sync_fence",
    ] {
        let (_, rows) = store.query(&format!("SELECT * FROM {table}")).await.unwrap();
        tables.push(rows);
    }
    store.close().await;
    tables
}

#[tokio::test]
async fn a_terminal_phase_cannot_be_overwritten() {
    let space = Namespace::new("terminal").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("done").await;
    space.finished("done").await;
    for status in [json!({"phase": "Running"}), json!({"runNumber": 0}), serde_json::Value::Null] {
        let patch = Patch::Merge(json!({"status": status}));
        let refused = space.requests().patch_status("done", &PatchParams::default(), &patch).await;
        let Err(kube::Error::Api(status)) = refused else { panic!("{patch:?} was accepted") };
        assert_eq!(status.code, 422);
    }
    assert_eq!(phase_of(&space.get("done").await), Phase::Succeeded);
}

#[tokio::test]
async fn a_replica_with_an_old_view_does_not_run_a_finished_request_again() {
    let space = Namespace::new("oldview").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let runner = operator(&space, &github, folder.path())
        .pod(&Pod::named("runner"))
        .times(LONG, HEARTBEAT)
        .start();
    space.manual("once").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("once", Phase::Running).await;

    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let lagging = operator(&space, &github, folder.path())
        .pod(&Pod::named("lagging"))
        .times(LONG, HEARTBEAT)
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    lagging.ready().await;
    proxy.freeze_watches(true);
    let before = proxy.calls();
    gate.open();
    space.finished("once").await;
    space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
    // Its timer makes it look: the request is still the head for it, and the Lease is free.
    proxy.called_after(before, "/syncrequests/once").await;
    proxy.freeze_watches(false);
    space.manual("another").await;
    assert_eq!(phase_of(&space.finished("another").await), Phase::Succeeded);
    let runs = runner.history().await;
    let names: Vec<_> = runs.iter().filter_map(|run| run.name.as_deref()).collect();
    assert_eq!(names, ["once", "another"]);
    assert_eq!(runs[1].number.0, 2, "no ticket was burnt");
}

#[tokio::test]
async fn a_crash_between_run_record_and_status_is_repaired_without_a_second_run() {
    let space = Namespace::new("repair").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let mut first = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    let _held = proxy.hold(Method::PATCH, "/syncrequests/torn/status", "\"phase\":\"Succeeded\"");
    space.manual("torn").await;
    proxy.taken("/syncrequests/torn/status").await;
    assert_eq!(phase_of(&space.get("torn").await), Phase::Running);
    first.kill();

    let second = operator(&space, &github, folder.path()).start();
    let status = space.finished("torn").await.status.unwrap();
    assert_eq!((status.phase, status.run_number), (Phase::Succeeded, Some(1)));
    assert_eq!(status.result.unwrap().created, 10);
    assert_eq!(second.history().await.len(), 1);
}

#[tokio::test]
async fn a_grant_whose_answer_is_lost_is_found() {
    let space = Namespace::new("lost").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    proxy.rule(Rule {
        method: Some(Method::PUT),
        path: "/leases/singletrack",
        body: "request-name",
        action: Action::DropAnswer,
        times: 1,
    });
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .times(Duration::from_secs(12), HEARTBEAT)
        .start();
    space.manual("found").await;
    assert_eq!(phase_of(&space.finished("found").await), Phase::Succeeded);
    let runs = operator.history().await;
    assert_eq!((runs.len(), runs[0].number.0), (1, 1), "one ticket, one run");
}

#[tokio::test]
async fn a_grant_that_lands_after_its_asker_gave_up_keeps_nobody_waiting() {
    let space = Namespace::new("late").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let gate = proxy.hold(Method::PUT, "/leases/singletrack", "request-name");
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .times(LONG, HEARTBEAT)
        .start();
    let request = space.manual("gone").await;
    proxy.taken("/leases/singletrack").await;
    // While the grant is on its way, its request goes; nobody else waits.
    let params = kube::api::DeleteParams::default();
    space.requests().delete("gone", &params).await.unwrap();
    let before = proxy.calls();
    let lease = format!("/namespaces/{}/leases/singletrack", space.name);
    proxy.called_after(before, &format!("answered GET /apis/coordination.k8s.io/v1{lease}")).await;
    // Its first release is not done.
    proxy.rule(Rule {
        method: Some(Method::PUT),
        body: "\"holderIdentity\":\"\"",
        times: 1,
        ..Rule::every(
            "/leases/singletrack",
            Action::Answer(StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        )
    });
    gate.send_replace(true);
    let free = |lease: &k8s_openapi::api::coordination::v1::Lease| {
        holder(lease).is_empty() && lease.spec.as_ref().unwrap().lease_transitions == Some(1)
    };
    space.lease_when("the leftover is released", free).await;
    space.manual("next").await;
    assert_eq!(phase_of(&space.finished("next").await), Phase::Succeeded);
    let runs = operator.history().await;
    assert!(runs.iter().all(|run| run.uid != request.uid()), "nothing ran for it");
}

#[tokio::test]
async fn an_operator_that_may_not_use_the_lease_says_so_and_recovers() {
    let space = Namespace::new("forbidden").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let no = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
        "reason": "Forbidden", "message": "leases is forbidden"});
    proxy.rule(Rule {
        method: Some(Method::GET),
        path: "/leases/singletrack",
        body: "",
        action: Action::Answer(StatusCode::FORBIDDEN, no.to_string()),
        times: usize::MAX,
    });
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    let said = operator.ready_when(|_, text| text.contains("lease: not allowed")).await;
    assert!(said.contains("create and update on leases.coordination.k8s.io"), "{said}");
    proxy.clear();
    operator.ready().await;
    space.manual("after").await;
    assert_eq!(phase_of(&space.finished("after").await), Phase::Succeeded);
}

/// The calls after which nothing is heard, though the connection stays: a run neither waits for ever nor
/// takes its own write for somebody else's.
#[tokio::test]
async fn a_status_whose_answer_is_lost_is_found() {
    for phase in ["\"phase\":\"Queued\"", "\"phase\":\"Running\"", "\"phase\":\"Succeeded\""] {
        let space = Namespace::new("unheard").await;
        let folder = tempfile::tempdir().unwrap();
        let github = github(1, 10).await;
        let proxy = Proxy::start(&space).await;
        let kubeconfig = proxy.kubeconfig(folder.path());
        proxy.rule(Rule {
            method: Some(Method::PATCH),
            path: "/syncrequests/found/status",
            body: phase,
            action: Action::DropAnswer,
            times: 1,
        });
        let operator = operator(&space, &github, folder.path())
            .env("KUBECONFIG", kubeconfig.to_str().unwrap())
            .start();
        space.manual("found").await;
        assert_eq!(phase_of(&space.finished("found").await), Phase::Succeeded, "{phase}");
        let runs = operator.history().await;
        assert_eq!(runs.len(), 1, "{phase}");
        assert_eq!(runs[0].state, RunState::Succeeded, "{phase}");
        space.event("found", "Completed").await;
    }
}

#[tokio::test]
async fn an_event_that_finds_no_api_server_is_published_later() {
    let space = Namespace::new("told").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let no = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500,
        "reason": "InternalError", "message": "etcd is away"});
    proxy.rule(Rule {
        method: Some(Method::POST),
        path: "/events",
        body: "Completed",
        action: Action::Answer(StatusCode::INTERNAL_SERVER_ERROR, no.to_string()),
        times: 2,
    });
    let _operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    space.manual("done").await;
    space.event("done", "Completed").await;
}
