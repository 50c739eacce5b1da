//! The life of requests that do not just run: suspended, late, failed, stalled, limited.

use http::{Method, StatusCode};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use singletrack::api::{Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::store::RunState;

use crate::requests::{github, holder, open_issues};
use crate::stand_in::{Fault, Matcher};
use crate::support::{Action, Namespace, Proxy, Rule, awaited, history, operator, phase_of, poll};

fn manual() -> SyncRequestSpec {
    SyncRequestSpec::of(RunType::Manual)
}

fn condition(request: &SyncRequest, name: &str) -> bool {
    let conditions = request.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|it| it.type_ == name && it.status == "True")
}

fn reason(request: &SyncRequest) -> &str {
    let status = request.status.as_ref();
    status.and_then(|status| status.reason.as_deref()).unwrap_or_default()
}

#[tokio::test]
async fn a_run_that_is_suspended_stops_and_goes_on_later_with_no_attempt_counted() {
    let space = Namespace::new("suspend").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("it").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("it", Phase::Running).await;
    space.change("it", json!({"suspend": true})).await;
    let sleeping = space.in_phase("it", Phase::Queued).await;
    assert!(condition(&sleeping, "Suspended") && !condition(&sleeping, "Finished"));
    assert_eq!(reason(&sleeping), "Suspended");
    assert_eq!(sleeping.status.unwrap().attempts, Some(0));
    space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
    gate.open();
    // Another one is not held up, and the first goes on when it may.
    space.manual("other").await;
    assert_eq!(phase_of(&space.finished("other").await), Phase::Succeeded);
    space.change("it", json!({"suspend": false})).await;
    let done = space.finished("it").await;
    assert_eq!(phase_of(&done), Phase::Succeeded);
    assert!(!condition(&done, "Suspended"));
    assert_eq!(done.status.unwrap().attempts, Some(1));
    let runs = history(folder.path()).await;
    let ends: Vec<_> = runs.iter().map(|run| (run.state, run.reason.as_deref())).collect();
    assert_eq!(ends[0], (RunState::Interrupted, Some("Suspended")));
}

