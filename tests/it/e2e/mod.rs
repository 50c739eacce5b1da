//! From end to end on a real node: what `helm install`, `kubectl apply` and CronJobs make of us.
//!
//! These need pods that run, so they are ignored unless `make e2e` runs them: in a cluster of its
//! own, or in the one that `KUBECONFIG` names.

mod cluster_wide;
mod github;
mod kubectl;
mod main_job;
mod release;
mod replicas;
mod secrets;
mod tool;
mod upgrade;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace as Space, Pod};
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use uuid::Uuid;

use crate::support::{Namespace, awaited, setting};
use github::GitHub;
use release::{Release, alone, among_others};
use tool::{helm, kubectl};

/// A new namespace in the cluster that `KUBECONFIG` names; pods in it must be restricted ones.
async fn namespace(purpose: &str) -> Namespace {
    let client = client().await;
    let name = format!("{purpose}-{}", &Uuid::new_v4().simple().to_string()[..6]);
    let labels = BTreeMap::from([
        // By which `tests/node/e2e` finds what is to go when it ends.
        ("singletrack.dev/e2e".to_owned(), setting("SINGLETRACK_E2E_RUN").unwrap_or_default()),
        ("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned()),
    ]);
    let metadata =
        ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() };
    let space = Space { metadata, ..Space::default() };
    let spaces: Api<Space> = Api::all(client.clone());
    spaces.create(&PostParams::default(), &space).await.expect("a namespace");
    Namespace { name, client }
}

async fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_default().await.expect("KUBECONFIG names a cluster: make e2e")
}

/// The operator's pods.
async fn pods(space: &Namespace) -> Vec<Pod> {
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), &space.name);
    let ours = ListParams::default().labels("app.kubernetes.io/component=controller");
    pods.list(&ours).await.expect("pods can be listed").items
}

/// Deletes the pod, and waits until it is gone.
async fn delete_pod(space: &Namespace, pod: &Pod) {
    let pods: Api<Pod> = Api::namespaced(space.client.clone(), &space.name);
    let (name, uid) = (pod.name_any(), pod.uid().expect("it has one"));
    pods.delete(&name, &DeleteParams::default()).await.expect("it can be deleted");
    let gone = await_condition(pods, &name, is_deleted(&uid));
    Box::pin(awaited("the pod is gone", gone)).await.expect("the watch works");
}
