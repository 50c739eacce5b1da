//! The contract of a [`Store`], written once and run on each database that there is.

mod automation;
mod life;
mod pages;
mod questions;
mod runs;
mod schema;
mod upkeep;
mod views;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use singletrack::api::{RepositoryPhase, RunResult};
use singletrack::lease::{RunNumber, Tenure};
use singletrack::store::{
    Completion, Counts, Database, Error, IssueRow, NewRun, PageWrite, Postgres, PullRow, Reached,
    RepositoryRecord, RepositoryRow, Row, RunEnd, RunState, SeenPage, Sqlite, Store,
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::sync::Mutex;
use url::Url;

use crate::support::{Dump, PgDatabase, address, database, dump, rows, shared};

/// A database under test, and a way to see and change it past the store.
#[async_trait]
trait Place: Send + Sync {
    /// The store, opened anew; the one from before is closed.
    async fn open(&self) -> Arc<dyn Store>;
    /// The same, as one more operator has it.
    fn another(&self) -> Database;
    async fn execute(&self, sql: &str);
    /// Lets the views tell ages as of this moment.
    async fn stop_clock(&self, now: DateTime<Utc>);

    /// All rows of all tables.
    async fn dump(&self) -> Dump {
        let reader = self.another();
        let all = dump(&reader).await;
        reader.close().await;
        all
    }

    async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let reader = self.another();
        let found = rows(&reader, sql).await;
        reader.close().await;
        found
    }
}

/// The store that is open now.
#[derive(Default)]
struct Opened(Mutex<Option<Database>>);

impl Opened {
    async fn instead(&self, store: Database) -> Arc<dyn Store> {
        let mut open = self.0.lock().await;
        if let Some(before) = open.replace(store.clone()) {
            before.close().await;
        }
        Arc::new(store)
    }
}

struct OnSqlite {
    _folder: tempfile::TempDir,
    path: PathBuf,
    opened: Opened,
}

impl OnSqlite {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        Self { _folder: folder, path, opened: Opened::default() }
    }
}

#[async_trait]
impl Place for OnSqlite {
    async fn open(&self) -> Arc<dyn Store> {
        self.opened.instead(Database::Sqlite(Sqlite::at(&self.path))).await
    }

    fn another(&self) -> Database {
        Database::Sqlite(Sqlite::at(&self.path))
    }

    async fn execute(&self, sql: &str) {
        let path = self.path.to_str().unwrap();
        let mut connection = SqliteConnection::connect(path).await.unwrap();
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn stop_clock(&self, now: DateTime<Utc>) {
        self.execute("DROP VIEW sync_clock").await;
        let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        self.execute(&format!("CREATE VIEW sync_clock AS SELECT '{now}' AS now")).await;
    }
}

struct OnPostgres {
    database: PgDatabase,
    url: Url,
    opened: Opened,
}

impl OnPostgres {
    async fn new() -> Self {
        let database = database().await;
        Self { url: database.url().clone(), database, opened: Opened::default() }
    }

    /// Through PgBouncer, which gives each transaction another connection.
    async fn pooled() -> Self {
        let database = shared().await.database().await;
        let url = database.pooled_url().expect("pgbouncer is there (tests/postgres/build)");
        Self { url, database, opened: Opened::default() }
    }
}

#[async_trait]
impl Place for OnPostgres {
    async fn open(&self) -> Arc<dyn Store> {
        self.opened.instead(self.another()).await
    }

    fn another(&self) -> Database {
        Database::Postgres(Postgres::at(address(&self.url)).unwrap())
    }

    async fn execute(&self, sql: &str) {
        self.database.execute(sql).await;
    }

