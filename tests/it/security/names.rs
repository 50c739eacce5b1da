//! A request's names stand in URLs that are asked with our token.

use kube::api::{DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt};
use proptest::prelude::*;
use serde_json::{Value, json};
use singletrack::api::{RepoName, RepoPattern, SyncRequest};
use url::Url;

use crate::requests::github;
use crate::support::{Namespace, operator, phase_of};

/// Requests as anybody may write them.
fn documents(space: &Namespace) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("singletrack.dev", "v1alpha1", "SyncRequest");
    let resource = ApiResource::from_gvk_with_plural(&kind, "syncrequests");
    Api::namespaced_with(space.client.clone(), &space.name, &resource)
}

fn document(name: &str, repository: &str) -> DynamicObject {
    let document = json!({"apiVersion": "singletrack.dev/v1alpha1", "kind": "SyncRequest",
        "metadata": {"name": name}, "spec": {"type": "manual", "repositories": [repository]}});
    serde_json::from_value(document).expect("an object")
}

/// Names that would be something else in a URL, or longer than GitHub's.
fn bad() -> Vec<String> {
    let (owner, name) = ("o".repeat(40), "n".repeat(101));
    let long =
        [format!("{owner}/a"), format!("{owner}/*"), format!("a/{name}"), format!("a/.{name}")];
    let rows = [
        "..",
        ".",
        "a/..",
        "../b",
        "./b",
        "a/.",
        "%2e%2e/b",
        "a/%2e%2e",
        "a/b/../../orgs/x",
        "a/b?x=",
        "a/b#",
        "a\\b",
        "a/b\\c",
        "a/b\r\nHost: x",
        "a/b\r",
        "a/b\n",
        "a/b\0",
        "a/b ",
        " a/b",
        "a//b",
        "/a/b",
        "a/b/",
        "https://evil.test/a",
        "//evil.test/a",
        "a@evil.test/b",
        "a:b/c",
        "a/**",
        "*/*",
        "*/b",
        "а/b",
        "a/ｂ",
        "a/b\u{2024}\u{2024}",
        "a/\u{202e}b",
        "\u{ff0e}\u{ff0e}/b",
        "",
    ];
    rows.map(str::to_owned).into_iter().chain(long).collect()
}

/// The longest that GitHub allows, and dots where they mean nothing.
fn good() -> Vec<String> {
    let (owner, name) = ("o".repeat(39), "n".repeat(100));
    vec![
        format!("{owner}/{name}"),
        format!("{owner}/*"),
        format!("..{}/..{}", "o".repeat(37), "n".repeat(98)),
        format!(".{}/.{}", "o".repeat(38), "n".repeat(99)),
        "a/...".to_owned(),
        "a/..b".to_owned(),
        "-/_".to_owned(),
    ]
}

/// What the API server stores, the operator must be able to read: one object that it cannot would
/// hide all others from it.
#[tokio::test]
async fn names_are_refused_by_the_api_server_and_by_the_operator_alike() {
    let space = Namespace::new("names").await;
    let documents = documents(&space);
    for (n, name) in bad().iter().enumerate() {
        let document = document(&format!("bad-{n}"), name);
        let made = documents.create(&PostParams::default(), &document).await;
        let Err(kube::Error::Api(status)) = made else { panic!("{name:?} was accepted") };
        assert!(status.code == 422 || status.code == 400, "{name:?}: {}", status.message);
        assert!(name.parse::<RepoPattern>().is_err(), "{name:?}");
    }
    for (n, name) in good().iter().enumerate() {
        let document = document(&format!("good-{n}"), name);
        documents.create(&PostParams::default(), &document).await.expect(name);
        assert!(name.parse::<RepoPattern>().is_ok(), "{name:?}");
    }
    let list = space.requests().list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items.len(), good().len());
}

