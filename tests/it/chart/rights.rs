//! The rights that the chart gives: those that are needed, and none beside.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use singletrack::cli::NEEDED;

use super::sets::SETS;
use super::tool::{Tools, of_kind, one};
use crate::support::{Command, Namespace, Said, cluster, poll};

/// What the rules of a role allow, a line for each verb.
fn allowed(role: &Value) -> BTreeSet<String> {
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        let list = rule[key].as_array().expect("a list");
        list.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                let verbs = texts(rule, "verbs");
                all.extend(verbs.iter().map(|verb| format!("{verb} {resource}.{group}")));
            }
        }
    }
    all
}

fn needed() -> BTreeSet<String> {
    let lines = NEEDED.iter().flat_map(|(group, resource, sub, verbs)| {
        let slash = if sub.is_empty() { "" } else { "/" };
        verbs.iter().map(move |verb| format!("{verb} {resource}{slash}{sub}.{group}"))
    });
    lines.collect()
}

#[test]
fn the_operator_has_the_rights_that_it_needs_and_no_other() {
    let tools = Tools::offline();
    let objects = tools.rendered("tools", "{}");
    assert_eq!(allowed(one(&objects, "Role", "x-singletrack")), needed());
    let objects = tools.rendered("tools", "{watch: {allNamespaces: true}}");
    let own = allowed(one(&objects, "Role", "x-singletrack"));
    let everywhere = allowed(one(&objects, "ClusterRole", "tools-x-singletrack"));
    assert_eq!(own.intersection(&everywhere).count(), 0);
    assert_eq!(own.union(&everywhere).cloned().collect::<BTreeSet<_>>(), needed());
    let objects = tools.rendered("tools", "{watch: {namespaces: [a, tools]}}");
    assert_eq!(allowed(one(&objects, "Role", "x-singletrack")), needed());
    let there = one(&objects, "Role", "tools-x-singletrack");
    assert_eq!(
        (allowed(there), &there["metadata"]["namespace"]),
        (everywhere.clone(), &json!("a"))
    );
    let wide = |line: &&String| line.contains("lease") || line.contains("pods");
    assert_eq!(everywhere.iter().find(wide), None);
}

/// Another Lease of the namespace is not ours to read or write.
#[test]
fn of_leases_the_operator_may_touch_its_own_only() {
    let objects = Tools::offline().rendered("tools", "{lease: {name: lock}}");
    let rules = one(&objects, "Role", "x-singletrack")["rules"].as_array().unwrap();
    let leases: Vec<_> = rules.iter().filter(|rule| rule["resources"][0] == "leases").collect();
    assert_eq!(leases.len(), 2);
    for rule in leases {
        // What is created has no name yet when the API server asks.
        let name = if rule["verbs"] == json!(["create"]) { Value::Null } else { json!(["lock"]) };
        assert_eq!(rule["resourceNames"], name, "{rule}");
    }
}

#[test]
fn a_schedule_may_ask_for_runs_and_nothing_else() {
    let objects = Tools::offline().rendered("tools", "{schedules: {a: {type: manual, cron: x}}}");
    let role = one(&objects, "Role", "x-singletrack-schedule");
    let ask = BTreeSet::from(["create syncrequests.singletrack.dev".to_owned()]);
    assert_eq!(allowed(role), ask);
    let bound: Vec<_> = of_kind(&objects, "RoleBinding")
        .filter(|it| it["subjects"][0]["name"] == "x-singletrack-schedule")
        .collect();
    assert_eq!(bound.len(), 1);
    assert_eq!(bound[0]["roleRef"]["name"], "x-singletrack-schedule");
}

#[test]
fn nobody_may_do_anything_with_secrets_or_with_everything() {
    let tools = Tools::offline();
    for (set, values) in SETS {
        let objects = tools.rendered("tools", values);
        let roles = of_kind(&objects, "Role").chain(of_kind(&objects, "ClusterRole"));
        for line in roles.flat_map(allowed) {
            assert!(!line.contains('*') && !line.contains("secrets"), "{set}: {line}");
        }
    }
    let objects = tools.rendered("tools", "{rbac: {create: false, aggregateClusterRoles: false}}");
    let objects = [objects, tools.rendered("tools", "{rbac: {create: false}}")].concat();
    let kinds = ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    assert_eq!(kinds.map(|kind| of_kind(&objects, kind).count()), [0; 4]);
}

