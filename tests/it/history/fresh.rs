//! What must be read anew, written together, or asked once.

use std::time::Duration;

use http::{Method, StatusCode};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use singletrack::api::{Phase, RunType, SyncRequestSpec};

use super::scene::{Scene, hold_all};
use super::{Floor, Times};
use crate::coalesce::{paused, resume};
use crate::postgres::{begun, waiting};
use crate::requests::{github, open_issues};
use crate::support::{Action, Home, Proxy, Rule, awaited, poll, rows};

#[tokio::test]
async fn a_request_that_is_suspended_unseen_does_not_start() {
    let mut scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    // For so long it believes the paused Lease, while its watch is silent.
    scene.times = Times { stale_after: Duration::from_secs(3), ..scene.times };
    paused(&scene.space).await;
    let one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    scene.space.manual("a").await;
    scene.space.in_phase("a", Phase::Queued).await;
    let waits =
        async || one.metrics().await.contains("singletrack_waiting_requests 1").then_some(());
    poll("it has seen the request", waits).await;
    scene.proxy.freeze_watches(true);
    scene.space.change("a", json!({"suspend": true})).await;
    resume(&scene.space).await;
    let get = format!("GET /apis/singletrack.dev/v1alpha1/namespaces/{}", scene.space.name);
    poll("the request is read, or started", async || {
        let read = scene.proxy.count(&format!("{get}/syncrequests/a")) > 0;
        let started = scene.space.get("a").await.status.is_some_and(|it| it.run_number.is_some());
        (read || started).then_some(())
    })
    .await;
    scene.space.change("a", json!({"suspend": false})).await;
    scene.proxy.freeze_watches(false);
    scene.space.finished("a").await;
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 1, takeovers: 0, interrupted: 0, rows: 8 });
}

#[tokio::test]
async fn the_pod_of_a_silent_holder_is_asked_for_by_quorum() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let mut one = scene.start("one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    scene.space.manual("a").await;
    awaited("a page is held", page.arrived()).await;
    one.kill();
    page.open();
    let _two = scene.behind_proxy("two").await;
    scene.space.finished("a").await;
    assert!(scene.proxy.count("/pods/one") > 0, "the pod was asked for");
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 2, takeovers: 1, interrupted: 1, rows: 8 });
}

#[tokio::test]
async fn a_grant_that_is_answered_with_504_is_looked_for_and_not_repeated() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let late = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 504,
        "reason": "Timeout", "message": "the server was too slow"});
    scene.proxy.rule(Rule {
        method: Some(Method::PUT),
        path: "/leases/singletrack",
        body: "request-name",
        action: Action::AnswerInstead(StatusCode::GATEWAY_TIMEOUT, late.to_string()),
        times: 1,
    });
    scene.space.manual("a").await;
    scene.space.finished("a").await;
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 1, takeovers: 0, interrupted: 0, rows: 8 });
}

#[tokio::test]
async fn a_request_of_the_same_name_is_not_deleted_in_the_place_of_one_that_has_ended() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let delete = scene.proxy.hold(Method::DELETE, "/syncrequests/a", "");
    let spec = SyncRequestSpec::of(RunType::Manual);
    let short = SyncRequestSpec { ttl_seconds_after_finished: Some(0), ..spec.clone() };
    scene.space.create("a", short).await;
    scene.proxy.taken("DELETE").await;
    let params = DeleteParams::default();
    scene.space.requests().delete("a", &params).await.expect("it is there");
    let next = scene.space.create("a", spec).await;
    delete.send_replace(true);
    let ended = poll("the next one ends", async || {
        let now = scene.space.requests().get_opt("a").await.expect("an answer");
        now.is_none_or(|it| it.phase().is_terminal()).then_some(())
    });
    ended.await;
    let there = scene.space.requests().get_opt("a").await.expect("an answer");
    let uid = there.and_then(|it| it.uid());
    assert_eq!(uid, next.uid(), "the next request was deleted with the one before");
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 2, takeovers: 0, interrupted: 0, rows: 8 });
}

#[tokio::test]
async fn a_page_whose_rows_are_not_written_is_read_again() {
    let issues = 400;
    let scene = Scene::new(github(1, issues).await, Home::postgres().await).await;
    let mut one = scene.start("one").await;
    let recorder = scene.record().await;
    let url = scene.home.database().expect("it is on a server").url();
    let reader = scene.home.open();
    let lock = begun(url, "LOCK TABLE issues IN SHARE MODE").await;
    scene.space.manual("a").await;
    waiting(&reader, 1).await;
    one.kill();
    drop(lock);
    let _two = scene.start("two").await;
    scene.space.finished("a").await;
    let all = "SELECT number FROM issues UNION ALL SELECT number FROM pull_requests";
    let stored = rows(&reader, all).await.len();
    reader.close().await;
    assert_eq!(stored, issues, "issues are missing: their page was never read again");
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 2, takeovers: 1, interrupted: 1, rows: 8 });
}

/// The watch of the one that goes on is so late that it shows another request as the first: the run that
/// was left behind is seen to before that one is shown as running.
#[tokio::test]
async fn a_run_that_was_left_behind_unseen_is_repaired_before_the_next_one() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await.patient();
    let behind = Proxy::start(&scene.space).await;
    let mut one = scene.behind(&behind, "one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let status = "/syncrequests/left/status";
    let running = hold_all(&behind, Some(Method::PATCH), status, "\"phase\":\"Running\"");
    scene.space.manual("left").await;
    behind.taken(status).await;
    let two = scene.behind_proxy("two").await;
    let first = SyncRequestSpec { priority: 5, ..SyncRequestSpec::of(RunType::Manual) };
    scene.space.create("first", first).await;
    scene.space.in_phase("first", Phase::Queued).await;
    two.metric("singletrack_waiting_requests 2").await;
    scene.proxy.freeze_watches(true);
    running.send_replace(true);
    scene.space.in_phase("left", Phase::Running).await;
    awaited("it reads", page.arrived()).await;
    one.kill();
    page.open();
    for name in ["first", "left"] {
        scene.space.finished(name).await;
    }
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 3, takeovers: 1, interrupted: 1, rows: 8 });
}
