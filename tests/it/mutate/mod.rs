//! What the API server makes of documents that are a little wrong, and what the operator makes of
//! those that are right.
//!
//! - Each document is judged as the schema means it, and what is refused is named and not stored.
//! - Each one that is admitted ends, with conditions that do not contradict each other.
//! - Nothing but `suspend` and `cancel` can be changed afterwards.
//!
//! `PLANS=all` (`make plans`) creates all that are admitted; else some are drawn by `SEED`.

mod documents;

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use kube::ResourceExt;
use kube::api::ListParams;
use kube::core::Status;
use serde_json::{Value, json};
use singletrack::api::{Phase, SyncRequest, SyncRequestSpec};

use self::documents::{documents, refused, schema, values};
use crate::plans::drawn;
use crate::requests::github;
use crate::support::{Namespace, operator, poll, setting};

/// How many of those that are admitted are created when nobody asks for all of them.
const DRAWN: usize = 40;

/// How many are under way at once.
const AT_ONCE: usize = 16;

/// Sends a document as kubectl does it: what is unknown is refused.
async fn send(
    space: &Namespace,
    method: &str,
    (name, query): (&str, &str),
    body: &Value,
) -> Result<SyncRequest, Status> {
    let path = format!(
        "/apis/singletrack.dev/v1alpha1/namespaces/{}/syncrequests{name}?fieldValidation=Strict{query}",
        space.name
    );
    let kind = match method {
        "PATCH" => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = http::Request::builder().method(method).uri(path).header("content-type", kind);
    let request = request.body(body.to_string().into_bytes()).expect("a request");
    match space.client.request(request).await {
        Ok(request) => Ok(request),
        Err(kube::Error::Api(status)) => Err(*status),
        Err(error) => panic!("{error}: {}", short(body)),
    }
}

fn named(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "singletrack.dev/v1alpha1", "kind": "SyncRequest",
        "metadata": {"name": name}, "spec": spec})
}

/// As much of it as somebody reads.
fn short(body: &Value) -> String {
    body.to_string().chars().take(200).collect()
}

/// What is wrong with the verdict about this document, if anything is.
async fn judged(space: &Namespace, at: usize, spec: &Value, schema: &Value) -> Option<String> {
    let expected = refused(schema, spec);
    // What must be refused is sent in earnest.
    let query = if expected.is_empty() { "&dryRun=All" } else { "" };
    let said = send(space, "POST", ("", query), &named(&format!("m-{at}"), spec)).await;
    let about = short(spec);
    match said {
        Ok(_) if !expected.is_empty() => Some(format!("{about} was admitted: {expected:?}")),
        Ok(_) => {
            let ours = serde_json::from_value::<SyncRequestSpec>(spec.clone());
            // The API server leaves out what is null and has a default.
            let has_null = spec.as_object().is_some_and(|it| it.values().any(Value::is_null));
            ours.err()
                .filter(|_| !has_null)
                .map(|error| format!("{about}: we cannot read it: {error}"))
        }
        Err(status) if expected.is_empty() => {
            Some(format!("{about} was refused: {}", status.message))
        }
        Err(status) if !expected.iter().any(|field| status.message.contains(field.as_str())) => {
            Some(format!("{about}: {expected:?} is not named: {}", status.message))
        }
        Err(_) => None,
    }
}

#[tokio::test]
async fn each_document_is_judged_as_the_schema_means_it() {
    let space = Namespace::new("mutate").await;
    let schema = schema();
    let documents = documents(&schema);
    let count = documents.len();
    assert!(count >= 300, "only {count} documents");
    let wrong: Vec<String> = stream::iter(documents.iter().enumerate())
        .map(async |(at, spec)| judged(&space, at, spec, &schema).await)
        .buffer_unordered(AT_ONCE)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    let admitted = documents.iter().filter(|spec| refused(&schema, spec).is_empty()).count();
    println!("{count} documents, {admitted} admitted");
    assert!(admitted > 100 && count - admitted > 100, "{admitted} of {count} admitted");
    let stored = space.requests().list(&ListParams::default()).await.expect("a list").items;
    assert!(stored.is_empty(), "what was refused is stored");
}

#[tokio::test]
async fn nothing_but_suspend_and_cancel_can_be_changed() {
    let space = Namespace::new("changed").await;
    let schema = schema();
    let base = named("fixed", &json!({"type": "scheduled"}));
    send(&space, "POST", ("", ""), &base).await.expect("it is admitted");
    let mut wrong = Vec::new();
    for (field, about) in schema["properties"].as_object().expect("it has fields") {
        for value in values(about).into_iter().flatten() {
            let mut spec = json!({"type": "scheduled"});
            spec[field] = value.clone();
            let admitted = refused(&schema, &spec).is_empty();
            let before =
                if field == "type" { json!("scheduled") } else { about["default"].clone() };
            let is_same = value == before || (value.is_null() && field != "type");
            let may = admitted && (is_same || ["suspend", "cancel"].contains(&field.as_str()));
            let patch = json!({"spec": {field: value}});
            let said = send(&space, "PATCH", ("/fixed", "&dryRun=All"), &patch).await;
            if said.is_ok() != may {
                let said = said.err().map(|status| status.message);
                wrong.push(format!("{} changed: {may} was right: {said:?}", short(&patch)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The conditions that are true.
fn holding(request: &SyncRequest) -> BTreeMap<String, bool> {
    let conditions = request.status.iter().flat_map(|status| &status.conditions);
    conditions.map(|it| (it.type_.clone(), it.status == "True")).collect()
}

/// What is wrong with how it has ended.
fn contradicts(request: &SyncRequest) -> Option<String> {
    let holding = holding(request);
    let holds = |name: &str| holding.get(name).copied().unwrap_or(false);
    let well = request.phase() == Phase::Succeeded;
    let right = holds("Finished")
        && !holds("Reconciling")
        && holds("Ready") == well
        && holds("Stalled") != well;
    (!right).then(|| format!("{:?}: {holding:?}", request.phase()))
}

#[tokio::test]
async fn each_document_that_is_admitted_ends() {
    let space = Namespace::new("admitted").await;
    let folder = tempfile::tempdir().expect("a folder");
    let github = github(1, 2).await;
    let schema = schema();
    let _operator = operator(&space, &github, folder.path()).start();
    let mut documents = documents(&schema);
    documents.retain(|spec| refused(&schema, spec).is_empty());
    if setting("PLANS").is_none() {
        documents = drawn(documents, DRAWN);
    }
    println!("{} documents are created", documents.len());
    let mut wrong = Vec::new();
    for (batch, documents) in documents.chunks(32).enumerate() {
        for (at, spec) in documents.iter().enumerate() {
            let name = format!("m-{batch}-{at}");
            send(&space, "POST", ("", ""), &named(&name, spec)).await.expect("it is admitted");
            if spec["suspend"] == true {
                space.change(&name, json!({"suspend": false})).await;
            }
        }
        // One that has a time to live may be gone.
        let ended = poll("all of them end", async || {
            let requests = space.requests().list(&ListParams::default()).await.expect("a list");
            let over = requests.iter().all(|request| request.phase().is_terminal());
            over.then_some(requests.items)
        });
        for request in ended.await {
            wrong.extend(contradicts(&request).map(|it| format!("{}: {it}", request.name_any())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