/// Applies the objects of these kinds that belong to the release.
pub(crate) fn apply(tools: &Tools, objects: &[Value], kinds: &[&str]) {
    let wanted = |it: &&Value| kinds.contains(&it["kind"].as_str().unwrap_or_default());
    let objects: Vec<_> = objects.iter().filter(wanted).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    tools.kubectl(&["apply", "-f", "-"], &list.to_string()).with(0, &[]);
}

/// What an account of the operator is made of.
pub(crate) const ACCOUNT: [&str; 5] =
    ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];

/// A kubeconfig of the operator's account.
pub(crate) fn kubeconfig(tools: &Tools, space: &Namespace) -> PathBuf {
    let token = tools.kubectl(&["create", "token", "x-singletrack", "-n", &space.name], "");
    let token = token.with(0, &[]).out;
    let kubeconfig = std::fs::read_to_string(&cluster().kubeconfig).unwrap();
    let mut config: Value = serde_saphyr::from_str(&kubeconfig).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let file = tools.folder().join("kubeconfig");
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// Asks the doctor with the operator's account and these values, until what it says holds.
pub(super) async fn doctor(
    tools: &Tools,
    space: &Namespace,
    values: &str,
    holds: impl Fn(&Said) -> bool,
) -> Said {
    let file = kubeconfig(tools, space);
    let watch = tools.folder().join("watch.yaml");
    std::fs::write(&watch, values).unwrap();
    let watch = watch.to_string_lossy();
    let args = ["doctor", "--github-url", "https://127.0.0.1:1", "--config", &watch];
    poll("the roles count", async || {
        let doctor = Command::within(space, &args).env("KUBECONFIG", &file);
        let said = doctor.env("SINGLETRACK_DATABASE", "/nowhere/a.db").said().await;
        Some(said).filter(&holds)
    })
    .await
}

#[tokio::test]
async fn the_doctor_is_content_with_the_service_account_of_the_chart() {
    let space = Namespace::new("chartrights").await;
    let tools = Tools::of(&cluster().kubeconfig);
    let other = Namespace::new("chartelse").await;
    let some = format!("{{watch: {{namespaces: [{}]}}}}", other.name);
    for values in ["{}", "{watch: {allNamespaces: true}}", &some] {
        apply(&tools, &tools.rendered(&space.name, values), &ACCOUNT);
        let content = |said: &Said| said.out.contains("ok    permissions");
        doctor(&tools, &space, values, content).await;
    }
}

/// The Lease is the operator's: other service accounts are kept from it, and people are not.
#[tokio::test]
async fn another_service_account_cannot_write_a_protected_lease() {
    let space = Namespace::new("protect").await;
    let tools = Tools::of(&cluster().kubeconfig);
    let objects = tools.rendered(&space.name, "{lease: {protect: true}}");
    let policy = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    apply(&tools, &objects, &["ServiceAccount"]);
    apply(&tools, &objects, &policy);
    let within = ["-n", space.name.as_str()];
    let kubectl = |args: &[&str], input: &str| tools.kubectl(&[args, &within].concat(), input);
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "singletrack"}});
    kubectl(&["create", "-f", "-"], &lease.to_string()).with(0, &[]);
    let verbs = "--verb=get,patch,update";
    kubectl(&["create", "role", "write", verbs, "--resource=leases"], "").with(0, &[]);
    let name = &space.name;
    for account in ["other", "x-singletrack"] {
        let who = format!("--serviceaccount={name}:{account}");
        kubectl(&["create", "rolebinding", account, "--role=write", &who], "").with(0, &[]);
    }
    let write = |account: Option<&str>, text: &str| {
        let who = account.map(|it| format!("--as=system:serviceaccount:{name}:{it}"));
        let mut args = vec!["annotate", "--overwrite", "lease", "singletrack", text];
        args.extend(who.as_deref());
        kubectl(&args, "")
    };
    let mut count = 0;
    let refused = poll("the policy counts", async || {
        count += 1;
        let said = write(Some("other"), &format!("tried=n{count}"));
        Some(said).filter(|said| said.err.contains("denied"))
    })
    .await;
    refused.with(1, &["only system:serviceaccount", "may write this Lease"]);
    write(Some("x-singletrack"), "operator=may").with(0, &[]);
    write(None, "people=may").with(0, &[]);
    tools.kubectl(&["delete", "namespace", name, "--wait=false"], "").with(0, &[]);
    poll("the namespace goes", async || {
        let said = tools.kubectl(&["get", "namespace", name], "");
        (said.code != 0).then_some(())
    })
    .await;
}
