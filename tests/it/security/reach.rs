//! What somebody can reach who may create requests, and what the operator could if it were taken.

use serde_json::{Value, json};
use singletrack::api::crd;

use crate::support::{Account, Namespace, may, poll, rule};

/// Words that a field has which names something that belongs to somebody else.
const WORDS: [&str; 13] = [
    "lease",
    "secret",
    "url",
    "uri",
    "host",
    "namespace",
    "token",
    "password",
    "image",
    "database",
    "endpoint",
    "server",
    "path",
];

/// All properties below a schema, as paths, each with its format.
fn properties(schema: &Value, path: &str, into: &mut Vec<(String, String)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let format = property["format"].as_str().unwrap_or_default().to_owned();
        properties(property, &path, into);
        properties(&property["items"], &path, into);
        into.push((path, format));
    }
    let open = &schema["additionalProperties"];
    assert!(open.is_null() || open == &json!(false), "{path} takes any field");
    let any = &schema["x-kubernetes-preserve-unknown-fields"];
    assert!(any.is_null() || any == &json!(false), "{path} keeps any field");
}

#[test]
fn no_field_of_a_request_names_a_secret_a_url_or_a_namespace() {
    let crd = serde_json::to_value(crd()).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    for version in versions {
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut all = Vec::new();
        properties(spec, "spec", &mut all);
        assert!(all.len() > 10, "{all:?}");
        for (path, format) in all {
            let name = path.rsplit('.').next().unwrap();
            let lower = name.to_ascii_lowercase();
            assert!(!name.ends_with("Ref") && !name.ends_with("Refs"), "{path}");
            let word = WORDS.iter().find(|word| lower.contains(**word));
            assert_eq!(word, None, "{path}");
            assert!(matches!(format.as_str(), "" | "int32" | "int64"), "{path} is a {format}");
        }
    }
}

/// The verbs that there are, and the one that stands for all.
const VERBS: [&str; 9] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*"];

#[tokio::test]
async fn who_may_ask_for_runs_may_nothing_else() {
    let space = Namespace::new("author").await;
    let other = Namespace::new("notauthor").await;
    let requests = ("singletrack.dev", "syncrequests", "");
    let rules = [rule("singletrack.dev", &["syncrequests"], &["create", "get", "watch"])];
    let _author = Account::new(&space, "author", &rules).await;
    let who = (&space, "author");
    poll("the role counts", async || may(who, &space.name, requests, "create").await.then_some(()))
        .await;
    let resources = [
        requests,
        ("singletrack.dev", "syncrequests", "status"),
        ("singletrack.dev", "syncrequests", "finalizers"),
        ("", "secrets", ""),
        ("", "configmaps", ""),
        ("", "pods", ""),
        ("", "pods", "exec"),
        ("", "serviceaccounts", "token"),
        ("coordination.k8s.io", "leases", ""),
        ("rbac.authorization.k8s.io", "rolebindings", ""),
        ("batch", "jobs", ""),
    ];
    let mut allowed = Vec::new();
    for (group, resource, sub) in resources {
        for verb in VERBS {
            for place in [&space.name, &other.name, ""] {
                if may(who, place, (group, resource, sub), verb).await {
                    allowed.push(format!("{verb} {resource}{sub} in {place}"));
                }
            }
        }
    }
    allowed.sort();
    let own = |verb: &str| format!("{verb} syncrequests in {}", space.name);
    assert_eq!(allowed, [own("create"), own("get"), own("watch")]);
}
