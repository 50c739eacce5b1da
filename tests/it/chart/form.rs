//! What holds of the objects, whatever the values say.

use serde_json::{Value, json};

use super::sets::{SETS, pods};
use super::tool::{Tools, of_kind, one};

#[test]
fn a_file_has_one_process_and_a_server_has_many() {
    let tools = Tools::offline();
    let deployment = |values| {
        let objects = tools.rendered("tools", values);
        one(&objects, "Deployment", "x-singletrack")["spec"].clone()
    };
    let file = deployment("{}");
    assert_eq!(file["replicas"], 1);
    assert_eq!(file["strategy"], json!({"type": "Recreate"}));
    let claim = json!({"claimName": "x-singletrack"});
    let volumes = file["template"]["spec"]["volumes"].as_array().unwrap().clone();
    assert!(volumes.iter().any(|volume| volume["persistentVolumeClaim"] == claim));
    let server = "{replicaCount: 3, database: {type: postgres, existingSecret: pg}}";
    let objects = tools.rendered("tools", server);
    assert_eq!(of_kind(&objects, "PersistentVolumeClaim").count(), 0);
    let server = deployment(server);
    assert_eq!(server["replicas"], 3);
    assert_eq!(server["strategy"]["type"], "RollingUpdate");
}

#[test]
fn the_claim_and_the_definition_stay_unless_somebody_says_otherwise() {
    let tools = Tools::offline();
    let policy = |kind, name, values| {
        let objects = tools.rendered("tools", values);
        let object = one(&objects, kind, name).clone();
        object["metadata"]["annotations"]["helm.sh/resource-policy"].clone()
    };
    let (definition, crd) = ("CustomResourceDefinition", "syncrequests.singletrack.dev");
    assert_eq!(policy(definition, crd, "{}"), "keep");
    assert_eq!(policy(definition, crd, "{crds: {annotations: {a: b}}}"), "keep");
    assert_eq!(policy(definition, crd, "{crds: {keep: false}}"), Value::Null);
    let claim = "PersistentVolumeClaim";
    assert_eq!(policy(claim, "x-singletrack", "{}"), "keep");
    assert_eq!(policy(claim, "x-singletrack", "{persistence: {keep: false}}"), Value::Null);
    let none = tools.rendered("tools", "{crds: {enabled: false}}");
    assert_eq!(of_kind(&none, definition).count(), 0);
}

/// What is larger is refused as an annotation of `kubectl apply`.
#[test]
fn the_definition_is_under_256_kib() {
    let file = super::tool::chart().join("templates/crd.yaml");
    assert!(std::fs::metadata(file).unwrap().len() < 256 * 1024);
}

#[test]
fn no_secret_is_in_the_environment_and_no_pod_may_do_more_than_it_needs() {
    let tools = Tools::offline();
    for (set, values) in SETS.iter().filter(|(set, _)| *set != "a pod of one's own") {
        let objects = tools.rendered("tools", values);
        for (maker, pod) in pods(&objects) {
            let text = pod.to_string();
            assert!(!text.contains("secretKeyRef") && !text.contains("secretRef"), "{set} {maker}");
            let context = &pod["spec"]["securityContext"];
            assert_eq!(context["runAsUser"], 65532, "{set} {maker}");
            assert_eq!(context["fsGroup"], 65532, "{set} {maker}");
            let container = &pod["spec"]["containers"][0]["securityContext"];
            assert_eq!(container["readOnlyRootFilesystem"], true, "{set} {maker}");
        }
    }
}

#[test]
fn every_object_has_its_labels_and_its_namespace() {
    let tools = Tools::offline();
    let cluster = ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"];
    let policy = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    for (set, values) in SETS.iter().filter(|(set, _)| *set != "a whole name") {
        let objects = tools.rendered("tools", values);
        for object in &objects {
            let kind = object["kind"].as_str().unwrap();
            let labels = &object["metadata"]["labels"];
            for label in ["name", "instance", "version", "component", "managed-by"] {
                let label = format!("app.kubernetes.io/{label}");
                assert!(labels[&label].is_string(), "{set}: {kind} without {label}");
            }
            assert!(labels["helm.sh/chart"].is_string(), "{set}: {kind}");
            if *set == "names" {
                assert_eq!(labels["team"], "web", "{kind}");
            }
            let namespace = &object["metadata"]["namespace"];
            match cluster.contains(&kind) || policy.contains(&kind) {
                true => assert_eq!(namespace, &Value::Null, "{set}: {kind}"),
                // In those that are watched beside it, there are roles.
                false if *set == "some namespaces" && kind.starts_with("Role") => {}
                false => assert_eq!(namespace, "tools", "{set}: {kind}"),
            }
        }
    }
}

#[test]
fn a_name_is_made_as_in_other_charts() {
    let tools = Tools::offline();
    for (release, values, name) in [
        ("x", "{}", "x-singletrack"),
        ("singletrack", "{}", "singletrack"),
        ("my-singletrack", "{}", "my-singletrack"),
        ("x", "{nameOverride: track}", "x-track"),
        ("x", "{fullnameOverride: whole}", "whole"),
    ] {
        let chart = super::tool::chart();
        let args =
            ["template", release, &chart.to_string_lossy(), "--set", "github.existingSecret=a"];
        let more =
            ["--set", "repositories.include={a/b}", "-f", "-", "-s", "templates/deployment.yaml"];
        let said = tools.helm(&[&args[..], &more].concat(), values).with(0, &[]);
        assert!(said.out.contains(&format!("\n  name: {name}\n")), "{release} {values}");
    }
}