#[tokio::test]
async fn an_answer_that_comes_late_does_not_hide_what_was_wanted_since() {
    let space = Namespace::new("hidden").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let proxy = Proxy::start(&space).await;
    let (answer, held) = tokio::sync::watch::channel(false);
    proxy.rule(Rule {
        method: Some(Method::PATCH),
        path: "/syncrequests/it/status",
        body: "\"reason\":\"Suspended\"",
        action: Action::HoldAnswer(held),
        times: 1,
    });
    let kubeconfig = proxy.kubeconfig(folder.path());
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    space.manual("it").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("it", Phase::Running).await;
    space.change("it", json!({"suspend": true})).await;
    space.in_phase("it", Phase::Queued).await;
    gate.open();
    // It is wanted again before the operator hears that its word of the stop was written.
    space.change("it", json!({"suspend": false})).await;
    space.request_when("it", "is queued again", |request| reason(request) == "Queued").await;
    poll("its watch has shown that too", async || {
        let log = operator.log();
        let mut parts = log.split("first in the queue").skip(2);
        parts.next()?.contains("step=Rest").then_some(())
    })
    .await;
    answer.send_replace(true);
    assert_eq!(phase_of(&space.finished("it").await), Phase::Succeeded);
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_others_until_the_limit() {
    let space = Namespace::new("retried").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let no = || Fault::message(StatusCode::FORBIDDEN, "Resource not accessible");
    let repository = || Matcher::get("/repos/acme/widgets-0");
    github.inject(repository(), 0, Some(1), no());
    let start =
        || operator(&space, &github, folder.path()).env("SINGLETRACK_RETRY_AFTER", "300ms").start();
    let _operator = start();
    space.manual("heals").await;
    let waiting = space.request_when("heals", "waits for its second attempt", |request| {
        reason(request) == "AttemptFailed"
    });
    let waiting = waiting.await.status.unwrap();
    assert!(waiting.next_attempt_at.is_some());
    assert!(waiting.message.unwrap().contains("Resource not accessible"));
    let healed = space.finished("heals").await.status.unwrap();
    assert_eq!((healed.phase, healed.attempts), (Phase::Succeeded, Some(2)));
    assert!(healed.next_attempt_at.is_none());

    github.inject(repository(), 0, None, no());
    space.create("never", SyncRequestSpec { backoff_limit: 1, ..manual() }).await;
    let failed = space.finished("never").await.status.unwrap();
    assert_eq!((failed.phase, failed.attempts), (Phase::Failed, Some(2)));
    assert_eq!(failed.reason.as_deref(), Some("AllRepositoriesFailed"));
    let runs = history(folder.path()).await;
    let ends: Vec<_> = runs.iter().map(|run| (run.state, run.is_final())).collect();
    let (failed, done) = (RunState::Failed, RunState::Succeeded);
    assert_eq!(ends, [(failed, false), (done, true), (failed, false), (failed, true)]);

    github.clear_faults();
    github.world(|world| world.delete_repository("acme/widgets-0"));
    space.manual("gone").await;
    let gone = space.finished("gone").await.status.unwrap();
    assert_eq!((gone.phase, gone.attempts), (Phase::Failed, Some(1)), "404 is not tried again");
}

#[tokio::test]
async fn a_deadline_counts_from_the_first_start_and_ends_a_run_and_a_wait() {
    let space = Namespace::new("deadline").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    let brief = || SyncRequestSpec { active_deadline_seconds: Some(1), ..manual() };
    space.create("runs", brief()).await;
    let late = space.finished("runs").await;
    assert_eq!((phase_of(&late), reason(&late)), (Phase::Failed, "DeadlineExceeded"));
    gate.open();
    let no = Fault::message(StatusCode::FORBIDDEN, "no");
    github.inject(Matcher::get("/repos/acme/widgets-0"), 0, None, no);
    // The pause before the second attempt is longer than the deadline.
    space.create("waits", brief()).await;
    let late = space.finished("waits").await;
    assert_eq!((phase_of(&late), reason(&late)), (Phase::Failed, "DeadlineExceeded"));
    assert_eq!(late.status.unwrap().attempts, Some(1));
}

#[tokio::test]
async fn a_deadline_ends_also_one_that_is_to_be_tried_again_and_waits_for_another_run() {
    let space = Namespace::new("waiting").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let _operator =
        operator(&space, &github, folder.path()).env("SINGLETRACK_RETRY_AFTER", "1s").start();
    let repository = Matcher::get("/repos/acme/widgets-0");
    let no = Fault::message(StatusCode::FORBIDDEN, "no");
    github.inject(repository.clone(), 0, Some(1), no);
    let first = github.hold(repository);
    let pages = github.hold(open_issues());
    let brief = SyncRequestSpec { active_deadline_seconds: Some(10), ..manual() };
    space.create("late", brief).await;
    awaited("the first attempt runs", first.arrived()).await;
    // It comes before the second attempt, however late that is.
    space.create("runs", SyncRequestSpec { priority: 1, ..manual() }).await;
    space.in_phase("runs", Phase::Queued).await;
    first.open();
    awaited("a page is held", pages.arrived()).await;
    assert_eq!(reason(&space.get("late").await), "AttemptFailed");
    let late = space.finished("late").await;
    assert_eq!((phase_of(&late), reason(&late)), (Phase::Failed, "DeadlineExceeded"));
    assert_eq!(phase_of(&space.get("runs").await), Phase::Running);
}

#[tokio::test]
async fn a_run_that_makes_no_progress_is_ended_and_tried_again() {
    let space = Namespace::new("stalled").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path())
        .env("SINGLETRACK_STALL_AFTER", "5s")
        .env("SINGLETRACK_RETRY_AFTER", "100ms")
        .start();
    space.manual("it").await;
    awaited("the call is given up", gate.dropped()).await;
    gate.open();
    let done = space.finished("it").await.status.unwrap();
    assert_eq!((done.phase, done.attempts), (Phase::Succeeded, Some(2)));
    let runs = history(folder.path()).await;
    assert_eq!((runs[0].state, runs[0].reason.as_deref()), (RunState::Failed, Some("Stalled")));
}

#[tokio::test]
async fn a_wait_for_githubs_limit_is_shown_and_is_no_stall_and_can_be_cancelled() {
    let space = Namespace::new("limited").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let limit = Fault::secondary_limit(StatusCode::FORBIDDEN).with_header("retry-after", "3600");
    github.inject(open_issues(), 0, Some(1), limit);
    let _operator =
        operator(&space, &github, folder.path()).env("SINGLETRACK_STALL_AFTER", "2s").start();
    space.manual("it").await;
    let limited = space
        .request_when("it", "waits for the limit", |request| condition(request, "RateLimited"));
    assert_eq!(phase_of(&limited.await), Phase::Running);
    // Longer than the stall time: what the operator writes next is the end.
    space.change("it", json!({"cancel": true})).await;
    let ended = space.finished("it").await;
    assert_eq!(phase_of(&ended), Phase::Cancelled);
    assert!(!condition(&ended, "RateLimited"));
}

#[tokio::test]
async fn a_wait_for_githubs_limit_is_shown_although_the_first_write_of_it_fails() {
    let space = Namespace::new("limited-late").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let limit = Fault::secondary_limit(StatusCode::FORBIDDEN).with_header("retry-after", "3600");
    github.inject(open_issues(), 0, Some(1), limit);
    let proxy = Proxy::start(&space).await;
    let busy = Action::Answer(StatusCode::SERVICE_UNAVAILABLE, String::new());
    let body = "\"/status/conditions\"";
    proxy.rule(Rule { body, times: 1, ..Rule::every("/syncrequests/it/status", busy) });
    let kubeconfig = proxy.kubeconfig(folder.path());
    let _operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    space.manual("it").await;
    proxy.taken("/syncrequests/it/status").await;
    space.request_when("it", "waits for the limit", |it| condition(it, "RateLimited")).await;
}

