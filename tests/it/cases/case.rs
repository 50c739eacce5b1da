//! A case as it stands in its file. A key that nobody knows is an error.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use singletrack::api::{RepoName, RunType};
use singletrack::github::{App, AppKey, Credentials};
use singletrack::store::Sqlite;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

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
    /// Puts the rows and cursors that were there before into the store.
    pub(super) async fn fill(&self, _store: &Sqlite, path: &Path) {
        let options = SqliteConnectOptions::new().filename(path);
        let pool = SqlitePoolOptions::new().connect_with(options).await.expect("the file");
        if !self.issues.is_empty() {
            sqlx::query(
                "INSERT INTO repositories (id, owner, name, full_name, tracked, stored_at, stored_by) \
                 VALUES (1001, 'acme', 'widgets', 'acme/widgets', 1, '2026-01-01T00:00:00Z', 0)",
            )
            .execute(&pool)
            .await
            .expect("a repository");
        }
        for issue in &self.issues {
            let labels: Vec<&str> = issue["labels"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|label| label["name"].as_str().or(label.as_str()))
                .collect();
            sqlx::query(
                "INSERT INTO issues (repository_id, number, id, title, body, state, status, \
                 assignees, labels, github_labels, updated_at, stored_at, stored_by) \
                 VALUES (1001, ?1, ?2, ?3, ?4, ?5, 'backlog', '[]', ?6, ?6, ?7, ?7, 0)",
            )
            .bind(issue["number"].as_i64())
            .bind(issue["id"].as_i64())
            .bind(issue["title"].as_str())
            .bind(issue["body"].as_str())
            .bind(issue["state"].as_str())
            .bind(serde_json::to_string(&labels).expect("labels"))
            .bind(issue["updated_at"].as_str())
            .execute(&pool)
            .await
            .expect("an issue");
        }
        for (resource, since) in &self.cursors {
            sqlx::query(
                "INSERT INTO sync_cursors (repository_id, resource, since) VALUES (1001, ?1, ?2)",
            )
            .bind(resource)
            .bind(since.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
            .execute(&pool)
            .await
            .expect("a cursor");
        }
        pool.close().await;
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
