//! What the operator's service account may not do, asked of the API server.

use super::rights::{ACCOUNT, apply};
use super::tool::Tools;
use crate::support::{Namespace, cluster, may, poll};

/// A group, a resource with its subresource, and verbs: what would make of an operator that was taken
/// over more than a reader of requests.
const FORBIDDEN: [(&str, &str, &str, &[&str]); 27] = [
    ("", "secrets", "", &["get", "list", "watch", "create", "update", "patch", "delete"]),
    ("", "configmaps", "", &["get", "list", "watch", "create", "update", "patch", "delete"]),
    ("", "pods", "", &["list", "watch", "create", "update", "patch", "delete"]),
    ("", "pods", "exec", &["get", "create"]),
    ("", "pods", "attach", &["get", "create"]),
    ("", "pods", "log", &["get"]),
    ("", "pods", "ephemeralcontainers", &["update", "patch"]),
    ("", "serviceaccounts", "", &["get", "create", "impersonate"]),
    ("", "serviceaccounts", "token", &["create"]),
    ("", "users", "", &["impersonate"]),
    ("", "groups", "", &["impersonate"]),
    ("", "nodes", "", &["get", "list", "patch"]),
    ("", "nodes", "proxy", &["get", "create"]),
    ("", "namespaces", "", &["list", "watch", "create", "update", "patch", "delete"]),
    ("", "persistentvolumes", "", &["get", "create"]),
    ("rbac.authorization.k8s.io", "roles", "", &["create", "update", "patch", "escalate", "bind"]),
    ("rbac.authorization.k8s.io", "clusterroles", "", &["create", "update", "escalate", "bind"]),
    (
        "rbac.authorization.k8s.io",
        "rolebindings",
        "",
        &["get", "create", "update", "patch", "delete"],
    ),
    ("rbac.authorization.k8s.io", "clusterrolebindings", "", &["create", "update", "patch"]),
    ("authentication.k8s.io", "tokenreviews", "", &["create"]),
    ("coordination.k8s.io", "leases", "", &["patch", "delete", "deletecollection"]),
    ("singletrack.dev", "syncrequests", "", &["create", "update", "patch", "deletecollection"]),
    ("singletrack.dev", "syncrequests", "status", &["update"]),
    ("apiextensions.k8s.io", "customresourcedefinitions", "", &["create", "update", "patch"]),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations", "", &["create", "patch"]),
    ("batch", "jobs", "", &["get", "create", "delete"]),
    ("*", "*", "", &["*", "get", "list", "create", "delete"]),
];

#[tokio::test]
async fn the_operator_may_do_nothing_of_a_long_list() {
    let space = Namespace::new("forbidden").await;
    let other = Namespace::new("forbiddenelse").await;
    let tools = Tools::of(&cluster().kubeconfig);
    let all = "{watch: {allNamespaces: true}}";
    let some = format!("{{watch: {{namespaces: [{}]}}}}", other.name);
    for values in ["{}", some.as_str(), all] {
        apply(&tools, &tools.rendered(&space.name, values), &ACCOUNT);
        let who = (&space, "x-singletrack");
        // So that a no means no, and not that the roles do not count yet.
        let place = if values == "{}" { &space.name } else { &other.name };
        let status = ("singletrack.dev", "syncrequests", "status");
        poll("the roles count", async || may(who, place, status, "patch").await.then_some(()))
            .await;
        let mut allowed = Vec::new();
        for (group, resource, sub, verbs) in FORBIDDEN {
            for verb in verbs {
                for place in [space.name.as_str(), &other.name, ""] {
                    if may(who, place, (group, resource, sub), verb).await {
                        allowed.push(format!("{verb} {resource}/{sub} in {place:?}"));
                    }
                }
            }
        }
        assert!(allowed.is_empty(), "{values}: {}", allowed.join(", "));
    }
}
