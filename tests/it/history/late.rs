//! What arrives when another has been granted the Lease by then: pages, answers, grants, a status.

use std::time::Duration;

use http::Method;
use kube::api::DeleteParams;
use singletrack::api::{Phase, RunType, SyncRequestSpec};

use super::scene::{Scene, hold_all};
use super::{Floor, Times};
use crate::requests::{github, open_issues};
use crate::stand_in::Matcher;
use crate::support::{Home, PATIENCE, Proxy, awaited};

/// The request of a grant stands in it.
const GRANT: &str = "request-name";

fn of(repository: &str, priority: i32) -> SyncRequestSpec {
    let repository = repository.to_owned().try_into().expect("a name");
    let repositories = Some(vec![repository]);
    SyncRequestSpec { repositories, priority, ..SyncRequestSpec::of(RunType::Manual) }
}

#[tokio::test]
async fn a_holder_whose_renewals_hang_writes_nothing_after_the_next_one() {
    let scene = Scene::new(github(2, 10).await, Home::sqlite()).await.patient();
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let closed = Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
    let closed = scene.github.hold(closed);
    let other = scene.github.hold(Matcher::get("/repos/acme/widgets-1/issues"));
    scene.space.create("a", of("acme/widgets-0", 0)).await;
    awaited("a page is held", page.arrived()).await;
    let _two = scene.start("two").await;
    scene.space.create("b", of("acme/widgets-1", 10)).await;
    scene.space.in_phase("b", Phase::Queued).await;
    let held = scene.hold_lease();
    awaited("the next one runs", other.arrived()).await;
    page.open();
    tokio::select! {
        _ = scene.space.event("a", "Superseded") => {}
        _ = closed.arrived() => {}
    }
    drop((closed, other));
    held.send_replace(true);
    for name in ["a", "b"] {
        scene.space.finished(name).await;
    }
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 3, takeovers: 1, interrupted: 1, rows: 8 });
}

#[tokio::test]
async fn a_grant_whose_answer_comes_after_the_next_one_activates_nothing() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let behind = Proxy::start(&scene.space).await;
    let _one = scene.behind_proxy("one").await;
    let _two = scene.behind(&behind, "two").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let looks = hold_all(&behind, Some(Method::GET), "/leases/singletrack", "");
    let answer = scene.proxy.hold_answer(Method::PUT, "/leases/singletrack", GRANT);
    scene.space.manual("a").await;
    scene.proxy.taken("/leases/singletrack").await;
    looks.send_replace(true);
    awaited("the next one runs", page.arrived()).await;
    let before = scene.proxy.calls();
    answer.send_replace(true);
    // It asks the store, and then it renews the Lease or gives it back.
    scene.proxy.called_after(before, "answered PUT").await;
    page.open();
    // Where it was activated all the same, the request has no end; the history says why.
    let _ = tokio::time::timeout(PATIENCE / 3, scene.space.finished("a")).await;
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 1, takeovers: 1, interrupted: 0, rows: 8 });
}

#[tokio::test]
async fn a_grant_over_a_lease_that_has_been_granted_since_is_refused() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    // It has judged the Lease, and hears late of the request.
    let answer = scene.proxy.hold_answer(Method::GET, "/syncrequests/a", "");
    scene.space.manual("a").await;
    scene.proxy.taken("/syncrequests/a").await;
    let _two = scene.start("two").await;
    awaited("the other one runs", page.arrived()).await;
    let before = scene.proxy.calls();
    answer.send_replace(true);
    scene.proxy.called_after(before, "answered PUT").await;
    page.open();
    scene.space.finished("a").await;
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 1, takeovers: 0, interrupted: 0, rows: 8 });
}

