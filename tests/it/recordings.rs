//! Answers and objects that others have recorded: all must be understood as what they are.
//!
//! In `../shared/data`, or in the folder of `SINGLETRACK_RECORDINGS`; they are not part of the
//! project, so the tests say so and pass where they are absent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use singletrack::api::RunType;
use singletrack::github::model::{
    Commit, Installation, InstallationToken, Issue, Job, Package, PackageVersion, PullRequest,
    RateLimit, Release, Repository, Workflow, WorkflowRun,
};
use singletrack::github::{Head, Kind, classify, decode_one, limit_wait, next};
use singletrack::process::clock::Clock;
use singletrack::sync::Parts;

use crate::both_stores::{Both, start_of_time};
use crate::stand_in::{Fault, Matcher, RECORDED, StandIn, World};
use crate::support::{Attempt, TOKEN};

#[derive(Deserialize)]
struct Object {
    model: String,
    v: Box<RawValue>,
}

#[derive(Deserialize)]
struct Exchange {
    method: String,
    path: String,
    status: u16,
    headers: BTreeMap<String, Value>,
    body: Value,
    kind: String,
}

pub(crate) fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("SINGLETRACK_RECORDINGS").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = given.unwrap_or_else(beside);
    if folder.join("github-objects.jsonl.gz").exists() {
        return Some(folder);
    }
    println!("no recordings in {}: set SINGLETRACK_RECORDINGS; skipped", folder.display());
    None
}

fn lines<T: for<'a> Deserialize<'a>>(path: PathBuf) -> Vec<T> {
    let file = GzDecoder::new(File::open(&path).expect("the file is there"));
    let lines = BufReader::new(file).lines();
    lines.map(|line| serde_json::from_str(&line.expect("text")).expect("JSON")).collect()
}

#[test]
fn recordings_are_understood_as_what_they_are() {
    let Some(folder) = folder() else { return };
    let mut rejected = Vec::new();
    let objects: Vec<Object> = lines(folder.join("github-objects.jsonl.gz"));
    for object in &objects {
        if let Err(error) = decode(&object.model, object.v.get()) {
            rejected.push(format!("{}: {error}", object.model));
        }
    }
    let exchanges: Vec<Exchange> = lines(folder.join("github-scenarios.jsonl.gz"));
    for exchange in &exchanges {
        if let Err(found) = understand(exchange) {
            let Exchange { method, path, status, kind, .. } = exchange;
            rejected.push(format!("{method} {path} ({kind}, {status}) is taken for {found}"));
        }
    }
    println!(
        "objects: {}, exchanges: {}, rejected: {}",
        objects.len(),
        exchanges.len(),
        rejected.len()
    );
    assert!(!objects.is_empty() && !exchanges.is_empty());
    assert!(rejected.is_empty(), "{}", rejected.join("\n"));
}

fn decode(model: &str, raw: &str) -> Result<(), String> {
    fn of<T: serde::de::DeserializeOwned>(raw: &str) -> Result<(), String> {
        decode_one::<T>(raw, &mut 0).map(drop)
    }
    match model {
        "issue" => of::<Issue>(raw),
        "repo" => of::<Repository>(raw),
        "commit" => of::<Commit>(raw),
        "run" => of::<WorkflowRun>(raw),
        "pull" => of::<PullRequest>(raw),
        "insttoken" => of::<InstallationToken>(raw),
        "release" => of::<Release>(raw),
        "workflow" => of::<Workflow>(raw),
        "installation" => of::<Installation>(raw),
        "job" => of::<Job>(raw),
        "packagever" => of::<PackageVersion>(raw),
        "ratelimit" => of::<RateLimit>(raw),
        "package" => of::<Package>(raw),
        other => Err(format!("no type for {other}")),
    }
}

/// Whether the exchange is taken for what it is recorded as.
fn understand(exchange: &Exchange) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &exchange.headers {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // A header that HTTP does not allow never arrives.
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
            headers.insert(name, value);
        }
    }
    let body = match &exchange.body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    };
    let head = Head::read(exchange.status, &headers);
    let kind = classify(&head, &body);
    let right = match exchange.kind.as_str() {
        "paged" => kind == Kind::Ok && is_followed(&head),
        "token" => kind == Kind::Ok,
        "moved" => kind == Kind::Moved && head.location.is_some(),
        "304" => kind == Kind::NotModified,
        "limited" => {
            kind == Kind::Limited && !limit_wait(&head, 0, Clock::default().now()).is_zero()
        }
        "4xx" => matches!(
            kind,
            Kind::Unauthorized
                | Kind::Forbidden
                | Kind::NotFound
                | Kind::Gone
                | Kind::Conflict
                | Kind::Refused
        ),
        _ => false,
    };
    if right { Ok(()) } else { Err(format!("{kind:?}")) }
}

/// Whether the next page is found exactly where the answer names one.
fn is_followed(head: &Head) -> bool {
    let link = head.link.as_deref().unwrap_or_default();
    next(link).is_some() == link.contains("rel=\"next\"")
}

#[tokio::test]
async fn recorded_issues_are_stored_without_one_set_aside() {
    let Some(recordings) = folder() else { return };
    let (now, mut world) = (start_of_time(), World::empty());
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(now));
    world.quota.limit = 1_000_000;
    let objects = world.load_recordings(&recordings).expect("the recordings can be read");
    let github = StandIn::start(world).await;
    let both = Both::new().await;
    let attempt = || Attempt { clock: Clock::starting_at(now), ..Attempt::over(&github) };
    let held = both.run("the recordings", attempt).await;
    assert_eq!(held["sync_quarantine"], [[""; 0]; 0]);
    let stored = held["issues"].len() + held["pull_requests"].len();
    assert_eq!(stored, objects, "of {RECORDED}");
    println!("recorded issues stored: {stored}, set aside: 0, in both databases");
    both.close().await;
}