#[tokio::test]
async fn a_status_that_is_too_large_is_written_in_few_words() {
    let space = Namespace::new("large").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 5).await;
    let proxy = Proxy::start(&space).await;
    let too_large = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": "etcdserver: request is too large", "reason": "", "code": 500});
    proxy.rule(Rule {
        method: Some(Method::PATCH),
        path: "/syncrequests/it/status",
        body: "\"repositories\":[",
        action: Action::Answer(StatusCode::INTERNAL_SERVER_ERROR, too_large.to_string()),
        // The client asks again by itself where it may.
        times: 100,
    });
    let kubeconfig = proxy.kubeconfig(folder.path());
    let _operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    space.manual("it").await;
    let ended = space.finished("it").await;
    assert_eq!(phase_of(&ended), Phase::Succeeded);
    assert!(condition(&ended, "Ready"));
    let status = ended.status.unwrap();
    assert!(status.repositories.is_empty() && status.result.is_none());
    assert_eq!(history(folder.path()).await[0].repositories.len(), 0, "told by the history only");
}

#[tokio::test]
async fn two_operators_of_two_locks_share_a_namespace_and_leave_each_others_requests_alone() {
    let space = Namespace::new("tracks").await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let github = github(1, 10).await;
    let start = |folder: &tempfile::TempDir, lease: &str| {
        operator(&space, &github, folder.path()).env("SINGLETRACK_LEASE", lease).start()
    };
    let first = start(&one, "first");
    first.ready().await;
    let gate = github.hold(open_issues());
    space.manual("of-the-first").await;
    awaited("a page is held", gate.arrived()).await;
    let waits = space.manual("waits").await;
    space.in_phase("waits", Phase::Queued).await;
    let second = start(&two, "second");
    second.ready().await;
    // The other operator has its lock free, and must not take what waits for the first's.
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"touched": "yes"}}}));
    space.requests().patch(&waits.name_any(), &PatchParams::default(), &patch).await.unwrap();
    gate.open();
    for name in ["of-the-first", "waits"] {
        let status = space.finished(name).await.status.unwrap();
        assert_eq!(status.phase, Phase::Succeeded);
        assert_eq!(status.lock.unwrap().lease, format!("{}/first", space.name));
    }
    assert_eq!(history(one.path()).await.len(), 2);
    assert!(history(two.path()).await.is_empty());
}

#[tokio::test]
async fn an_attempt_that_dies_before_it_has_stored_anything_counts() {
    let space = Namespace::new("deadly").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(Matcher::get("/repos/acme/widgets-0"));
    space.create("deadly", SyncRequestSpec { backoff_limit: 1, ..manual() }).await;
    for attempt in 1..=2 {
        let mut operator = operator(&space, &github, folder.path())
            .env("SINGLETRACK_RETRY_AFTER", "100ms")
            .start();
        awaited("GitHub is asked", gate.arrived_times(attempt)).await;
        let running = space.request_when("deadly", "runs again", |request| {
            let status = request.status.as_ref().unwrap();
            let attempts = i64::try_from(attempt).ok();
            status.phase == Phase::Running && status.attempts == attempts
        });
        running.await;
        operator.kill();
    }
    let _last = operator(&space, &github, folder.path()).start();
    let ended = space.finished("deadly").await;
    assert_eq!((phase_of(&ended), reason(&ended)), (Phase::Failed, "BackoffLimitExceeded"));
    gate.open();
    space.manual("next").await;
    assert_eq!(phase_of(&space.finished("next").await), Phase::Succeeded);
}

#[tokio::test]
async fn an_operator_that_is_stopped_before_it_has_seen_anything_ends() {
    let space = Namespace::new("unlisted").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    proxy.rule(Rule::every("/syncrequests?", Action::DropCall));
    let mut operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    operator.says("works part=\"lease watch\"").await;
    proxy.taken("/syncrequests?").await;
    assert!(operator.terminate().await.success());
}

#[tokio::test]
async fn a_request_that_is_deleted_and_kept_by_a_finalizer_is_not_shown_as_running() {
    let space = Namespace::new("kept").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let mut page = github.hold(open_issues());
    let start = || operator(&space, &github, folder.path()).start();
    let mut operator = start();
    let finalizers = |names: &[&str]| Patch::Merge(json!({"metadata": {"finalizers": names}}));
    for (name, dies) in [("lives", false), ("dies", true)] {
        space.manual(name).await;
        let requests = space.requests();
        let keep = finalizers(&["example.com/keep"]);
        requests.patch(name, &PatchParams::default(), &keep).await.unwrap();
        awaited("a page is held", page.arrived()).await;
        space.in_phase(name, Phase::Running).await;
        if dies {
            operator.kill();
        }
        requests.delete(name, &DeleteParams::default()).await.unwrap();
        if dies {
            operator = start();
        }
        let ended = space.finished(name).await;
        assert_eq!((phase_of(&ended), reason(&ended)), (Phase::Cancelled, "Deleted"));
        requests.patch(name, &PatchParams::default(), &finalizers(&[])).await.unwrap();
        page.open();
        page = github.hold(open_issues());
    }
    drop(operator);
}
