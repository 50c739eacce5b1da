//! What the API server refuses by itself, and in which words.

use kube::Api;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::support::Namespace;

fn documents(space: &Namespace) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("singletrack.dev", "v1alpha1", "SyncRequest");
    let resource = ApiResource::from_gvk_with_plural(&kind, "syncrequests");
    Api::namespaced_with(space.client.clone(), &space.name, &resource)
}

fn document(name: &str, spec: &Value) -> DynamicObject {
    let document = json!({"apiVersion": "singletrack.dev/v1alpha1", "kind": "SyncRequest",
        "metadata": {"name": name}, "spec": spec});
    serde_json::from_value(document).expect("an object")
}

#[tokio::test]
async fn bad_specs_are_refused_with_what_is_right() {
    let space = Namespace::new("admission").await;
    let many: Vec<String> = (0..1001).map(|n| format!("acme/r{n}")).collect();
    let long = format!("acme/{}", "x".repeat(140));
    let rows: Vec<(Value, &str)> = vec![
        (json!({}), "spec.type: Required value"),
        (json!({"type": "hourly"}), "\"manual\", \"scheduled\", \"automation\""),
        (json!({"type": "manual", "repositories": []}), "at least 1"),
        (json!({"type": "manual", "repositories": many}), "must have at most 1000 items"),
        (json!({"type": "manual", "repositories": ["acme"]}), "must be owner/name, or owner/*"),
        (json!({"type": "manual", "repositories": ["acme/"]}), "must be owner/name, or owner/*"),
        (json!({"type": "manual", "repositories": ["acme/.."]}), "must be owner/name, or owner/*"),
        (json!({"type": "manual", "repositories": ["a/b/c"]}), "must be owner/name, or owner/*"),
        (json!({"type": "manual", "repositories": ["a/b?x"]}), "must be owner/name, or owner/*"),
        (json!({"type": "manual", "repositories": [long]}), "may not be more than 140"),
        (json!({"type": "manual", "repositories": ["a/b", "a/b"]}), "Duplicate value"),
        (json!({"type": "manual", "ttlSecondsAfterFinished": -1}), "greater than or equal to 0"),
        (json!({"type": "manual", "activeDeadlineSeconds": 0}), "greater than or equal to 1"),
        (json!({"type": "manual", "backoffLimit": 11}), "less than or equal to 10"),
        (json!({"type": "manual", "priority": 101}), "less than or equal to 100"),
        (json!({"type": "manual", "priority": -1}), "greater than or equal to 0"),
        (json!({"type": "manual", "automation": true}), "goes with type: scheduled only"),
        (
            json!({"type": "manual", "concurrencyPolicy": "Skip"}),
            "\"Queue\", \"Coalesce\", \"Reject\"",
        ),
    ];
    let documents = documents(&space);
    for (n, (spec, words)) in rows.iter().enumerate() {
        let document = document(&format!("bad-{n}"), spec);
        let refused = documents.create(&PostParams::default(), &document).await;
        let Err(kube::Error::Api(status)) = refused else { panic!("{spec} was accepted") };
        assert!(status.message.contains(words), "{spec}: {}", status.message);
    }
    assert!(documents.list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn good_specs_are_accepted_and_defaults_filled_in() {
    let space = Namespace::new("accepted").await;
    let documents = documents(&space);
    for (n, spec) in [
        json!({"type": "manual"}),
        json!({"type": "scheduled", "automation": true, "repositories": ["a/.github", "acme/*", "A/b"]}),
        json!({"type": "automation", "priority": 100, "backoffLimit": 0, "ttlSecondsAfterFinished": 0}),
    ]
    .iter()
    .enumerate()
    {
        let document = document(&format!("good-{n}"), spec);
        let stored = documents.create(&PostParams::default(), &document).await.unwrap();
        assert_eq!(stored.data["spec"]["concurrencyPolicy"], "Queue");
        assert_eq!(stored.data["status"]["phase"], "Pending", "it never looks finished");
        assert_eq!(stored.data["status"]["conditions"][0]["type"], "Reconciling");
    }
}

#[tokio::test]
async fn only_suspend_and_cancel_may_change_and_cancel_not_back() {
    let space = Namespace::new("immutable").await;
    let documents = documents(&space);
    let spec = json!({"type": "manual", "repositories": ["acme/a"]});
    documents.create(&PostParams::default(), &document("fixed", &spec)).await.unwrap();
    let change = async |spec: Value| {
        let patch = Patch::Merge(json!({"spec": spec}));
        documents.patch("fixed", &PatchParams::default(), &patch).await
    };
    for spec in [
        json!({"type": "scheduled"}),
        json!({"priority": 1}),
        json!({"full": true}),
        json!({"dryRun": true}),
        json!({"backoffLimit": 3}),
        json!({"concurrencyPolicy": "Reject"}),
        json!({"repositories": ["acme/b"]}),
        json!({"repositories": null}),
        json!({"ttlSecondsAfterFinished": 5}),
        json!({"activeDeadlineSeconds": 5}),
    ] {
        let Err(kube::Error::Api(status)) = change(spec.clone()).await else {
            panic!("{spec} was accepted")
        };
        assert!(status.message.contains("create a new request"), "{spec}: {}", status.message);
    }
    change(json!({"suspend": true})).await.unwrap();
    change(json!({"suspend": false})).await.unwrap();
    change(json!({"cancel": true})).await.unwrap();
    let Err(kube::Error::Api(status)) = change(json!({"cancel": false})).await else {
        panic!("cancel was taken back")
    };
    assert!(status.message.contains("cannot be taken back"), "{}", status.message);
}
