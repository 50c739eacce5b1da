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
