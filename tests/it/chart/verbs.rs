//! Each verb of the operator's Role, taken away: it is told and the process lives; given back, the
//! process goes on by itself.

use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use kube::api::PostParams;
use serde_json::{Value, json};
use singletrack::api::{Phase, RunType, SyncRequestSpec};
use singletrack::lease::{Claim, Holder, RunNumber, Times, grant, renew, vacant};
use singletrack::process::clock::Clock;
use tokio::time::timeout;

use super::tool::{Tools, one};
use crate::requests::{github, open_issues};
use crate::stand_in::StandIn;
use crate::support::{Account, Namespace, Operator, PATIENCE, operator, phase_of, poll};

/// A verb of a rule.
#[derive(Clone, Debug)]
pub(super) struct Verb {
    rule: usize,
    pub(super) resource: String,
    pub(super) name: String,
}

/// The rules of the operator's Role as the chart has them.
fn rules() -> Vec<Value> {
    let objects = Tools::offline().rendered("here", "{}");
    one(&objects, "Role", "x-singletrack")["rules"].as_array().expect("rules").clone()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// All verbs of the rules; each rule is about one resource.
pub(super) fn verbs(rules: &[Value]) -> Vec<Verb> {
    let of = |(at, rule): (usize, &Value)| -> Vec<Verb> {
        let resources = rule["resources"].as_array().expect("resources");
        assert_eq!(resources.len(), 1, "{rule}");
        let verbs = rule["verbs"].as_array().expect("verbs").iter();
        let of = |verb| Verb { rule: at, resource: text(&resources[0]), name: text(verb) };
        verbs.map(of).collect()
    };
    rules.iter().enumerate().flat_map(of).collect()
}

/// The rules for this namespace, without this verb.
pub(super) fn without(rules: &[Value], verb: &Verb) -> Vec<Value> {
    let mut rules = rules.to_vec();
    let left = rules[verb.rule]["verbs"].as_array_mut().expect("verbs");
    left.retain(|it| text(it) != verb.name);
    if left.is_empty() {
        rules.remove(verb.rule);
    }
    rules
}

/// A lock whose holder's pod is gone: who may read pods takes it over soon, and nobody else.
async fn held_by_the_gone(space: &Namespace) {
    let holder = Holder::parse(Some("gone_boot_attempt")).expect("a holder");
    let times = Times::new(Duration::from_secs(3600), Duration::from_secs(1)).expect("they fit");
    let claim = Claim {
        holder: &holder,
        pod_uid: "uid-of-gone",
        namespace: &space.name,
        name: "before",
        uid: "uid-of-before",
        run_type: "manual",
        number: RunNumber(1),
    };
    let now = Clock::default().now();
    let lease = renew(&grant(&vacant("singletrack"), &claim, &times, now), now);
    space.leases().create(&PostParams::default(), &lease).await.expect("it is accepted");
}

/// Makes the operator need the verb.
async fn need(verb: &Verb, space: &Namespace, github: &StandIn) {
    let ttl = (verb.name == "delete").then_some(0);
    let spec =
        SyncRequestSpec { ttl_seconds_after_finished: ttl, ..SyncRequestSpec::of(RunType::Manual) };
    if (verb.resource.as_str(), verb.name.as_str()) != ("events", "patch") {
        space.create("asks", spec).await;
        return;
    }
    // An Event that is written again is counted in the first one.
    let gate = github.hold(open_issues());
    space.create("asks", spec).await;
    for _ in 0..2 {
        space.in_phase("asks", Phase::Running).await;
        space.change("asks", json!({"suspend": true})).await;
        space.in_phase("asks", Phase::Queued).await;
        space.change("asks", json!({"suspend": false})).await;
    }
    gate.open();
}

/// Waits until the log tells of a call that the API server has refused for want of the verb.
async fn refused(operator: &Operator, verb: &Verb) {
    let words = format!("cannot {} resource \"{}\"", verb.name, verb.resource);
    let what = format!("the log says {words}");
    poll(&what, async || operator.log().replace('\\', "").contains(&words).then_some(())).await;
}

async fn taken_away(rules: &[Value], verb: &Verb) {
    let Verb { resource, name, .. } = verb;
    let space = Namespace::new(&format!("verb-{name}")).await;
    let in_space = |rule: &Value| -> Value {
        let rule = rule.to_string().replace("\"here\"", &format!("{:?}", space.name));
        serde_json::from_str(&rule).expect("it is JSON")
    };
    let rules: Vec<_> = rules.iter().map(in_space).collect();
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 3).await;
    if resource == "pods" {
        held_by_the_gone(&space).await;
    }
    let account = Account::new(&space, "operator", &without(&rules, verb)).await;
    let kubeconfig = account.kubeconfig(folder.path());
    let operator = operator(&space, &github, folder.path())
        .times(Duration::from_secs(600), Duration::from_millis(300))
        .env("KUBECONFIG", &kubeconfig.to_string_lossy())
        .start();
    let missing = format!("may not {name} {resource} in namespace");
    let rule = format!("resources: [\"{resource}\"], verbs: [\"{name}\"]");
    if resource == "events" {
        operator.says(&missing).await;
        operator.ready().await;
    } else {
        let told = |status, text: &str| status == 503 && text.contains(&missing);
        let text = operator.ready_when(told).await;
        assert!(text.contains(&rule), "{text}");
    }
    // A watch is refused by itself, and works again although nothing has happened that it could show.
    let is_of_a_watch = ["list", "watch"].contains(&name.as_str());
    if !is_of_a_watch {
        need(verb, &space, &github).await;
    }
    refused(&operator, verb).await;

    account.may(&rules).await;
    operator.ready().await;
    if is_of_a_watch {
        need(verb, &space, &github).await;
    }
    if name == "delete" {
        let gone = async || space.requests().get_opt("asks").await.unwrap().is_none().then_some(());
        poll("the request is deleted", gone).await;
    } else {
        assert_eq!(phase_of(&space.finished("asks").await), Phase::Succeeded, "{verb:?}");
    }
    let lease = space.leases().get("singletrack").await.unwrap();
    assert!(lease.uid().is_some(), "the lock is there");
}

#[tokio::test]
async fn each_verb_of_the_role_is_needed_told_and_taken_up_again() {
    let rules = rules();
    let verbs = verbs(&rules);
    assert_eq!(verbs.len(), 14, "{verbs:?}");
    // Before what is awaited inside is given up, so that each verb that fails is named.
    let limit = PATIENCE.mul_f32(0.9);
    let all = verbs.iter().map(async |verb| {
        let done = timeout(limit, taken_away(&rules, verb)).await;
        done.is_err().then(|| format!("{} {}", verb.name, verb.resource))
    });
    let late: Vec<_> = join_all(all).await.into_iter().flatten().collect();
    assert!(late.is_empty(), "not within {limit:?}: {late:?}");
}