#[tokio::test]
async fn a_grant_of_a_lease_that_is_gone_is_none() {
    let mut scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    // The other one learns late that the Lease is gone, and does not create it before.
    scene.times = Times { heartbeat: Duration::from_secs(5), ..scene.times };
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let grant = scene.proxy.hold(Method::PUT, "/leases/singletrack", GRANT);
    scene.space.manual("a").await;
    scene.proxy.taken("/leases/singletrack").await;
    let _two = scene.start("two").await;
    awaited("the other one runs", page.arrived()).await;
    let params = DeleteParams::default();
    scene.space.leases().delete("singletrack", &params).await.expect("it is there");
    let before = scene.proxy.calls();
    grant.send_replace(true);
    scene.proxy.called_after(before, "answered POST /apis/coordination").await;
    page.open();
    scene.space.finished("a").await;
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 1, takeovers: 0, interrupted: 0, rows: 8 });
}

#[tokio::test]
async fn a_status_that_arrives_after_the_end_changes_nothing() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let status = "/syncrequests/a/status";
    let running = hold_all(&scene.proxy, Some(Method::PATCH), status, "\"phase\":\"Running\"");
    scene.space.manual("a").await;
    scene.proxy.taken(status).await;
    let _held = scene.hold_lease();
    let _two = scene.start("two").await;
    scene.space.finished("a").await;
    running.send_replace(true);
    scene.space.event("a", "Superseded").await;
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 2, takeovers: 1, interrupted: 1, rows: 8 });
}

#[tokio::test]
async fn a_place_in_the_queue_that_arrives_while_the_request_runs_changes_nothing() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await.patient();
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let status = "/syncrequests/a/status";
    let queued = scene.proxy.hold(Method::PATCH, status, "\"phase\":\"Queued\"");
    scene.space.manual("a").await;
    scene.proxy.taken(status).await;
    let _two = scene.start("two").await;
    awaited("the other one runs it", page.arrived()).await;
    scene.space.in_phase("a", Phase::Running).await;
    let before = scene.proxy.calls();
    queued.send_replace(true);
    scene.proxy.called_after(before, "answered PATCH").await;
    let now = scene.space.get("a").await.phase();
    assert_eq!(now, Phase::Running, "a request that runs was put back into the queue");
    page.open();
    scene.space.finished("a").await;
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 1, takeovers: 0, interrupted: 0, rows: 8 });
}

/// The process is gone, and what it had on its way arrives when another request runs.
#[tokio::test]
async fn a_status_of_a_run_that_was_left_behind_does_not_arrive_beside_the_next_run() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let mut one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let status = "/syncrequests/left/status";
    let running = scene.proxy.hold(Method::PATCH, status, "\"phase\":\"Running\"");
    scene.space.manual("left").await;
    scene.proxy.taken(status).await;
    let first = SyncRequestSpec { priority: 5, ..SyncRequestSpec::of(RunType::Manual) };
    scene.space.create("first", first).await;
    scene.space.in_phase("first", Phase::Queued).await;
    one.kill();
    let _two = scene.start("two").await;
    scene.space.in_phase("first", Phase::Running).await;
    awaited("it reads", page.arrived()).await;
    let before = scene.proxy.calls();
    running.send_replace(true);
    scene.proxy.called_after(before, "answered PATCH").await;
    page.open();
    for name in ["first", "left"] {
        scene.space.finished(name).await;
    }
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 3, takeovers: 1, interrupted: 1, rows: 8 });
}

/// It arrives before the next run of the same request is shown: that one goes on, for nobody has
/// cancelled it.
#[tokio::test]
async fn a_status_of_a_run_that_was_left_behind_cancels_nothing() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let behind = Proxy::start(&scene.space).await;
    let mut one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let (status, words) = ("/syncrequests/a/status", "\"phase\":\"Running\"");
    let old = scene.proxy.hold(Method::PATCH, status, words);
    let new = behind.hold(Method::PATCH, status, words);
    scene.space.manual("a").await;
    scene.proxy.taken(status).await;
    one.kill();
    let _two = scene.behind(&behind, "two").await;
    behind.taken(status).await;
    old.send_replace(true);
    scene.space.in_phase("a", Phase::Running).await;
    new.send_replace(true);
    let request = scene.space.finished("a").await;
    assert_eq!(request.phase(), Phase::Succeeded, "{:?}", request.status);
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 2, takeovers: 1, interrupted: 1, rows: 8 });
}
