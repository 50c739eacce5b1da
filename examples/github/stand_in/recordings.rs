//! Adds the recorded issues of others to a world.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use super::{
    issue::{Issue, Label, PullRequest, State, User},
    world::World,
};

/// The repository that the recorded issues are put into.
pub const RECORDED: &str = "recorded/objects";

impl World {
    /// Adds the repository [`RECORDED`] with all issues of `folder/github-objects.jsonl.gz`.
    ///
    /// Their numbers are given anew, in the order of the file, and all their URLs are ours;
    /// everything else is as it was recorded. Returns how many there are.
    ///
    /// # Panics
    ///
    /// If there already is such a repository.
    pub fn load_recordings(&mut self, folder: &Path) -> io::Result<usize> {
        let file = File::open(folder.join("github-objects.jsonl.gz"))?;
        let repository = self.add_repository(RECORDED);
        let mut ids = BTreeSet::new();
        let mut number = 0;
        for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
            let mut line: Value = serde_json::from_str(&line?)?;
            if line["model"] != "issue" {
                continue;
            }
            let Value::Object(recorded) = line["v"].take() else { continue };
            number += 1;
            let mut issue = issue(number, recorded).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "a recorded issue has no times")
            })?;
            // Some issues were recorded more than once.
            if !ids.insert(issue.id) {
                issue.id = repository.issue_id(number);
            }
            repository.put_issue(issue);
        }
        Ok(repository.issues().count())
    }
}

fn issue(number: u64, recorded: Map<String, Value>) -> Option<Issue> {
    let text = |field: &str| recorded.get(field).and_then(Value::as_str).map(str::to_owned);
    let count = |field: &str| recorded.get(field).and_then(Value::as_u64);
    let flag = |field: &str| recorded.get(field).and_then(Value::as_bool).unwrap_or_default();
    let created_at = time(recorded.get("created_at"))?;
    let mut issue = Issue::new(count("id")?, number, &text("title")?, created_at);
    issue.body = text("body");
    issue.state = if text("state")? == "closed" { State::Closed } else { State::Open };
    issue.state_reason = text("state_reason");
    issue.labels =
        recorded.get("labels").and_then(Value::as_array).map_or_else(Vec::new, |all| labels(all));
    issue.user = recorded.get("user").and_then(user).unwrap_or_else(|| User::named("ghost"));
    issue.comments = count("comments").unwrap_or_default();
    issue.locked = flag("locked");
    issue.updated_at = time(recorded.get("updated_at"))?;
    issue.closed_at = time(recorded.get("closed_at"));
    issue.pull_request = recorded
        .get("pull_request")
        .map(|block| (flag("draft"), time(block.get("merged_at"))))
        .map(|(draft, merged_at)| PullRequest { draft, merged_at, ..PullRequest::default() });
    issue.recorded = Some(recorded);
    Some(issue)
}

fn labels(labels: &[Value]) -> Vec<Label> {
    let label = |label: &Value| {
        let mut known = Label::named(label["name"].as_str()?);
        known.id = label["id"].as_u64().unwrap_or(known.id);
        known.color = label["color"].as_str().map_or(known.color, str::to_owned);
        known.description = label["description"].as_str().map(str::to_owned);
        Some(known)
    };
    labels.iter().filter_map(label).collect()
}

fn user(user: &Value) -> Option<User> {
    let mut known = User::named(user["login"].as_str()?);
    known.id = user["id"].as_u64()?;
    user["type"].as_str()?.clone_into(&mut known.kind);
    Some(known)
}

fn time(value: Option<&Value>) -> Option<DateTime<Utc>> {
    value?.as_str()?.parse().ok()
}
