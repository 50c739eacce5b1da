//! Three replicas on PostgreSQL, which runs beside the node as a database server does.

use std::collections::BTreeSet;

use kube::ResourceExt;
use serde_json::json;
use singletrack::api::Phase;

use super::main_job::{ask, half_read};
use super::{GitHub, Release, among_others, kubectl, namespace, pods, setting};
use crate::support::{Server, phase_of};

#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn three_replicas_are_restarted_in_the_middle_of_a_run() {
    let _others = among_others().await;
    let Some((url, _server)) = database().await else { return };
    let space = namespace("replicas").await;
    GitHub::SLOW.apply(&space).await;
    let literal = format!("--from-literal=uri={url}");
    let secret = ["create", "secret", "generic", "database", &literal];
    kubectl(&space, &secret).await.with(0, &["created"]);
    let mut release = Release::new(space.clone());
    release.set(json!({
        "replicaCount": 3,
        "database": {"type": "postgres", "existingSecret": "database"},
        "podDisruptionBudget": {"enabled": true},
        "networkPolicy": {"enabled": true},
    }));
    release.install().await;
    let before = names(&release).await;
    assert_eq!(before.len(), 3);

    ask(&space, "rolled").await;
    half_read(&space, "rolled").await;
    let restart = ["rollout", "restart", "deployment/singletrack"];
    kubectl(&space, &restart).await.with(0, &["restarted"]);
    let status = ["rollout", "status", "deployment/singletrack", "--timeout=85s"];
    kubectl(&space, &status).await.with(0, &["successfully rolled out"]);
    let request = space.finished("rolled").await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    // Who holds the Lease when it is stopped gives it back: nobody had to take it from a dead one.
    let takeovers = "SELECT count(*) FROM sync_runs WHERE takeover_reason IS NOT NULL";
    assert_eq!(release.number(takeovers).await, 0);
    release.holds_all().await;
    assert!(names(&release).await.is_disjoint(&before), "none of the first pods is left");
}

async fn names(release: &Release) -> BTreeSet<String> {
    let live = |pod: &k8s_openapi::api::core::v1::Pod| pod.metadata.deletion_timestamp.is_none();
    pods(&release.space).await.iter().filter(|pod| live(pod)).map(ResourceExt::name_any).collect()
}

/// A database that pods can reach: its URL, and the server if it is ours. None, and a word about it,
/// in a cluster whose pods do not reach this machine.
async fn database() -> Option<(String, Option<Server>)> {
    if let Some(url) = setting("SINGLETRACK_E2E_DATABASE_URL") {
        return Some((url, None));
    }
    let Some(address) = setting("SINGLETRACK_NODE") else {
        eprintln!("skipped: set SINGLETRACK_E2E_DATABASE_URL to an empty database");
        return None;
    };
    let server = Server::start_at(&address).await;
    Some((server.url_at(&address).into(), Some(server)))
}
