//! Histories of real operators, which are killed, paused and cut off, in either database.

use std::time::Duration;

use super::{Floor, Recorder, Times};
use crate::requests::{github, open_issues};
use crate::support::{Home, Namespace, Operator, Pod, awaited, operator};

const TIMES: Times =
    Times { stale_after: Duration::from_secs(6), heartbeat: Duration::from_millis(500) };

#[tokio::test]
async fn a_killed_holder_with_sqlite() {
    killed(Home::sqlite()).await;
}

#[tokio::test]
async fn a_killed_holder_with_postgres() {
    killed(Home::postgres().await).await;
}

#[tokio::test]
async fn a_holder_that_wakes_up_late_with_sqlite() {
    paused(Home::sqlite()).await;
}

#[tokio::test]
async fn a_holder_that_wakes_up_late_with_postgres() {
    paused(Home::postgres().await).await;
}

async fn killed(home: Home) {
    let space = Namespace::new("history").await;
    let github = github(1, 10).await;
    let start = |pod: &str| -> Operator {
        home.keep(operator(&space, &github, home.folder()))
            .pod(&Pod::named(pod))
            .times(TIMES.stale_after, TIMES.heartbeat)
            .start()
    };
    let mut first = start("one");
    first.ready().await;
    let recorder = Recorder::start(&space, &home).await;
    let gate = github.hold(open_issues());
    for name in ["a", "b", "c"] {
        space.manual(name).await;
    }
    awaited("a page is held", gate.arrived()).await;
    first.kill();
    gate.open();
    let _second = start("two");
    for name in ["a", "b", "c"] {
        space.finished(name).await;
    }
    let history = recorder.end(&home, TIMES).await;
    history.check(Floor { runs: 4, takeovers: 1, interrupted: 1, rows: 8 });
}

async fn paused(home: Home) {
    let space = Namespace::new("history").await;
    let github = github(1, 10).await;
    let start = |pod: &str| -> Operator {
        home.keep(operator(&space, &github, home.folder()))
            .pod(&Pod::without_uid(pod))
            .times(TIMES.stale_after, TIMES.heartbeat)
            .start()
    };
    let first = start("one");
    first.ready().await;
    let recorder = Recorder::start(&space, &home).await;
    let gate = github.hold(open_issues());
    space.manual("a").await;
    awaited("a page is held", gate.arrived()).await;
    first.pause();
    let second = start("two");
    second.ready().await;
    gate.open();
    space.event("a", "TakenOver").await;
    space.finished("a").await;
    space.manual("b").await;
    space.finished("b").await;
    first.go_on();
    space.event("a", "Superseded").await;
    let history = recorder.end(&home, TIMES).await;
    history.check(Floor { runs: 3, takeovers: 1, interrupted: 1, rows: 8 });
}
