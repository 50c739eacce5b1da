//! What people's tools make of our resource: kubectl, server-side apply, and helm's kstatus.

use serde_json::{Value, json};

use super::main_job::ask;
use super::tool::{tool, tool_into};
use super::{GitHub, Release, among_others, kubectl, namespace};
use crate::support::{Command, Namespace, poll};

#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn kubectl_explains_waits_watches_selects_and_applies() {
    let _others = among_others().await;
    let space = namespace("kubectl").await;
    GitHub::SMALL.apply(&space).await;
    let mut release = Release::new(space.clone());
    release.install().await;

    let explained = kubectl(&space, &["explain", "syncrequest.spec.concurrencyPolicy"]).await;
    explained.with(0, &["FIELD: concurrencyPolicy", "Queue", "Coalesce", "Reject"]);

    let args = ["get", "sr", "--watch", "--output-watch-events"];
    let watch = tool("kubectl", &space, &args).start();
    ask(&space, "waited-for").await;
    let wait = ["wait", "--for=condition=Ready", "sr/waited-for", "--timeout=80s"];
    kubectl(&space, &wait).await.with(0, &["condition met"]);
    let ended = ["wait", "--for=jsonpath={.status.phase}=Succeeded", "sr/waited-for"];
    kubectl(&space, &ended).await.with(0, &["condition met"]);
    let seen = poll("the watch tells of it", async || {
        let said = watch.so_far();
        (said.matches("MODIFIED").count() >= 2).then_some(said)
    });
    let seen = seen.await;
    assert!(seen.contains("ADDED") && seen.contains("waited-for"), "{seen}");

    let columns = kubectl(&space, &["get", "sr"]).await;
    columns.with(0, &["TYPE", "PHASE", "PROGRESS", "CHANGED", "manual", "Succeeded", "2/2"]);
    let selected = ["get", "sr", "-o", "name", "--field-selector"];
    let by =
        async |field| kubectl(&space, &[&selected[..], &[field]].concat()).await.with(0, &[]).out;
    assert!(by("status.phase=Succeeded,spec.type=manual").await.contains("waited-for"));
    assert_eq!(by("status.phase=Failed").await, "");

    backup(&release).await;
    server_side(&space).await;
    kstatus(&mut release).await;
}

/// The database comes out of a pod that has no shell and no tar.
async fn backup(release: &Release) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let args = ["exec", "deployment/singletrack", "--", "singletrack", "backup", "-"];
    tool_into(file.path(), "kubectl", &release.space, &args).said().await.with(0, &[]);
    let question = ["query", "-o", "csv", "SELECT count(*) FROM issues"];
    let said = Command::new(&question).env("SINGLETRACK_DATABASE", file.path()).said().await;
    let said = said.with(0, &[]);
    let there = release.number("SELECT count(*) FROM issues").await;
    assert!(there > 0 && said.out.lines().nth(1) == Some(&there.to_string()), "{said:?}");
}

/// Our writes of the status and an applier's of the spec do not take each other's fields.
async fn server_side(space: &Namespace) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let request = json!({
        "apiVersion": "singletrack.dev/v1alpha1", "kind": "SyncRequest",
        "metadata": {"name": "server-side", "labels": {"team": "a"}}, "spec": {"type": "manual"},
    });
    std::fs::write(file.path(), request.to_string()).expect("it can be written");
    let args = ["apply", "--server-side", "-f", &file.path().to_string_lossy()].map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    kubectl(space, &args).await.with(0, &["serverside-applied"]);
    let finished = space.finished("server-side").await;
    kubectl(space, &args).await.with(0, &["serverside-applied"]);
    let again = space.get("server-side").await;
    assert_eq!(again.status, finished.status, "applied again it does nothing");
}

/// Helm waits for what it has installed by kstatus: a request is done when it has ended well, and
/// an upgrade fails with one that has not.
async fn kstatus(release: &mut Release) {
    let request = |name: &str, repository: &str| -> Value {
        json!([{
            "apiVersion": "singletrack.dev/v1alpha1", "kind": "SyncRequest",
            "metadata": {"name": name},
            "spec": {"type": "manual", "repositories": [repository]},
        }])
    };
    release.set(json!({"extraObjects": request("good", "acme/widgets-0")}));
    release.upgrade().await;
    let phase = ["get", "sr", "good", "-o", "jsonpath={.status.phase}"];
    assert_eq!(kubectl(&release.space, &phase).await.out, "Succeeded", "helm has waited for it");
    release.set(json!({"extraObjects": request("bad", "acme/nowhere")}));
    let said = release.helm("upgrade").await;
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("bad") && said.err.contains("Failed"), "{said:?}");
}
