//! CronJobs from schedules, and what their Jobs and pods are asked to do.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::sets::SETS;
use super::tool::{Tools, one};
use crate::support::{Command, Namespace, cluster, poll};

fn args<'a>(objects: &'a [Value], name: &str) -> &'a Value {
    let job = one(objects, "CronJob", name);
    &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]
}

#[test]
fn every_field_of_a_schedule_has_its_place() {
    let tools = Tools::offline();
    let (_, values) = SETS.iter().find(|(set, _)| *set == "schedules").unwrap();
    let objects = tools.rendered("tools", values);
    let plain = json!([
        "run",
        "manual",
        "--name",
        "$(JOB_NAME)",
        "--label",
        "singletrack.dev/schedule=a",
        "--ignore-already-exists",
        "--policy",
        "coalesce",
        "--ttl=604800"
    ]);
    assert_eq!(args(&objects, "x-singletrack-a"), &plain);
    let whole = json!([
        "run",
        "scheduled",
        "--name",
        "$(JOB_NAME)",
        "--label",
        "singletrack.dev/schedule=b",
        "--ignore-already-exists",
        "--policy",
        "reject",
        "--repository",
        "a/b",
        "--automation",
        "--full",
        "--backoff-limit=0",
        "--deadline=60",
        "--priority=9",
        "--ttl=0"
    ]);
    assert_eq!(args(&objects, "x-singletrack-b"), &whole);
    let spec = &one(&objects, "CronJob", "x-singletrack-b")["spec"];
    assert_eq!(spec["schedule"], "0 3 * * *");
    assert_eq!(spec["timeZone"], "Europe/Berlin");
    assert_eq!(spec["suspend"], true);
    assert_eq!(spec["startingDeadlineSeconds"], 60);
    let kept =
        "{requests: {ttlSecondsAfterFinished: null}, schedules: {a: {type: manual, cron: x}}}";
    let objects = tools.rendered("tools", kept);
    assert!(!args(&objects, "x-singletrack-a").to_string().contains("ttl"));
}

/// `run --from` reads what the chart writes.
#[tokio::test]
async fn a_run_can_be_asked_for_like_a_schedule() {
    let space = Namespace::new("likeaschedule").await;
    let tools = Tools::of(&cluster().kubeconfig);
    let (_, values) = SETS.iter().find(|(set, _)| *set == "schedules").unwrap();
    let job = one(&tools.rendered(&space.name, values), "CronJob", "x-singletrack-b").to_string();
    tools.kubectl(&["apply", "-f", "-"], &job).with(0, &[]);
    let args = ["run", "--from", "cronjob/x-singletrack-b", "--dry-run=server", "-o", "json"];
    let said = Command::within(&space, &args).said().await.with(0, &[]);
    let request: Value = serde_json::from_str(&said.out).unwrap();
    let expected = json!({"type": "scheduled", "concurrencyPolicy": "Reject", "repositories": ["a/b"],
        "automation": true, "full": true, "priority": 9, "activeDeadlineSeconds": 60,
        "backoffLimit": 0, "ttlSecondsAfterFinished": 0, "suspend": false, "cancel": false,
        "dryRun": false});
    assert_eq!(request["spec"], expected);
}

/// The pod knows the name of its Job by a label that the Job gives it.
#[tokio::test]
async fn a_job_of_the_schedule_has_a_pod_that_knows_its_name() {
    let space = Namespace::new("schedule").await;
    let tools = Tools::of(&cluster().kubeconfig);
    let values = "{crds: {enabled: false}, schedules: {a: {type: manual, cron: '0 0 1 1 *'}}}";
    let objects = tools.rendered(&space.name, values);
    let wanted = ["ServiceAccount", "CronJob"];
    let objects: Vec<_> =
        objects.iter().filter(|it| wanted.contains(&it["kind"].as_str().unwrap())).collect();
    // The hook of `helm test` is not part of the release.
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    tools.kubectl(&["apply", "-f", "-"], &list.to_string()).with(0, &[]);
    let from = "--from=cronjob/x-singletrack-a";
    tools.kubectl(&["create", "job", "now", from, "-n", &space.name], "").with(0, &[]);
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), &space.name);
    let ours = ListParams::default().labels("singletrack.dev/schedule=a");
    let pod = poll("the Job's pod", async || pods.list(&ours).await.unwrap().items.pop()).await;
    let labels = pod.metadata.labels.unwrap();
    assert_eq!(labels["batch.kubernetes.io/job-name"], "now");
    let spec = serde_json::to_value(pod.spec.unwrap()).unwrap();
    assert_eq!(spec["serviceAccountName"], "x-singletrack-schedule");
    let container = &spec["containers"][0];
    assert_eq!(container["args"][3], "$(JOB_NAME)");
    let field = &container["env"][0]["valueFrom"]["fieldRef"]["fieldPath"];
    assert_eq!(field, "metadata.labels['batch.kubernetes.io/job-name']");
}
