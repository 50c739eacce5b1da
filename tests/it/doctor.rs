//! `singletrack doctor` on a healthy set-up, and on broken ones.

use std::path::{Path, PathBuf};

use kube::api::PostParams;
use serde_json::Value;
use singletrack::lease::{set_paused, vacant};
use singletrack::store::{Sqlite, Store};

use crate::requests::github;
use crate::stand_in::{Fault, Matcher, StandIn};
use crate::support::{Account, Command, Namespace, Said, TOKEN, operator, poll, rule};

/// The doctor of an operator for `github`, with the database in `folder`.
fn doctor(space: &Namespace, github: &StandIn, folder: &Path) -> Command {
    let args = ["doctor", "--github-url", &github.base_url(), "--track", "acme/widgets-0"];
    Command::within(space, &args)
        .env("SINGLETRACK_DATABASE", folder.join("store.db"))
        .env("GITHUB_TOKEN", TOKEN)
}

/// Leaves a Lease there as an operator would.
async fn lease(space: &Namespace) {
    let lease = vacant("singletrack");
    space.leases().create(&PostParams::default(), &lease).await.unwrap();
}

/// The lines that are not well, by their first two words.
fn unwell(said: &Said) -> Vec<String> {
    let lines = said.out.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
    let lines = lines.map(|words| words.join(" "));
    lines.filter(|line| !line.starts_with("ok ")).collect()
}

#[tokio::test]
async fn all_is_well_before_and_after_the_operator_has_started() {
    let space = Namespace::new("healthy").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(2, 5).await;
    let new = doctor(&space, &github, folder.path()).said().await;
    let new = new.with(0, &["is not there yet", "requests are left", "permissions  all 14"]);
    assert_eq!(unwell(&new), ["warn lock", "skip owner"]);
    assert!(!folder.path().join("store.db").exists(), "nothing is created");

    let operator = operator(&space, &github, folder.path()).start();
    operator.ready().await;
    let said = doctor(&space, &github, folder.path()).said().await;
    let said = said.with(0, &["ok    cluster", "it is this operator's", "acme/widgets-0 can be"]);
    assert_eq!(unwell(&said), Vec::<String>::new());
    assert!(!format!("{said:?}").contains(TOKEN), "the token is not shown");
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let space = Namespace::new("norights").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let kubeconfig = limited(&space, folder.path()).await;
    let missing = poll("the Role counts", async || {
        let doctor = doctor(&space, &github, folder.path()).env("KUBECONFIG", &kubeconfig);
        // Until the API server has seen the Role everything is missing.
        Some(doctor.said().await).filter(|said| !said.out.contains("get leases"))
    })
    .await
    .with(1, &["may not update leases, delete syncrequests, patch syncrequests/status in"]);
    assert_eq!(unwell(&missing), ["fail permissions", "warn lock", "skip owner"]);
}

/// A kubeconfig of a service account that lacks a few rights.
async fn limited(space: &Namespace, folder: &Path) -> PathBuf {
    let rules = [
        rule("coordination.k8s.io", &["leases"], &["get", "list", "watch", "create"]),
        rule("", &["pods", "namespaces"], &["get"]),
        rule("events.k8s.io", &["events"], &["create", "patch"]),
        rule("singletrack.dev", &["syncrequests"], &["get", "list", "watch"]),
    ];
    Account::new(space, "operator", &rules).await.kubeconfig(folder)
}

#[tokio::test]
async fn what_is_broken_is_named_and_what_rests_on_it_is_left_out() {
    let space = Namespace::new("broken").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let store = Sqlite::at(&folder.path().join("store.db"));
    store.prepare("somebody-else").await.unwrap();
    store.close().await;
    lease(&space).await;
    let doctor = || doctor(&space, &github, folder.path());

    let owner = doctor().said().await.with(1, &["owner somebody-else", "singletrack adopt"]);
    assert_eq!(unwell(&owner), ["fail owner"]);

    let gone = Command::within(&space, &["doctor", "--github-url", "http://127.0.0.1:9"])
        .env("SINGLETRACK_DATABASE", folder.path().join("nowhere/store.db"))
        .env("GITHUB_TOKEN", TOKEN);
    let gone = gone.said().await.with(1, &["http://127.0.0.1:9", "egress", "mount the volume"]);
    assert_eq!(unwell(&gone), ["fail github", "skip repository", "fail database", "skip owner"]);

    let refused = doctor().env("GITHUB_TOKEN", "wrong").said().await.with(1, &["renew it"]);
    assert_eq!(unwell(&refused), ["fail github", "skip repository", "fail owner"]);
    let none = doctor().env("GITHUB_TOKEN", "").said().await.with(1, &["set GITHUB_TOKEN"]);
    assert_eq!(unwell(&none), ["fail token", "skip github", "skip repository", "fail owner"]);

    let issues = Matcher::get("/repos/acme/widgets-0/issues");
    github.inject(issues, 0, Some(1), Fault::message(http::StatusCode::FORBIDDEN, "no access"));
    let forbidden = doctor().said().await.with(1, &["no access", "read access to issues"]);
    assert_eq!(unwell(&forbidden), ["fail repository", "fail owner"]);

    let paused = set_paused(&space.leases().get("singletrack").await.unwrap(), true);
    space.leases().replace("singletrack", &PostParams::default(), &paused).await.unwrap();
    let paused = doctor().said().await.with(1, &["paused", "singletrack resume"]);
    assert_eq!(unwell(&paused), ["warn lock", "fail owner"]);
}

#[tokio::test]
async fn without_a_cluster_the_rest_is_still_looked_at_and_programs_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let args = ["doctor", "-o", "json", "--github-url", &github.base_url(), "--track", "acme/no"];
    let said = Command::about(folder.path(), &args).env("GITHUB_TOKEN", TOKEN).said().await;
    let said: Value = serde_json::from_str(&said.with(1, &["set KUBECONFIG"]).out).unwrap();
    let found: Vec<_> = said["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            format!("{} {}", check["result"].as_str().unwrap(), check["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        found,
        [
            "fail cluster",
            "skip permissions",
            "skip schema",
            "skip lock",
            "ok token",
            "ok github",
            "fail repository",
            "ok database",
            "skip owner",
            "ok clock"
        ]
    );
}