/// Each recorded object is what a repository of its own answers with: so none is hidden by another
/// of the same number.
#[tokio::test]
async fn recorded_automation_is_stored_without_one_set_aside() {
    let Some(recordings) = folder() else { return };
    let objects: Vec<Object> = lines(recordings.join("github-objects.jsonl.gz"));
    let of = |model: &str| -> Vec<Value> {
        let of_model = objects.iter().filter(|object| object.model == model);
        of_model.map(|object| serde_json::from_str(object.v.get()).expect("JSON")).collect()
    };
    let commits = of("commit");
    let (now, mut world) = (start_of_time(), World::empty());
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(now));
    world.quota.limit = 1_000_000;
    for at in 0..commits.len() {
        world.add_repository(&format!("acme/recorded-{at}"));
    }
    let github = StandIn::start(world).await;
    let answer = |path: String, body: Value| {
        github.inject(Matcher::get(&path), 0, None, Fault::json(StatusCode::OK, &body));
    };
    let in_repository = |at: usize, path: &str| format!("/repos/acme/recorded-{at}/{path}");
    for (at, commit) in commits.iter().enumerate() {
        answer(in_repository(at, "commits"), json!([commit]));
    }
    for (model, path, key) in [
        ("workflow", "actions/workflows", Some("workflows")),
        ("run", "actions/runs", Some("workflow_runs")),
        ("release", "releases", None),
        ("pull", "pulls", None),
    ] {
        for (at, object) in of(model).into_iter().enumerate() {
            let list = json!([object]);
            let body = key.map_or(list.clone(), |key| json!({"total_count": 1, key: list}));
            answer(in_repository(at, path), body);
        }
    }
    let jobs = of("job");
    for (at, run) in of("run").iter().enumerate() {
        let some: Vec<&Value> = jobs.get(at).into_iter().collect();
        let path = in_repository(at, &format!("actions/runs/{}/jobs", run["id"]));
        answer(path, json!({"total_count": some.len(), "jobs": some}));
    }
    let packages = Matcher::get("/orgs/acme/packages").with("package_type", "npm");
    github.inject(packages, 0, None, Fault::json(StatusCode::OK, &json!(of("package"))));
    let versions = Matcher::any().path_contains("/versions");
    github.inject(versions, 0, None, Fault::json(StatusCode::OK, &json!(of("packagever"))));

    let both = Both::new().await;
    let run = async |what, at: std::ops::Range<usize>, parallel| {
        let names: Vec<_> = at.map(|at| format!("acme/recorded-{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let attempt = || {
            let (parts, clock) = (Parts::of(RunType::Automation, false), Clock::starting_at(now));
            Attempt { parts, parallel, clock, ..Attempt::over(&github) }.tracking(&names)
        };
        both.run(what, attempt).await
    };
    // What was recorded twice is stored as it was recorded last, so one after the other.
    let all_kinds = of("run").len().max(of("pull").len());
    run("all kinds", 0..all_kinds, 1).await;
    let held = run("the other commits", all_kinds..commits.len(), 8).await;
    assert_eq!(held["sync_quarantine"], [[""; 0]; 0]);
    let distinct = |model: &str| {
        let all = of(model);
        all.iter().map(|it| it["id"].to_string()).collect::<BTreeSet<_>>().len()
    };
    for (table, stored) in [
        ("workflows", distinct("workflow")),
        ("workflow_runs", distinct("run")),
        ("workflow_jobs", distinct("job")),
        ("releases", distinct("release")),
        ("pull_requests", of("pull").len()),
        ("packages", distinct("package")),
        ("commits", commits.len()),
    ] {
        assert_eq!(held[table].len(), stored, "{table}");
        println!("recorded {table} stored: {stored}, set aside: 0, in both databases");
    }
    both.close().await;
}

#[tokio::test]
async fn recorded_repositories_are_stored_under_their_ids() {
    let Some(recordings) = folder() else { return };
    let objects: Vec<Object> = lines(recordings.join("github-objects.jsonl.gz"));
    let recorded = objects.iter().filter(|object| object.model == "repo");
    let recorded: BTreeMap<i64, Value> = recorded
        .map(|object| serde_json::from_str::<Value>(object.v.get()).expect("JSON"))
        .map(|repository| (repository["id"].as_i64().expect("an id"), repository))
        .collect();
    let (now, mut world) = (start_of_time(), World::empty());
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(now));
    world.quota.limit = 1_000_000;
    let github = StandIn::start(world).await;
    let mut names = Vec::new();
    for (id, repository) in &recorded {
        // Under a name of its own, as some were recorded under the same.
        let name = format!("recorded/of-{id}");
        let path = format!("/repos/{name}");
        github.inject(Matcher::get(&path), 0, None, Fault::json(StatusCode::OK, repository));
        names.push(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let both = Both::new().await;
    let attempt = || {
        let parts = Parts::of(RunType::Automation, false);
        let attempt = Attempt { parts, clock: Clock::starting_at(now), ..Attempt::over(&github) };
        attempt.tracking(&names)
    };
    let held = both.run("the recordings", attempt).await;
    assert_eq!(held["repositories"].len(), recorded.len());
    println!("recorded repositories stored: {}, in both databases", recorded.len());
    both.close().await;
}
