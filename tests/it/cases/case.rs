//! A case as it stands in its file. A key that nobody knows is an error.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use singletrack::api::{RepoName, RunType};
use singletrack::github::{App, AppKey, Credentials};
use singletrack::lease::{RunNumber, Tenure};
use singletrack::store::{
    Completion, Database, IssueRow, NewRun, PageWrite, Reached, RepositoryRow, Row, Store,
};

use crate::support::APP_KEY;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(rename = "case")]
    pub(super) name: String,
    #[expect(dead_code, reason = "for people")]
    kind: String,
    #[expect(dead_code, reason = "for people")]
    #[serde(default)]
    note: Option<String>,
    #[serde(rename = "type")]
    pub(super) run_type: RunType,
    repository: RepoName,
    #[serde(default)]
    tracked: Option<Vec<RepoName>>,
    #[serde(default)]
    auth: Option<Auth>,
    #[serde(default)]
    pub(super) before: Before,
    pub(super) answers: BTreeMap<String, Vec<Answer>>,
    pub(super) expect: Expect,
}

/// A GitHub App.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Auth {
    app: u64,
    #[serde(default)]
    installation: Option<u64>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Before {
    issues: Vec<Value>,
    cursors: BTreeMap<String, DateTime<Utc>>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Expect {
    pub(super) phase: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) repository_phase: Option<String>,
    pub(super) issues: Vec<BTreeMap<String, Value>>,
    #[serde(rename = "pull_requests")]
    pub(super) pull_requests: Vec<BTreeMap<String, Value>>,
    pub(super) releases: Vec<BTreeMap<String, Value>>,
    pub(super) commits: Vec<BTreeMap<String, Value>>,
    pub(super) repositories: Vec<BTreeMap<String, Value>>,
    pub(super) runs: Vec<BTreeMap<String, Value>>,
    pub(super) jobs: Vec<BTreeMap<String, Value>>,
    pub(super) absent: Vec<i64>,
    pub(super) row_kept: Vec<i64>,
    pub(super) repositories_count: Option<i64>,
    pub(super) commits_count: Option<i64>,
    pub(super) quarantined: Option<i64>,
    pub(super) retried_at_least: Option<i64>,
    pub(super) waited_at_least_seconds: Option<i64>,
    pub(super) tokens_minted: Option<i64>,
    pub(super) requests_never: Vec<String>,
    pub(super) cursor_moved: Option<bool>,
}

impl Case {
    pub(super) fn tracked(&self) -> Vec<RepoName> {
        self.tracked.clone().unwrap_or_else(|| vec![self.repository.clone()])
    }

    pub(super) fn credentials(&self) -> Credentials {
        match &self.auth {
            None => Credentials::Token(SecretString::from("a-token-of-the-cases")),
            Some(auth) => Credentials::App(App {
                id: auth.app,
                key: AppKey::from_pem(SecretString::from(APP_KEY)).expect("a key"),
                installation: auth.installation,
            }),
        }
    }
}

impl Before {
    /// Puts the rows and cursors that were there before into the store, as an earlier run over
    /// `source` would have.
    pub(super) async fn fill(&self, store: &Database, source: &str) {
        let tenure = Tenure::without_cluster(RunNumber(1), "cases", "before");
        store.activate(&tenure, &new_run("manual", "before")).await.expect("active");
        let repository = RepositoryRow {
            id: 1001,
            owner: "acme".into(),
            name: "widgets".into(),
            full_name: "acme/widgets".into(),
            tracked: true,
            ..RepositoryRow::default()
        };
        if !self.issues.is_empty() {
            store.put_repository(&tenure, &repository, None).await.expect("a repository");
        }
        let rows = self.issues.iter().map(|issue| Row::Issue(Box::new(issue_row(issue))));
        let page = |resource, rows, reached| PageWrite {
            repository_id: Some(1001),
            resource,
            at: super::start(),
            rows,
            head: None,
            set_aside: Vec::new(),
            seen: None,
            reached,
        };
        let write = page("issues.open", rows.collect(), Reached::Nothing);
        store.put_page(&tenure, &write).await.expect("issues");
        for (resource, since) in &self.cursors {
            let (source, cursor) = (source.to_owned(), Some(*since));
            let end = Completion { source, cursor, changed: true, horizon: None };
            let resource = match resource.as_str() {
                "issues.closed" => "issues.closed",
                other => panic!("no case has a cursor of {other}"),
            };
            let write = page(resource, Vec::new(), Reached::End(end));
            store.put_page(&tenure, &write).await.expect("a cursor");
        }
    }
}

/// The row of one of GitHub's objects, as far as cases have it.
fn issue_row(issue: &Value) -> IssueRow {
    let labels = issue["labels"].as_array().into_iter().flatten();
    let labels = labels.filter_map(|label| label["name"].as_str().or(label.as_str()));
    let labels: Vec<String> = labels.map(str::to_owned).collect();
    let text = |key: &str| issue[key].as_str().map(str::to_owned);
    IssueRow {
        repository_id: 1001,
        number: issue["number"].as_i64().expect("a number"),
        id: issue["id"].as_i64(),
        title: text("title"),
        body: text("body"),
        state: text("state").expect("a state"),
        status: "backlog".into(),
        labels: labels.clone(),
        github_labels: labels,
        updated_at: issue["updated_at"].as_str().and_then(|at| at.parse().ok()),
        ..IssueRow::default()
    }
}

/// A run of a case.
pub(super) fn new_run(run_type: &'static str, name: &str) -> NewRun {
    NewRun {
        run_type,
        dry_run: false,
        namespace: "cases".into(),
        name: name.into(),
        uid: name.into(),
        attempt: 1,
        takeover_reason: None,
        started_at: super::start(),
        coalesced: Vec::new(),
        excluded_labels: Vec::new(),
    }
}

/// All cases of the folder, by name.
pub(super) fn read(folder: &Path) -> Vec<Case> {
    let files = std::fs::read_dir(folder).expect("the folder of the cases");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("a file");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    paths.iter().map(read).collect()
}
