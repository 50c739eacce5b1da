//! An operator that is started by hand in the pod of another.

use singletrack::api::Phase;

use crate::requests::{github, open_issues};
use crate::support::{Namespace, Pod, awaited, operator, phase_of};

/// It would pass for the container after a restart, and take the lock from a living process.
#[tokio::test]
async fn a_second_operator_in_a_pod_ends_and_the_first_keeps_the_lock() {
    let space = Namespace::new("samepod").await;
    let (folder, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let start = || operator(&space, &github, folder.path()).pod(&Pod::named("same"));
    let mut first = start().start();
    space.manual("only").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("only", Phase::Running).await;

    let mut second = start().log_in(beside.path()).start();
    assert_eq!(second.ended().await.code(), Some(1));
    second.says("another operator runs in this pod").await;
    let lease = format!("{}/singletrack: leave it to it", space.name);
    second.says(&lease).await;
    gate.open();
    let status = space.finished("only").await.status.unwrap();
    assert_eq!((status.phase, status.run_number), (Phase::Succeeded, Some(1)));

    // A container that is started again has the place at once.
    first.kill();
    let third = start().log_in(beside.path()).start();
    third.ready().await;
    space.manual("next").await;
    assert_eq!(phase_of(&space.finished("next").await), Phase::Succeeded);
}
