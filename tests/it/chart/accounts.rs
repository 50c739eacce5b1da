//! Each verb of the other roles, taken away: what runs under that account says which one is missing.

use serde_json::{Value, json};
use singletrack::api::Phase;

use super::rights::{ACCOUNT, apply, doctor};
use super::tool::{Tools, one};
use super::verbs::{Verb, verbs, without};
use crate::requests::github;
use crate::support::{Account, Command, Namespace, Said, cluster, operator, phase_of, poll};

/// The rules of the role.
fn rules(objects: &[Value], kind: &str, name: &str) -> Vec<Value> {
    one(objects, kind, name)["rules"].as_array().expect("rules").clone()
}

/// Takes each verb of the operator's role of this kind away, and has the doctor look.
async fn the_doctor_tells(space: &Namespace, kind: &str, values: &str, place: &str) {
    let tools = Tools::of(&cluster().kubeconfig);
    let objects = tools.rendered(&space.name, values);
    let name = format!("{}-x-singletrack", space.name);
    apply(&tools, &objects, &ACCOUNT);
    let role = one(&objects, kind, &name).clone();
    let rules = rules(&objects, kind, &name);
    let all = verbs(&rules);
    assert_eq!(all.len(), 7, "{all:?}");
    for verb in &all {
        let mut role = role.clone();
        role["rules"] = json!(without(&rules, verb));
        tools.kubectl(&["apply", "-f", "-"], &role.to_string()).with(0, &[]);
        let missing = format!("may not {} {} in {place}: add this", verb.name, verb.resource);
        doctor(&tools, space, values, |said| said.out.contains(&missing)).await;
    }
}

#[tokio::test]
async fn each_verb_in_another_namespace_is_told_by_the_doctor() {
    let (space, other) = (Namespace::new("verbsbeside").await, Namespace::new("verbsthere").await);
    let values = format!("{{watch: {{namespaces: [{}]}}}}", other.name);
    the_doctor_tells(&space, "Role", &values, &format!("namespace {}", other.name)).await;
}

#[tokio::test]
async fn each_verb_in_all_namespaces_is_told_by_the_doctor() {
    let space = Namespace::new("verbsall").await;
    let values = "{watch: {allNamespaces: true}}";
    the_doctor_tells(&space, "ClusterRole", values, "all namespaces").await;
}

/// The arguments of the pod's one container, in the Job `job`.
fn args(container: &Value) -> Vec<String> {
    let args = container["args"].as_array().expect("arguments").iter();
    args.map(|arg| arg.as_str().expect("a text").replace("$(JOB_NAME)", "job")).collect()
}

/// Runs a pod's command under an account with these rules, until it has ended well or badly as
/// expected: the API server needs a moment until a Role counts.
async fn said(
    space: &Namespace,
    args: &[String],
    (account, rules): (&Account, &[Value]),
    holds: impl Fn(&Said) -> bool,
) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = account.kubeconfig(folder.path());
    account.may(rules).await;
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    poll(&format!("{args:?} with {rules:?}"), async || {
        let command = Command::within(space, &args).env("KUBECONFIG", &kubeconfig);
        Some(command.said().await).filter(&holds)
    })
    .await
}

/// What a command says that may not do this.
fn refused(verb: &Verb) -> impl Fn(&Said) -> bool {
    let words = format!("cannot {} resource \"{}\"", verb.name, verb.resource);
    move |said| {
        said.code == 1 && said.err.contains(&words) && said.err.contains("singletrack doctor")
    }
}

#[tokio::test]
async fn a_schedule_says_that_it_may_not_ask() {
    let space = Namespace::new("verbsschedule").await;
    let values = "{schedules: {a: {type: manual, cron: x}}}";
    let objects = Tools::offline().rendered("here", values);
    let rules = rules(&objects, "Role", "x-singletrack-schedule");
    let job = &one(&objects, "CronJob", "x-singletrack-a")["spec"]["jobTemplate"];
    let args = args(&job["spec"]["template"]["spec"]["containers"][0]);
    let account = Account::new(&space, "schedule", &[]).await;
    let all = verbs(&rules);
    assert_eq!(all.len(), 1, "{all:?}");
    said(&space, &args, (&account, &without(&rules, &all[0])), refused(&all[0])).await;
    said(&space, &args, (&account, &rules), |said| said.code == 0).await;
    space.get("job").await;
}

#[tokio::test]
async fn each_verb_of_the_test_is_needed_and_told() {
    let space = Namespace::new("verbstest").await;
    let objects = Tools::offline().rendered("here", "{}");
    let rules = rules(&objects, "Role", "x-singletrack-test");
    let args = args(&one(&objects, "Pod", "x-singletrack-test")["spec"]["containers"][0]);
    let account = Account::new(&space, "test", &[]).await;
    let all = verbs(&rules);
    assert_eq!(all.len(), 3, "{all:?}");
    // Nobody answers yet, so each of them waits in vain or is refused.
    for verb in &all {
        said(&space, &args, (&account, &without(&rules, verb)), refused(verb)).await;
    }
    let (folder, github) = (tempfile::tempdir().unwrap(), github(1, 3).await);
    let operator = operator(&space, &github, folder.path()).start();
    operator.ready().await;
    let ended = said(&space, &args, (&account, &rules), |said| said.code == 0).await;
    let name = ended.out.split_whitespace().next().and_then(|name| name.split_once('/'));
    let request = space.get(name.expect("it names the request").1).await;
    assert!(request.spec.dry_run, "it writes nothing");
    assert_eq!(phase_of(&request), Phase::Succeeded);
}
