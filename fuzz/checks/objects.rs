//! What GitHub sends as a body: a list of any object, or one of them. Pure.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use singletrack::github::model::{
    Commit, Installation, InstallationToken, Issue, Job, Package, PackageVersion, PullRequest,
    RateLimit, Release, Repository, Workflow, WorkflowRun,
};
use singletrack::github::{BadItem, decode_list, decode_one};

/// The most items that a list may have.
const MOST: usize = 10_000;

/// The body as a list and as one item, of every kind.
pub fn objects(body: &[u8]) {
    kind::<Commit>(body);
    kind::<Installation>(body);
    kind::<InstallationToken>(body);
    kind::<Issue>(body);
    kind::<Job>(body);
    kind::<Package>(body);
    kind::<PackageVersion>(body);
    kind::<PullRequest>(body);
    kind::<RateLimit>(body);
    kind::<Release>(body);
    kind::<Repository>(body);
    kind::<Workflow>(body);
    kind::<WorkflowRun>(body);
    times(body);
}

fn kind<T: DeserializeOwned + Debug>(body: &[u8]) {
    list::<T>(body, None);
    list::<T>(body, Some("jobs"));
    let Ok(text) = std::str::from_utf8(body) else { return };
    let mut nuls = 0;
    if let Ok(item) = decode_one::<T>(text, &mut nuls) {
        assert_without_nul(&item);
    }
}

/// No element of a list is lost: it is an item, or it is set aside as it came.
fn list<T: DeserializeOwned + Debug>(body: &[u8], key: Option<&'static str>) {
    let decoded = decode_list::<T>(body, key);
    let elements = match key {
        None => serde_json::from_slice::<Vec<Box<RawValue>>>(body).ok(),
        Some(key) => {
            let whole: Option<Value> = serde_json::from_slice(body).ok();
            let list = whole.as_ref().and_then(|whole| whole.get(key)).map(Value::to_string);
            list.and_then(|list| serde_json::from_str(&list).ok())
        }
    };
    let Ok(decoded) = decoded else {
        assert!(elements.is_none_or(|all| all.len() > MOST), "a list was not read");
        return;
    };
    decoded.items.iter().for_each(assert_without_nul);
    decoded.bad.iter().for_each(assert_told);
    if let Some(elements) = elements {
        assert_eq!(elements.len(), decoded.items.len() + decoded.bad.len(), "an item is lost");
        let mut left = elements.iter().map(|element| element.get());
        let as_they_came = |bad: &BadItem| left.any(|element| element == bad.raw);
        assert!(key.is_some() || decoded.bad.iter().all(as_they_came), "another text set aside");
    }
}

/// What is set aside is found again by its number, or by its id.
fn assert_told(bad: &BadItem) {
    assert!(!bad.error.is_empty());
    let Ok(Value::Object(fields)) = serde_json::from_str(&bad.raw) else { return };
    let number = |name: &str| fields.get(name).and_then(Value::as_i64);
    assert_eq!(bad.number, number("number"), "{}", bad.raw);
    assert_eq!(bad.id, number("id"), "{}", bad.raw);
}

/// A database cannot hold U+0000. Debug writes it as an escape, and a backslash as two.
fn assert_without_nul<T: Debug>(item: &T) {
    let text = format!("{item:?}");
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let escaped = letter == '\\' && letters.next() == Some('0');
        assert!(!escaped && letter != '\0', "U+0000 in {text}");
    }
}

/// Times are written with four digits for the year.
fn times(body: &[u8]) {
    let Ok(decoded) = decode_list::<Issue>(body, None) else { return };
    for issue in &decoded.items {
        for at in [issue.created_at, issue.updated_at, issue.closed_at].into_iter().flatten() {
            let text = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            assert_eq!(text.len(), 20, "{text}");
        }
    }
}
