//! SQLite: one file, one writer at a time, readers beside it (WAL).

mod automation;
mod care;
mod fenced;
mod owner;
mod pages;
mod runs;
mod upkeep;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Sqlite as Db, Transaction};

use super::columns::REPOSITORIES;
use super::row::to_seconds;
use super::table::Table;
use super::{
    Activation, Counts, Cursor, Error, KnownPackage, KnownRun, Missing, NewRun, PageWrite, Removal,
    RepositoryRecord, RepositoryRow, Retention, RunEnd, RunRecord, SeenPage, Store, Untrack,
    Vanished,
};
use crate::api::Micros;
use crate::lease::{RunNumber, Tenure};
use fenced::Fenced;

pub use care::{Answer, Inspection, as_text};

static MIGRATIONS: Migrator = {
    let mut migrator = sqlx::migrate!("src/store/sqlite/migrations");
    // A newer operator may have been here: its tables are a superset of ours.
    migrator.ignore_missing = true;
    migrator
};

/// Above this no number is drawn, so that the next ones can never overflow.
const HIGHEST_NUMBER: i64 = 1 << 53;

/// A store in one SQLite file.
#[derive(Clone, Debug)]
pub struct Sqlite {
    /// One connection, so that this process' own writers wait in line and not for the file.
    writer: SqlitePool,
    readers: SqlitePool,
    /// Whose it was when it was prepared or handed over here.
    owner: Arc<Mutex<Option<String>>>,
}