#[test]
fn the_image_is_named_by_its_digest_before_its_tag() {
    let tools = Tools::offline();
    let image = |set: &str| {
        let (_, values) = SETS.iter().find(|(name, _)| *name == set).unwrap();
        let objects = tools.rendered("tools", values);
        let (_, pod) = pods(&objects).remove(0);
        pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    assert_eq!(image("nothing"), concat!("singletrack:", env!("CARGO_PKG_VERSION")));
    assert_eq!(image("an image"), "registry.example:5000/a/b:t");
    assert!(image("a digest").starts_with("singletrack@sha256:aaa"));
}

/// OpenShift gives each namespace ids of its own, and refuses others.
#[test]
fn an_id_that_is_null_is_left_to_the_cluster() {
    let tools = Tools::offline();
    let values = "{podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}, containerSecurityContext: {capabilities: null}, schedules: {a: {type: manual, cron: x}}}";
    let objects = tools.rendered("tools", values);
    let pods = pods(&objects);
    assert_eq!(pods.len(), 3);
    for (maker, pod) in pods {
        let context = pod["spec"]["securityContext"].as_object().unwrap();
        let keys: Vec<_> = context.keys().map(String::as_str).collect();
        assert_eq!(keys, ["fsGroupChangePolicy", "runAsNonRoot", "seccompProfile"], "{maker}");
        let container = &pod["spec"]["containers"][0]["securityContext"];
        assert_eq!(container.get("capabilities"), None, "{maker}");
    }
}

/// Labels and annotations that we set too, by the user in each place where there is one.
const OVER_OURS: &str = "{commonLabels: &labels {app.kubernetes.io/name: theirs, app.kubernetes.io/component: theirs, \
    app.kubernetes.io/version: theirs, helm.sh/chart: theirs, singletrack.dev/schedule: theirs, \
    rbac.authorization.k8s.io/aggregate-to-edit: 'false', grafana_dashboard: '2'}, podLabels: *labels, \
    podAnnotations: {checksum/config: theirs, kubectl.kubernetes.io/default-container: theirs}, \
    crds: {annotations: {helm.sh/resource-policy: theirs}}, schedules: {a: {type: manual, cron: x}}, \
    metrics: {serviceMonitor: {enabled: true, labels: *labels}, prometheusRule: {enabled: true, labels: *labels}, \
    grafanaDashboard: {enabled: true, labels: *labels}}}";

/// A key that is there twice is refused by the reader of these documents.
#[test]
fn what_the_user_says_wins_but_where_it_is_found_by() {
    let tools = Tools::offline();
    let objects = tools.rendered("tools", OVER_OURS);
    let mut labels: Vec<_> =
        objects.iter().map(|it| (it["kind"].to_string(), &it["metadata"]["labels"])).collect();
    labels
        .extend(pods(&objects).into_iter().map(|(maker, pod)| (maker, &pod["metadata"]["labels"])));
    for (kind, labels) in labels {
        assert_eq!(labels["app.kubernetes.io/name"], "singletrack", "{kind}");
        assert_ne!(labels["app.kubernetes.io/component"], "theirs", "{kind}");
        assert_eq!(labels["app.kubernetes.io/version"], "theirs", "{kind}");
        assert_eq!(labels["helm.sh/chart"], "theirs", "{kind}");
    }
    let template = &one(&objects, "Deployment", "x-singletrack")["spec"]["template"];
    let annotations = &template["metadata"]["annotations"];
    assert_ne!(annotations["checksum/config"], "theirs");
    assert_eq!(annotations["kubectl.kubernetes.io/default-container"], "theirs");
    let job = one(&objects, "CronJob", "x-singletrack-a");
    assert_eq!(job["metadata"]["labels"]["singletrack.dev/schedule"], "a");
    let edit = one(&objects, "ClusterRole", "tools-x-singletrack-edit");
    assert_eq!(edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"], "true");
    let board = one(&objects, "ConfigMap", "x-singletrack-dashboard");
    assert_eq!(board["metadata"]["labels"]["grafana_dashboard"], "2");
    let crd = one(&objects, "CustomResourceDefinition", "syncrequests.singletrack.dev");
    assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
}

/// `helm test` gives up after five minutes, and whoever tests wants to know why before.
#[test]
fn the_test_ends_in_time_and_writes_nothing_to_github() {
    let tools = Tools::offline();
    let objects = tools.rendered("tools", "{rules: {writeBack: true}}");
    let args =
        one(&objects, "Pod", "x-singletrack-test")["spec"]["containers"][0]["args"].to_string();
    for arg in ["\"--preview\"", "\"--wait\"", "\"--timeout=4m\""] {
        assert!(args.contains(arg), "{args}");
    }
}
