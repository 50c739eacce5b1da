//! More than one namespace, and more than one release.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt;
use serde_json::json;
use singletrack::api::Phase;

use super::main_job::ask;
use super::{GitHub, Release, alone, namespace, pods};
use crate::support::{Namespace, phase_of, poll};

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
    let seen = AssertUnwindSafe(requests_of_all(&release, &first, &elsewhere)).catch_unwind().await;
    // Also after a failure: it would take the requests of all other tests.
    release.uninstall().await;
    seen.unwrap_or_else(|why| resume_unwind(why));
    let gone = async || pods(&space).await.is_empty().then_some(());
    poll("its pod is gone", gone).await;
    ask(&first.space, "after-the-second").await;
    assert_eq!(phase_of(&first.space.finished("after-the-second").await), Phase::Succeeded);
}

async fn requests_of_all(release: &Release, first: &Release, elsewhere: &Namespace) {
    // Nobody but the one that watches all namespaces sees this one.
    ask(elsewhere, "of-a-tenant").await;
    let request = elsewhere.finished("of-a-tenant").await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    let lock = request.status.and_then(|status| status.lock).expect("it names its lock");
    assert_eq!(lock.lease, format!("{}/singletrack", release.space.name));
    release.holds_all().await;

    // Two operators see the requests of the first release's namespace. Each is one operator's alone.
    ask(&first.space, "seen-by-two").await;
    let request = first.space.finished("seen-by-two").await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    assert_eq!(request.status.and_then(|status| status.attempts), Some(1));
}
