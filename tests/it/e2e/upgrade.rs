//! Releases that change: upgraded, rolled back, uninstalled and installed again.

use std::fs;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, CustomResourceExt, ResourceExt};
use serde_json::json;
use singletrack::api::{Phase, SyncRequest};

use super::main_job::ask;
use super::release::NAME;
use super::{GitHub, Release, alone, among_others, helm, kubectl, namespace};
use crate::support::phase_of;

#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn a_changed_definition_and_configuration_come_with_the_upgrade_and_go_with_the_rollback() {
    let mut first = alone().await;
    let release = &mut *first;
    let (values, chart) = (release.values.clone(), release.chart.clone());
    ends_well(release, "before-the-upgrade").await;
    assert!(!has_field(release).await);
    let revision = revision(release).await;

    let folder = tempfile::tempdir().expect("a folder");
    release.chart = with_another_field(&chart, folder.path());
    release.set(json!({"repositories": {"include": ["acme/widgets-0"]}}));
    release.upgrade().await;
    assert!(has_field(release).await, "the definition was upgraded with the release");
    let request = ends_well(release, "after-the-upgrade").await;
    let repositories = request.status.and_then(|status| status.result).map(|it| it.repositories);
    assert_eq!(repositories, Some(1), "the new configuration holds");

    let rollback = ["rollback", NAME, &revision, "--wait", "--timeout", "80s"];
    helm(&release.space, &rollback).await.with(0, &["Rollback was a success"]);
    (release.values, release.chart) = (values, chart);
    assert!(!has_field(release).await, "the definition is the earlier one");
    let request = ends_well(release, "after-the-rollback").await;
    let repositories = request.status.and_then(|status| status.result).map(|it| it.repositories);
    assert_eq!(repositories, Some(GitHub::SLOW.repositories.try_into().expect("few")));
    release.holds_all().await;
}

#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn what_is_uninstalled_and_installed_again_has_its_data_and_requests() {
    let _others = among_others().await;
    let space = namespace("again").await;
    GitHub::SMALL.apply(&space).await;
    let release = Release::new(space.clone());
    release.install().await;
    let before = ends_well(&release, "kept").await;
    release.uninstall().await;
    // Nothing of ours holds a deletion up: there is no finalizer.
    ask(&space, "deleted").await;
    kubectl(&space, &["delete", "syncrequest", "deleted", "--timeout=20s"]).await.with(0, &[]);
    ask(&space, "meanwhile").await;

    release.install().await;
    let meanwhile = space.finished("meanwhile").await;
    assert_eq!(phase_of(&meanwhile), Phase::Succeeded);
    let number = |request: &SyncRequest| request.status.as_ref().and_then(|it| it.run_number);
    assert!(number(&meanwhile) > number(&before), "run numbers go on");
    assert_eq!(space.get("kept").await.status, before.status);
    let result = meanwhile.status.and_then(|status| status.result).expect("it has a result");
    assert_eq!((result.created, result.updated), (0, 0), "the rows were there");
    let test = helm(&space, &["test", NAME, "--timeout", "80s"]).await;
    test.with(0, &["Phase:          Succeeded"]);
    // Its namespace goes with all that is in it.
    kubectl(&space, &["delete", "namespace", &space.name, "--timeout=80s"]).await.with(0, &[]);
}

/// Makes a run and checks that it is a good one.
async fn ends_well(release: &Release, name: &str) -> SyncRequest {
    ask(&release.space, name).await;
    let request = release.space.finished(name).await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    request
}

async fn revision(release: &Release) -> String {
    let args = ["history", NAME, "--max", "1", "-o", "json"];
    let said = helm(&release.space, &args).await.with(0, &[]);
    let rows: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    rows[0]["revision"].to_string()
}

/// Whether the definition in the cluster has the field that is in no release.
async fn has_field(release: &Release) -> bool {
    let all: Api<CustomResourceDefinition> = Api::all(release.space.client.clone());
    let crd = all.get(&SyncRequest::crd().name_any()).await.expect("it is there");
    serde_json::to_string(&crd.spec).expect("JSON").contains("aFieldOfTheTests")
}

/// A copy of the chart, in the folder, whose resource has one more field.
fn with_another_field(chart: &str, folder: &Path) -> String {
    copy(Path::new(chart), folder);
    let file = folder.join("templates/crd.yaml");
    let crd = fs::read_to_string(&file).expect("the chart has the definition");
    let field = "              aFieldOfTheTests:\n                type: string\n";
    let properties = "            properties:\n";
    // The first one on this level is the spec's.
    assert!(crd.contains(properties), "the definition is written as expected");
    let changed = crd.replacen(properties, &format!("{properties}{field}"), 1);
    fs::write(&file, changed).expect("it can be written");
    folder.to_string_lossy().into_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("it can be copied");
        }
    }
}
