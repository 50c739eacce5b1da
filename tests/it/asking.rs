//! Requests that programs ask for: with labels, under a name that may be taken, with one right.

use k8s_openapi::api::batch::v1::CronJob;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequest};

use crate::requests::github;
use crate::support::{Account, Command, Namespace, Said, operator, phase_of, poll, rule};

/// The arguments of the chart's CronJobs, with the Job's name in the place of `name`.
fn scheduled(name: &str) -> Vec<&str> {
    let args = "run scheduled --policy coalesce --ttl 1d --label \
                singletrack.dev/schedule=nightly --ignore-already-exists --name";
    args.split_whitespace().chain([name]).collect()
}

async fn within(space: &Namespace, args: &[&str]) -> Said {
    Command::within(space, args).said().await
}

#[tokio::test]
async fn a_pod_that_is_tried_again_finds_its_request_and_needs_no_right_but_create() {
    let space = Namespace::new("asks").await;
    let folder = tempfile::tempdir().unwrap();
    let rules = [rule("singletrack.dev", &["syncrequests"], &["create"])];
    let account = Account::new(&space, "cronjob", &rules).await;
    let kubeconfig = account.kubeconfig(folder.path());
    let ask = async |more: &[&str]| {
        let args = [&scheduled("nightly-29")[..], more].concat();
        Command::within(&space, &args).env("KUBECONFIG", &kubeconfig).said().await
    };
    let first = poll("the Role counts", async || {
        Some(ask(&[]).await).filter(|said| !said.err.contains("forbidden"))
    });
    first.await.with(0, &["syncrequest.singletrack.dev/nightly-29 created"]);
    let request = space.get("nightly-29").await;
    assert_eq!(request.labels()["singletrack.dev/schedule"], "nightly");
    assert_eq!(request.spec.type_, RunType::Scheduled);

    let again = ask(&[]).await.with(0, &[]);
    assert!(again.err.contains("/nightly-29 is there already"), "{again:?}");
    assert_eq!(again.out, "");
    let named = ask(&["-o", "name"]).await.with(0, &["there already"]);
    assert_eq!(named.out, "syncrequest.singletrack.dev/nightly-29\n");
    assert_eq!(space.get("nightly-29").await.uid(), request.uid());
    ask(&["-o", "yaml"]).await.with(1, &["cannot get resource", "singletrack doctor"]);
    ask(&["--wait"]).await.with(1, &["cannot get resource", "singletrack doctor"]);
}

#[tokio::test]
async fn a_request_that_is_there_already_is_waited_for() {
    let space = Namespace::new("follows").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    space.manual("taken").await;
    let args = ["run", "--name", "taken", "--ignore-already-exists", "-w", "-o", "json"];
    let waiting = Command::within(&space, &args).start();
    let _operator = operator(&space, &github, folder.path()).start();
    let said = waiting.said().await.with(0, &["there already", "Succeeded"]);
    let shown: SyncRequest = serde_json::from_str(&said.out).unwrap();
    assert_eq!(shown.uid(), space.get("taken").await.uid());
    assert_eq!(phase_of(&space.get("taken").await), Phase::Succeeded);
    within(&space, &args).await.with(0, &["Succeeded"]);
    within(&space, &["run", "--name", "taken"]).await.with(1, &["a new run is a new name"]);
    within(&space, &["run", "--ignore-already-exists"]).await.with(2, &["--name"]);
    assert_eq!(space.requests().list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn labels_are_checked_before_anything_is_asked() {
    let space = Namespace::new("labelled").await;
    for (label, why) in [
        ("team", "write a label as team=web"),
        ("team=we b", "is not the value of a label"),
        ("-x=y", "is not the name of a label"),
        ("X.io/a=b", "example.com/team"),
    ] {
        let arg = format!("--label={label}");
        Command::new(&["run", &arg]).said().await.with(2, &[label, why]);
    }
    let args = ["run", "--name", "two", "--label", "team=web", "--label", "a.io/b=", "-o", "json"];
    let said = within(&space, &args).await.with(0, &[]);
    let request: SyncRequest = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json!(request.labels()), json!({"team": "web", "a.io/b": ""}));
}

#[tokio::test]
async fn a_cron_job_of_the_chart_is_run_at_once_under_another_name() {
    let space = Namespace::new("fromchart").await;
    let job: CronJob = serde_json::from_value(json!({"metadata": {"name": "nightly"}, "spec": {
        "schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [
                {"name": "ask", "image": "singletrack", "args": scheduled("$(JOB_NAME)")}]}}}}}}))
    .unwrap();
    let jobs: Api<CronJob> = Api::namespaced(space.client.clone(), &space.name);
    jobs.create(&PostParams::default(), &job).await.unwrap();
    let args = ["run", "--from", "cronjob/nightly", "-o", "json"];
    let said = within(&space, &args).await.with(0, &[]);
    let request: SyncRequest = serde_json::from_str(&said.out).unwrap();
    assert!(request.name_any().starts_with("scheduled-"), "{request:?}");
    assert_eq!(request.labels().len(), 0, "it is not one of the schedule");
    let spec = &request.spec;
    assert_eq!(spec.concurrency_policy, ConcurrencyPolicy::Coalesce);
    assert_eq!(spec.ttl_seconds_after_finished, Some(86_400));
}
