//! A holder that goes on while another has been granted the Lease, before its run was shown.

use http::Method;
use singletrack::api::{Phase, RunType, SyncRequestSpec};

use super::Floor;
use super::scene::{Scene, hold_all};
use crate::requests::{github, open_issues};
use crate::support::{Home, Proxy, awaited};

const LEASE: &str = "/leases/singletrack";
const STATUS: &str = "/syncrequests/left/status";
const RUNNING: &str = "\"phase\":\"Running\"";

fn urgent() -> SyncRequestSpec {
    SyncRequestSpec { priority: 5, ..SyncRequestSpec::of(RunType::Manual) }
}

#[tokio::test]
async fn a_holder_whose_lease_was_freed_does_not_show_its_run_beside_the_next() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let _one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let running = hold_all(&scene.proxy, Some(Method::PATCH), STATUS, RUNNING);
    scene.space.manual("left").await;
    scene.proxy.taken(STATUS).await;
    scene.space.create("first", urgent()).await;
    scene.space.in_phase("first", Phase::Queued).await;
    // It does not hear that somebody frees the Lease.
    let lease = hold_all(&scene.proxy, None, LEASE, "");
    scene.space.free_lease().await;
    let _two = scene.start("two").await;
    awaited("the next one runs", page.arrived()).await;
    running.send_replace(true);
    scene.space.event("left", "Superseded").await;
    page.open();
    lease.send_replace(true);
    for name in ["first", "left"] {
        scene.space.finished(name).await;
    }
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 3, takeovers: 0, interrupted: 1, rows: 8 });
}

/// The process is gone, and what it had on its way arrives just before another puts its request back
/// into the queue; its watch has not told of it.
#[tokio::test]
async fn a_status_that_arrives_before_its_run_is_left_behind_is_seen_to_first() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let behind = Proxy::start(&scene.space).await;
    let mut one = scene.behind_proxy("one").await;
    let recorder = scene.record().await;
    let running = scene.proxy.hold(Method::PATCH, STATUS, RUNNING);
    let back = behind.hold(Method::PATCH, STATUS, "\"phase\":\"Queued\"");
    scene.space.manual("left").await;
    scene.proxy.taken(STATUS).await;
    scene.space.create("first", urgent()).await;
    scene.space.in_phase("first", Phase::Queued).await;
    one.kill();
    let _two = scene.behind(&behind, "two").await;
    behind.taken(STATUS).await;
    behind.freeze_watches(true);
    running.send_replace(true);
    scene.space.in_phase("left", Phase::Running).await;
    let before = behind.calls();
    back.send_replace(true);
    behind.called_after(before, "PUT /apis/coordination").await;
    behind.freeze_watches(false);
    for name in ["first", "left"] {
        scene.space.finished(name).await;
    }
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 3, takeovers: 1, interrupted: 1, rows: 8 });
}

/// It was granted before the next one, and is activated after that one has looked at what ran last.
#[tokio::test]
async fn a_run_that_was_shown_while_the_next_was_granted_is_put_back_first() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await;
    let behind = Proxy::start(&scene.space).await;
    let _one = scene.behind_proxy("one").await;
    let two = scene.behind(&behind, "two").await;
    let recorder = scene.record().await;
    let page = scene.github.hold(open_issues());
    let looks = hold_all(&behind, Some(Method::GET), LEASE, "");
    let granted = scene.proxy.hold_answer(Method::PUT, LEASE, "request-name");
    let grant = behind.hold(Method::PUT, LEASE, "request-name");
    scene.space.manual("left").await;
    scene.proxy.taken(LEASE).await;
    scene.space.create("first", urgent()).await;
    scene.space.in_phase("first", Phase::Queued).await;
    two.metric("singletrack_waiting_requests 2").await;
    scene.space.free_lease().await;
    looks.send_replace(true);
    behind.taken("PUT /apis/coordination").await;
    granted.send_replace(true);
    scene.space.in_phase("left", Phase::Running).await;
    grant.send_replace(true);
    scene.space.in_phase("first", Phase::Running).await;
    awaited("both are at GitHub", page.arrived()).await;
    page.open();
    for name in ["first", "left"] {
        scene.space.finished(name).await;
    }
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 3, takeovers: 0, interrupted: 1, rows: 8 });
}

/// It was granted after the other one had looked at the Lease.
#[tokio::test]
async fn a_run_that_has_just_begun_is_not_left_behind() {
    let scene = Scene::new(github(1, 10).await, Home::sqlite()).await.patient();
    let behind = Proxy::start(&scene.space).await;
    let _one = scene.behind_proxy("one").await;
    let _two = scene.behind(&behind, "two").await;
    let recorder = scene.record().await;
    let lease = hold_all(&behind, Some(Method::GET), LEASE, "");
    let head = behind.hold_answer(Method::GET, "/syncrequests/first", "");
    let grant = scene.proxy.hold(Method::PUT, LEASE, "request-name");
    let running = scene.proxy.hold(Method::PATCH, STATUS, RUNNING);
    scene.space.manual("left").await;
    scene.proxy.taken(LEASE).await;
    scene.space.create("first", urgent()).await;
    scene.space.in_phase("first", Phase::Queued).await;
    lease.send_replace(true);
    behind.taken("/syncrequests/first").await;
    grant.send_replace(true);
    scene.proxy.taken(STATUS).await;
    let before = behind.calls();
    head.send_replace(true);
    behind.called_after(before, "answered GET /apis/coordination").await;
    running.send_replace(true);
    for name in ["left", "first"] {
        scene.space.finished(name).await;
    }
    let history = scene.end(recorder).await;
    history.check(Floor { runs: 2, takeovers: 0, interrupted: 0, rows: 8 });
    assert_eq!(history.runs.len(), 2, "a healthy run was taken for lost: {:?}", history.runs);
}