impl Sqlite {
    /// A store in the file at `path`. The file is opened, and created, by the first call.
    pub fn at(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A run that is told to have ended must still have ended after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30));
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(60))
                .connect_lazy_with(options.clone())
        };
        Self { writer: pool(1), readers: pool(4), owner: Arc::default() }
    }

    /// The store in the file at `path`, for questions only.
    pub fn read_only(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(30))
            .pragma("query_only", "ON");
        let pool = || SqlitePoolOptions::new().connect_lazy_with(options.clone());
        Self { writer: pool(), readers: pool(), owner: Arc::default() }
    }

    /// Answers a question in SQL: the names of the columns, and the rows as texts.
    pub async fn query(&self, sql: &str) -> Result<(Vec<String>, Vec<Vec<String>>), Error> {
        let care::Answer { columns, rows } = self.ask(sql).await?;
        let rows = rows.iter().map(|row| row.iter().map(care::as_text).collect()).collect();
        Ok((columns, rows))
    }

    /// Closes the file. Calls that come later fail.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that may write. It waits for the writer before it, at most 30 seconds.
    async fn begin(&self, doing: &'static str) -> Result<Transaction<'static, Db>, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|source| Error::of(doing, source))
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn prepare(&self, owner: &str) -> Result<(), Error> {
        owner::prepare(self, owner).await
    }

    async fn newest(&self) -> Result<RunNumber, Error> {
        let newest = "SELECT max(seq, (SELECT active FROM sync_fence)) FROM sync_tickets";
        sqlx::query_scalar(newest)
            .fetch_one(&self.readers)
            .await
            .map(RunNumber)
            .map_err(|source| Error::of("read the newest run number", source))
    }

    async fn ticket(&self, floor: RunNumber) -> Result<RunNumber, Error> {
        let doing = "draw a run number";
        let failed = |source| Error::of(doing, source);
        let mut tx = self.begin(doing).await?;
        let drawn: i64 = sqlx::query_scalar(
            "UPDATE sync_tickets SET seq = max(seq, ?1, (SELECT active FROM sync_fence)) + 1 \
             RETURNING seq",
        )
        .bind(floor.0.min(HIGHEST_NUMBER))
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        if drawn > HIGHEST_NUMBER {
            return Err(Error::NumbersExhausted(RunNumber(drawn)));
        }
        tx.commit().await.map_err(failed)?;
        Ok(RunNumber(drawn))
    }

    async fn activate(&self, tenure: &Tenure, run: &NewRun) -> Result<Activation, Error> {
        runs::activate(self, tenure, run).await
    }

    async fn finish(&self, tenure: &Tenure, end: &RunEnd) -> Result<(), Error> {
        runs::finish(self, tenure, end).await
    }

    async fn run_of(&self, request_uid: &str) -> Result<Option<RunRecord>, Error> {
        runs::run_of(&self.readers, request_uid).await
    }

    async fn answer_of(&self, request_uid: &str) -> Result<Option<RunRecord>, Error> {
        runs::answer_of(&self.readers, request_uid).await
    }

    async fn history(&self, limit: u32) -> Result<Vec<RunRecord>, Error> {
        runs::history(&self.readers, limit).await
    }

    async fn put_repository(
        &self,
        tenure: &Tenure,
        row: &RepositoryRow,
        seen: Option<&SeenPage>,
    ) -> Result<(), Error> {
        let doing = "write a repository";
        let mut tx = Fenced::begin(self, tenure, doing).await?;
        upsert(&mut tx, &REPOSITORIES, std::slice::from_ref(row), tenure, doing).await?;
        if let Some(seen) = seen {
            pages::put_seen(&mut tx, seen).await?;
        }
        tx.commit_data().await
    }

    async fn repository_id(&self, full_name: &str) -> Result<Option<i64>, Error> {
        sqlx::query_scalar(
            "SELECT id FROM repositories WHERE full_name = ?1 COLLATE NOCASE \
             ORDER BY tracked DESC, stored_at DESC LIMIT 1",
        )
        .bind(full_name)
        .fetch_optional(&self.readers)
        .await
        .map_err(|source| Error::of("look for a repository", source))
    }

    async fn repositories_named(&self, full_name: &str) -> Result<Vec<i64>, Error> {
        upkeep::repositories_named(&self.readers, full_name).await
    }

    async fn repository(&self, id: i64) -> Result<Option<RepositoryRow>, Error> {
        upkeep::repository(&self.readers, id).await
    }

    async fn labels(
        &self,
        repository_id: i64,
        numbers: &[i64],
    ) -> Result<Vec<(i64, Vec<String>)>, Error> {
        pages::labels(&self.readers, repository_id, numbers).await
    }

    async fn put_page(&self, tenure: &Tenure, page: &PageWrite) -> Result<Counts, Error> {
        pages::put(self, tenure, page).await
    }

    async fn seen_page(&self, url: &str, identity: &str) -> Result<Option<SeenPage>, Error> {
        pages::seen(&self.readers, url, identity).await
    }

    async fn cursor(
        &self,
        repository_id: i64,
        resource: &str,
        source: &str,
    ) -> Result<Cursor, Error> {
        pages::cursor(&self.readers, repository_id, resource, source).await
    }

    async fn missing(&self, repository_id: i64, met: &[i64]) -> Result<Missing, Error> {
        upkeep::missing(&self.readers, repository_id, met).await
    }

    async fn unfit(&self, repository_id: i64, done: &str) -> Result<Vec<(i64, bool)>, Error> {
        upkeep::unfit(&self.readers, repository_id, done).await
    }

    async fn set_aside(&self, repository_id: i64, kind: &str) -> Result<Vec<String>, Error> {
        upkeep::set_aside(&self.readers, repository_id, kind).await
    }

    async fn remove(
        &self,
        tenure: &Tenure,
        repository_id: i64,
        removals: &[Removal],
        at: DateTime<Utc>,
    ) -> Result<i64, Error> {
        upkeep::remove(self, tenure, repository_id, removals, at).await
    }

    async fn known_runs(&self, ids: &[i64]) -> Result<Vec<KnownRun>, Error> {
        automation::known_runs(&self.readers, ids).await
    }

    async fn unfinished_runs(&self, repository_id: i64) -> Result<Vec<i64>, Error> {
        automation::unfinished_runs(&self.readers, repository_id).await
    }

    async fn oldest_update(
        &self,
        repository_id: i64,
        numbers: &[i64],
    ) -> Result<Option<DateTime<Utc>>, Error> {
        automation::oldest_update(&self.readers, repository_id, numbers).await
    }

    async fn known_packages(&self, ids: &[i64]) -> Result<Vec<KnownPackage>, Error> {
        automation::known_packages(&self.readers, ids).await
    }

    async fn vanish(
        &self,
        tenure: &Tenure,
        which: &Vanished,
        at: DateTime<Utc>,
    ) -> Result<i64, Error> {
        automation::vanish(self, tenure, which, at).await
    }

    async fn untrack(&self, tenure: &Tenure, which: &Untrack) -> Result<(), Error> {
        upkeep::untrack(self, tenure, which).await
    }

    async fn prune(
        &self,
        tenure: &Tenure,
        retention: &Retention,
        now: DateTime<Utc>,
    ) -> Result<i64, Error> {
        upkeep::prune(self, tenure, retention, now).await
    }

    async fn put_outcome(&self, tenure: &Tenure, record: &RepositoryRecord) -> Result<(), Error> {
        runs::put_outcome(self, tenure, record).await
    }

    async fn adopt(&self, owner: &str) -> Result<Option<String>, Error> {
        owner::adopt(self, owner).await
    }
}

/// Writes `rows` as a set and says what has become of them.
async fn upsert<R: serde::Serialize>(
    tx: &mut Transaction<'static, Db>,
    table: &Table,
    rows: &[R],
    tenure: &Tenure,
    doing: &'static str,
) -> Result<Counts, Error> {
    if rows.is_empty() {
        return Ok(Counts::default());
    }
    let failed = |source| Error::of(doing, source);
    let encode = |source: serde_json::Error| failed(sqlx::Error::Encode(source.into()));
    let json = serde_json::to_string(rows).map_err(encode)?;
    let existing: i64 = sqlx::query_scalar(AssertSqlSafe(table.count_existing()))
        .bind(&json)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed)?;
    let written = sqlx::query(AssertSqlSafe(table.upsert()))
        .bind(&json)
        .bind(to_seconds(crate::process::clock::Clock::default().now()))
        .bind(tenure.number().0)
        .execute(&mut **tx)
        .await
        .map_err(failed)?
        .rows_affected();
    let all = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let written = i64::try_from(written).unwrap_or(i64::MAX);
    let created = all - existing;
    Ok(Counts {
        created,
        updated: written - created,
        unchanged: all - written,
        ..Counts::default()
    })
}

/// The fixed-width form of a time in a `sync_*` table.
fn micros(at: DateTime<Utc>) -> String {
    Micros::from(at).to_string()
}