    async fn stop_clock(&self, now: DateTime<Utc>) {
        let now = now.to_rfc3339();
        let sql = format!("CREATE OR REPLACE VIEW sync_clock AS SELECT timestamptz '{now}' AS now");
        self.execute(&sql).await;
    }
}

/// Makes a test on each database of each part of the contract.
macro_rules! on_each_database {
    ($($file:ident::$part:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $part() {
                super::$file::$part(&super::OnSqlite::new()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $part() {
                super::$file::$part(&super::OnPostgres::new().await).await;
            })*
        }

        mod pgbouncer {
            $(#[tokio::test]
            async fn $part() {
                super::$file::$part(&super::OnPostgres::pooled().await).await;
            })*
        }
    };
}

on_each_database! {
    runs::tickets_rise_and_respect_the_floor
    runs::tickets_drawn_at_the_same_time_differ
    runs::an_older_number_is_not_activated
    runs::an_activation_may_be_repeated_by_the_same_tenure_only
    runs::an_activation_closes_unfinished_runs_as_interrupted
    runs::a_request_that_has_ended_is_not_activated_again
    runs::an_older_tenure_writes_nothing_after_a_newer_activation
    runs::preparing_again_is_fine_and_another_owner_changes_nothing
    runs::a_store_that_is_handed_over_keeps_its_rows_and_its_fence
    runs::everything_is_there_after_closing_and_opening
    runs::an_ended_run_is_told_with_its_repositories_failures_first
    runs::an_end_may_be_told_again
    runs::an_outcome_leaves_its_error_in_the_repository_until_it_is_gone
    schema::the_version_of_the_tables_is_noted_once
    schema::an_older_operator_writes_newer_tables_until_they_forbid_it
    schema::columns_that_are_added_while_an_operator_reads_are_not_looked_at
    pages::the_same_page_again_changes_nothing
    pages::a_changed_row_is_the_only_one_that_is_written
    pages::etag_and_cursor_are_written_with_the_rows
    pages::a_refused_row_refuses_the_whole_page
    pages::the_cursor_moves_only_if_the_pass_changed_a_row
    pages::a_list_of_issues_leaves_alone_what_pulls_has_told
    pages::eight_tasks_write_through_one_store
    life::a_failed_attempt_that_is_followed_by_another_is_not_the_end
    life::a_run_keeps_the_list_of_those_it_answers
    life::only_a_run_that_has_ended_well_answers_others
    life::it_is_known_whether_a_run_has_committed_anything
    life::a_dry_run_counts_and_leaves_only_its_history
    life::a_store_that_was_given_away_activates_nothing
    life::old_history_is_deleted_and_nothing_else
    upkeep::a_pass_that_was_cut_short_leaves_where_it_stopped_until_it_is_complete
    upkeep::a_cursor_of_another_github_is_none
    upkeep::what_is_missing_and_what_is_removed
    upkeep::an_issue_that_comes_from_another_repository_takes_its_id_along
    upkeep::an_item_that_is_fine_again_leaves_the_quarantine
    upkeep::labels_that_do_not_fit_the_state_are_found
    upkeep::what_is_not_tracked_any_more_keeps_its_row
    automation::each_table_is_written_once
    automation::the_newest_commit_stands_in_its_repository
    automation::runs_that_are_known_and_those_that_had_not_finished
    automation::what_is_gone_is_marked_and_comes_back
    automation::both_sources_of_a_pull_request_agree
    automation::a_list_that_is_cut_off_says_since_when_it_is_complete
    automation::an_owners_list_belongs_to_no_repository
    questions::recorded_data_answers_what_people_ask
    views::issues_have_ages_and_open_work_leaves_out_what_is_excluded
    views::pull_requests_have_the_time_to_merge
    views::flaky_runs_are_told_from_those_that_failed
    views::a_workflow_fails_since_its_last_success
    views::freshness_is_that_of_the_last_complete_pass
}

pub(crate) const OWNER: &str = "namespace-uid";
const SOURCE: &str = "https://api.github.com";

/// Since when the list must be read.
async fn since(store: &dyn Store, repository_id: i64, resource: &str) -> Option<DateTime<Utc>> {
    store.cursor(repository_id, resource, SOURCE).await.unwrap().since
}

async fn prepared(place: &dyn Place) -> Arc<dyn Store> {
    let store = place.open().await;
    store.prepare(OWNER).await.unwrap();
    store
}

pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

pub(crate) fn tenure(number: i64) -> Tenure {
    Tenure::without_cluster(RunNumber(number), "pod", &format!("n{number}"))
}

pub(crate) fn new_run(uid: &str) -> NewRun {
    NewRun {
        run_type: "manual",
        dry_run: false,
        namespace: "team".into(),
        name: format!("name-of-{uid}"),
        uid: uid.into(),
        attempt: 1,
        takeover_reason: None,
        started_at: at(0),
        coalesced: Vec::new(),
        excluded_labels: vec!["wontfix".into()],
    }
}

/// Activates the run of this number, for a request of its own.
pub(crate) async fn active(store: &dyn Store, number: i64) -> Tenure {
    let tenure = tenure(number);
    store.activate(&tenure, &new_run(&format!("uid-{number}"))).await.unwrap();
    tenure
}

fn end(state: RunState) -> RunEnd {
    let result = RunResult { repositories: 3, failed: 1, created: 2, ..RunResult::default() };
    RunEnd {
        state,
        reason: "Completed",
        message: "done".into(),
        result,
        completed_at: at(60),
        next_attempt_at: None,
    }
}

pub(crate) fn repository(id: i64) -> RepositoryRow {
    let (owner, name, full_name) = ("acme".into(), format!("r{id}"), format!("acme/r{id}"));
    RepositoryRow { id, owner, name, full_name, tracked: true, ..RepositoryRow::default() }
}

pub(crate) fn issue(repository_id: i64, number: i64, title: &str) -> IssueRow {
    IssueRow {
        repository_id,
        number,
        id: Some(repository_id * 1000 + number),
        title: Some(title.into()),
        state: "open".into(),
        status: "open".into(),
        labels: vec!["bug".into()],
        created_at: Some(at(-5)),
        ..IssueRow::default()
    }
}

fn pull(repository_id: i64, number: i64, title: &str) -> PullRow {
    PullRow {
        repository_id,
        number,
        source: "issues",
        title: Some(title.into()),
        state: "open".into(),
        ..PullRow::default()
    }
}

/// The page, with these pull requests on it too, as a list of issues tells of them.
fn with_pulls(page: PageWrite, pulls: Vec<PullRow>) -> PageWrite {
    let pulls = pulls.into_iter().map(|pull| Row::PullFromIssues(Box::new(pull)));
    PageWrite { rows: page.rows.iter().cloned().chain(pulls).collect(), ..page }
}

pub(crate) fn page(repository_id: i64, issues: Vec<IssueRow>) -> PageWrite {
    PageWrite {
        repository_id: Some(repository_id),
        resource: "issues.open",
        at: at(10),
        rows: issues.into_iter().map(|issue| Row::Issue(Box::new(issue))).collect(),
        head: None,
        set_aside: Vec::new(),
        seen: None,
        reached: Reached::Nothing,
    }
}

/// A page that brings an ETag and ends a pass with this cursor.
pub(crate) fn last_page(
    repository_id: i64,
    issues: Vec<IssueRow>,
    cursor: DateTime<Utc>,
) -> PageWrite {
    let source = SOURCE.to_owned();
    let cursor = Some(cursor);
    let reached = Reached::End(Completion { source, cursor, changed: false, horizon: None });
    PageWrite { seen: Some(seen()), reached, ..page(repository_id, issues) }
}

pub(crate) fn seen() -> SeenPage {
    SeenPage {
        url: "https://api.github.com/list".into(),
        identity: "token".into(),
        etag: "W/\"1\"".into(),
        next_url: None,
        numbers: vec![1, 2],
    }
}

fn outcome(name: &str, phase: RepositoryPhase, error: Option<&str>) -> RepositoryRecord {
    RepositoryRecord {
        name: name.into(),
        repository_id: Some(1),
        phase,
        reason: error.map(|_| "NotFound".into()),
        error: error.map(Into::into),
        pages: 2,
        counts: Counts { created: 2, unchanged: 5, ..Counts::default() },
        complete: error.is_none(),
        truncated: false,
        started_at: at(1),
        completed_at: at(2),
    }
}

#[track_caller]
fn superseded<T: Debug>(result: Result<T, Error>, by: i64) {
    match result {
        Err(Error::Superseded { active, .. }) => assert_eq!(active, RunNumber(by)),
        other => panic!("not superseded: {other:?}"),
    }
}