/// Whatever somebody writes into a status and the API server stores, can be read again.
#[tokio::test]
async fn a_status_that_somebody_else_has_written_hides_no_other_request() {
    let space = Namespace::new("oddities").await;
    let documents = documents(&space);
    let long = "x".repeat(200_000);
    let times = [
        "2026-01-01T00:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01t00:00:00z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999+23:59",
        "2026-02-30T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01",
        "2026-01-01T00:00:00+99:99",
        "",
    ];
    let times =
        times.map(|time| json!({"phase": "Pending", "completionTime": time, "startTime": time}));
    let others = [
        json!({"phase": "Pending", "runNumber": i64::MIN}),
        json!({"phase": "Pending", "runNumber": 1.0}),
        json!({"phase": "Pending", "runNumber": 1e18}),
        json!({"phase": "Pending", "runNumber": 1e19}),
        json!({"phase": "Pending", "attempts": i64::MAX}),
        json!({"phase": "Nonsense"}),
        json!({"phase": null}),
        json!({}),
        json!({"phase": "Pending", "result": {}}),
        json!({"phase": "Pending", "progress": {}}),
        json!({"phase": "Pending", "lock": {}}),
        json!({"phase": "Pending", "message": long}),
        json!({"phase": "Pending", "repositories": [{"name": "\0\u{1b}[2J", "phase": "x"}]}),
        json!({"phase": "Pending", "conditions": [{"type": "x"}]}),
        json!({"phase": "Pending", "unknown": {"deep": [1]}}),
        json!({"phase": "Pending", "conditions": [{"type": "Ready", "status": "True", "reason": "X",
            "message": "", "lastTransitionTime": "2026-01-01T00:00:00,5Z"}]}),
    ];
    let mut stored = 0;
    let mut unread = Vec::new();
    for (n, status) in times.iter().chain(&others).enumerate() {
        let name = format!("odd-{n}");
        let made = documents.create(&PostParams::default(), &document(&name, "a/b")).await.unwrap();
        let mut forged = made.clone();
        forged.data["status"] = status.clone();
        if documents.replace_status(&name, &PostParams::default(), &forged).await.is_err() {
            continue;
        }
        stored += 1;
        let kept = documents.get(&name).await.unwrap();
        let kept: Value = serde_json::to_value(&kept).unwrap();
        if let Err(error) = serde_json::from_value::<SyncRequest>(kept) {
            unread.push(format!("{status}: {error}"));
        }
    }
    assert!(stored > 5, "only {stored} were stored");
    assert!(unread.is_empty(), "cannot be read:\n{}", unread.join("\n"));

    another_runs_beside_them(&space).await;
}

async fn another_runs_beside_them(space: &Namespace) {
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 3).await;
    let _operator = operator(space, &github, folder.path()).start();
    let well = space.manual("well").await.name_any();
    assert_eq!(phase_of(&space.finished(&well).await).as_str(), "Succeeded");
}

proptest! {
    /// Whatever is taken for a name is two segments of the URL, and the host stays the configured one.
    #[test]
    fn a_name_is_always_two_segments_below_the_base(
        name in "[a./%\\\\?#@:*\r\n\0 ．а2e-]{1,12}|[a.-]{1,40}/[a._-]{1,101}",
    ) {
        if let Ok(name) = name.parse::<RepoName>() {
            for base in ["https://ghe.example", "https://ghe.example:8443/api/v3"] {
                let below = Url::parse(base).unwrap();
                let url = Url::parse(&format!("{base}/repos/{name}/issues?state=open")).unwrap();
                prop_assert_eq!(url.authority(), below.authority());
                let path = url.path().strip_prefix(below.path().trim_end_matches('/')).unwrap();
                let segments: Vec<_> = path.split('/').collect();
                prop_assert_eq!(segments, ["", "repos", name.owner(), name.name(), "issues"]);
                prop_assert_eq!(url.query(), Some("state=open"));
                prop_assert_eq!(url.fragment(), None);
            }
        }
    }
}
