//! Answers and objects that others have recorded: all must be understood as what they are.
//!
//! In `../shared/data`, or in the folder of `SINGLETRACK_RECORDINGS`; they are not part of the
//! project, so the tests say so and pass where they are absent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use singletrack::github::model::{
    Commit, Installation, InstallationToken, Issue, Job, Package, PackageVersion, PullRequest,
    RateLimit, Release, Repository, Workflow, WorkflowRun,
};
use singletrack::github::{Head, Kind, classify, decode_one, limit_wait, next};
use singletrack::process::clock::Clock;

use crate::stand_in::{RECORDED, StandIn, World};
use crate::support::TOKEN;
use crate::sync::{store, sync};

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
    let mut world = World::empty();
    world.token = Some(TOKEN.to_owned());
    let objects = world.load_recordings(&recordings).expect("the recordings can be read");
    let github = StandIn::start(world).await;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let run = sync(&github, &store).await;
    assert_eq!(run.result.quarantined, 0, "{}", run.message);
    assert_eq!(run.result.failed, 0, "{}", run.message);
    let all = "SELECT (SELECT count(*) FROM issues) + (SELECT count(*) FROM pull_requests)";
    let rows = store.query(all).await.unwrap().1[0][0].clone();
    assert_eq!(rows, objects.to_string(), "of {RECORDED}");
    println!("recorded issues stored: {rows}, set aside: 0");
    store.close().await;
}
