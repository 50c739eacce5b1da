//! Which Lease the operator touches, whatever stands in requests.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use singletrack::api::{Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::lease::vacant;

use crate::namespaces::{watching, with};
use crate::requests::{github, open_issues};
use crate::stand_in::StandIn;
use crate::support::{Namespace, Operator, Pod, Proxy, awaited, operator, phase_of};

const OURS: &str = "the-configured-one";

/// What a request could say to name another Lease: what the operator writes itself, and what others
/// would choose.
const KEYS: [&str; 13] = [
    "coordination.k8s.io/lease",
    "lease",
    "leaseName",
    "singletrack.dev/boot",
    "singletrack.dev/lease",
    "singletrack.dev/lease-name",
    "singletrack.dev/lease-namespace",
    "singletrack.dev/lock",
    "singletrack.dev/namespace",
    "singletrack.dev/pod-uid",
    "singletrack.dev/request-name",
    "singletrack.dev/request-namespace",
    "singletrack.dev/run-number",
];

/// Creates a request which names the Lease wherever it can.
async fn pointing_at(lease: &Lease, space: &Namespace, name: &str, suspend: bool) {
    let (place, target) = (lease.namespace().unwrap(), lease.name_any());
    let spec = SyncRequestSpec { suspend, ..SyncRequestSpec::of(RunType::Manual) };
    let mut request = SyncRequest::new(name, spec);
    let all = |value: &str| -> BTreeMap<String, String> {
        KEYS.iter().map(|key| ((*key).to_owned(), value.to_owned())).collect()
    };
    request.metadata.labels = Some(all(&target));
    request.metadata.annotations = Some(all(&format!("../../{place}/leases/{target}")));
    // The owner of another namespace would be none, and the request deleted.
    if place == space.name {
        let owner = json!([{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "name": target, "uid": lease.uid(), "controller": true}]);
        request.metadata.owner_references = serde_json::from_value(owner).unwrap();
    }
    space.requests().create(&PostParams::default(), &request).await.unwrap();
}

/// A request that says in its status that it waits for this Lease. The operator leaves it to whom
/// that one belongs.
async fn forged(lease: &Lease, space: &Namespace, name: &str) {
    pointing_at(lease, space, name, true).await;
    space.in_phase(name, Phase::Queued).await;
    let named = format!("{}/{}", lease.namespace().unwrap(), lease.name_any());
    let status = json!({"status": {"lock": {"lease": named, "holder": "pod_boot_attempt"}}});
    let (params, patch) = (PatchParams::default(), Patch::Merge(&status));
    space.requests().patch_status(name, &params, &patch).await.unwrap();
    space.change(name, json!({"suspend": false})).await;
}

/// Requests about all planted Leases; one more is taken over, and one cancelled.
async fn live(
    spaces: [&Namespace; 2],
    planted: &[Lease],
    github: &StandIn,
    start: impl Fn(&str) -> Operator,
) {
    let mut first = start("first");
    first.ready().await;
    for (at, lease) in planted.iter().enumerate() {
        // Each has the name of the Lease as well.
        let (space, name) = (spaces[at % 2], lease.name_any());
        forged(lease, space, &format!("forged-{at}")).await;
        pointing_at(lease, space, &name, false).await;
        assert_eq!(phase_of(&space.finished(&name).await), Phase::Succeeded, "{name}");
    }
    let [own, other] = spaces;
    let gate = github.hold(open_issues());
    pointing_at(&planted[1], other, "taken-over", false).await;
    awaited("a page is held", gate.arrived()).await;
    other.in_phase("taken-over", Phase::Running).await;
    first.kill();
    let _second = start("second");
    gate.open();
    assert_eq!(phase_of(&other.finished("taken-over").await), Phase::Succeeded);
    other.event("taken-over", "TakenOver").await;
    let gate = github.hold(open_issues());
    pointing_at(&planted[0], own, "cancelled", false).await;
    awaited("a page is held", gate.arrived()).await;
    own.change("cancelled", json!({"cancel": true})).await;
    assert_eq!(phase_of(&own.finished("cancelled").await), Phase::Cancelled);
    assert_eq!(phase_of(&own.get("forged-0").await), Phase::Queued);
}

/// The proxy has seen all that was asked of Leases; whatever stands in a request, it is about the
/// configured one in the operator's own namespace.
#[tokio::test]
async fn the_lease_is_named_by_the_configuration_only() {
    let (own, other) = (Namespace::new("leaseof").await, Namespace::new("leaseelse").await);
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let proxy = Proxy::start(&own).await;
    let mut planted = Vec::new();
    // Each is asked for by a request of the one namespace or the other.
    for (space, name) in [
        (&own, "singletrack"),
        (&other, "singletrack"),
        (&other, OURS),
        (&own, "planted"),
        (&other, "planted"),
    ] {
        planted.push(space.leases().create(&PostParams::default(), &vacant(name)).await.unwrap());
    }
    let config = watching(folder.path(), &[&other]);
    let start = |pod: &str| {
        with(operator(&own, &github, folder.path()), &config)
            .pod(&Pod::named(pod))
            .times(Duration::from_secs(600), Duration::from_millis(300))
            .env("SINGLETRACK_LEASE", OURS)
            .env("KUBECONFIG", &proxy.kubeconfig(folder.path()).to_string_lossy())
            .start()
    };
    live([&own, &other], &planted, &github, start).await;

    let all = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", own.name);
    let one = format!("{all}/{OURS}");
    let calls = proxy.calls_with("coordination.k8s.io");
    let is_ours = |call: &String| {
        let (method, address) = call.split_once(' ').expect("a method");
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let only = format!("fieldSelector=metadata.name%3D{OURS}");
        let listed = method == "GET" && query.split('&').any(|it| it == only);
        path == one || path == all && (method == "POST" || listed)
    };
    let others: Vec<_> = calls.iter().filter(|call| !is_ours(call)).collect();
    assert!(others.is_empty(), "{others:?}");
    for call in [format!("PUT {one}"), format!("GET {one}"), format!("POST {all}")] {
        assert!(calls.iter().any(|it| it.starts_with(&call)), "no {call} in {calls:?}");
    }
    // What was created has its name in the body.
    let mut there = Vec::new();
    for space in [&own, &other] {
        there.extend(space.leases().list(&ListParams::default()).await.unwrap().items);
    }
    there.retain(|lease| {
        (lease.namespace(), lease.name_any()) != (Some(own.name.clone()), OURS.into())
    });
    let versions = |leases: &[Lease]| -> BTreeMap<_, _> {
        leases.iter().map(|lease| (lease.uid(), lease.resource_version())).collect()
    };
    assert_eq!(versions(&there), versions(&planted), "another Lease was written");
}
