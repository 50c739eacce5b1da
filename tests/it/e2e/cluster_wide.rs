//! More than one namespace, and more than one release.

use serde_json::json;
use singletrack::api::Phase;

use super::main_job::apply;
use super::{GitHub, Release, alone, namespace, pods};
use crate::support::phase_of;

#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn two_releases_and_one_that_watches_all_namespaces() {
    let first = alone().await;
    let elsewhere = namespace("tenant").await;
    let space = namespace("all").await;
    GitHub::SMALL.apply(&space).await;
    let mut release = Release::new(space.clone());
    release.set(json!({"watch": {"allNamespaces": true}}));
    release.install().await;
    // Nobody but the one that watches all namespaces sees this one.
    apply(&elsewhere, "of-a-tenant").await;
    let request = elsewhere.finished("of-a-tenant").await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    let lock = request.status.and_then(|status| status.lock).expect("it names its lock");
    assert_eq!(lock.lease, format!("{}/singletrack", space.name));
    assert_eq!(release.number("SELECT count(*) FROM issues").await, GitHub::SMALL.stored());

    // Two operators see the requests of the first release's namespace. Each is one operator's alone.
    apply(&first.space, "seen-by-two").await;
    let request = first.space.finished("seen-by-two").await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    assert_eq!(request.status.and_then(|status| status.attempts), Some(1));
    release.uninstall().await;
    assert_eq!(pods(&space).await.len(), 0);
    apply(&first.space, "after-the-second").await;
    assert_eq!(phase_of(&first.space.finished("after-the-second").await), Phase::Succeeded);
}
