//! The run history, as it is read.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow};

use super::{Tables, Transaction};
use crate::api::{ApiUse, RepositoryPhase, RunResult};
use crate::lease::RunNumber;
use crate::store::{Counts, Error, RepositoryRecord, RunRecord, RunState};

/// The columns of [`RunRow`]. Named, because a newer operator may add others at any time, and neither
/// database goes on with a prepared `SELECT *` then.
const RUN: &str = "run_number, type, status, request_namespace, request_name, request_uid, holder, \
     takeover_reason, reason, message, started_at, completed_at, next_attempt_at, committed, dry_run, \
     coalesced, repositories, failed, created, updated, removed, unchanged, quarantined, \
     api_requests, api_not_modified, api_retried, api_waited_seconds, api_remaining";

/// The newest run of the request of this uid.
pub(super) async fn run_of(tables: &Tables, uid: &str) -> Result<Option<RunRecord>, Error> {
    let sql = |_: &str| {
        format!(
            "SELECT {RUN} FROM sync_runs WHERE request_uid = $1 ORDER BY run_number DESC LIMIT 1"
        )
    };
    one_run(tables, sql, uid).await
}

/// The newest run that has ended well and has answered the request of this uid too.
pub(super) async fn answer_of(tables: &Tables, uid: &str) -> Result<Option<RunRecord>, Error> {
    let sql = |each: &str| {
        format!(
            "SELECT {RUN} FROM sync_runs r WHERE coalesced <> '[]' \
             AND status IN ('succeeded', 'partial') \
             AND EXISTS (SELECT 1 FROM {each}(r.coalesced) uids WHERE uids.value = $1) \
             ORDER BY run_number DESC LIMIT 1"
        )
    };
    one_run(tables, sql, uid).await
}

async fn one_run(
    tables: &Tables,
    sql: impl Fn(&str) -> String,
    uid: &str,
) -> Result<Option<RunRecord>, Error> {
    let mut tx = tables.read("look for the run of a request").await?;
    let sql = sql(tx.words().each);
    let run: Option<RunRow> = tx.query(AssertSqlSafe(sql)).bind(uid).optional().await?;
    let Some(run) = run else {
        tx.close().await;
        return Ok(None);
    };
    let repositories: Vec<OutcomeRow> = tx
        .query(
            "SELECT repository, repository_id, phase, reason, error, pages, created, updated, removed, \
                 unchanged, complete, truncated, started_at, completed_at \
             FROM sync_run_repositories WHERE run_number = $1 \
             ORDER BY phase = 'Succeeded', repository LIMIT 100",
        )
        .bind(run.run_number)
        .all()
        .await?;
    tx.close().await;
    let repositories = repositories.into_iter().map(RepositoryRecord::from).collect();
    Ok(Some(RunRecord { repositories, ..RunRecord::from(run) }))
}

pub(super) async fn newest(tables: &Tables, limit: u32) -> Result<Vec<RunRecord>, Error> {
    let mut tx = tables.read("read the run history").await?;
    let sql = format!("SELECT {RUN} FROM sync_runs ORDER BY run_number DESC LIMIT $1");
    let rows: Vec<RunRow> = tx.query(AssertSqlSafe(sql)).bind(i64::from(limit)).all().await?;
    tx.close().await;
    Ok(rows.into_iter().map(RunRecord::from).collect())
}

/// The newest run of a lower number.
pub(super) async fn before(
    tx: &mut Transaction,
    number: RunNumber,
) -> Result<Option<RunRecord>, Error> {
    let sql = format!(
        "SELECT {RUN} FROM sync_runs WHERE run_number < $1 ORDER BY run_number DESC LIMIT 1"
    );
    let run: Option<RunRow> = tx.query(AssertSqlSafe(sql)).bind(number.0).optional().await?;
    Ok(run.map(RunRecord::from))
}

/// A row of `sync_runs`. Counts are null until the run has ended.
#[derive(FromRow)]
struct RunRow {
    run_number: i64,
    #[sqlx(rename = "type")]
    run_type: String,
    status: String,
    request_namespace: Option<String>,
    request_name: Option<String>,
    request_uid: Option<String>,
    holder: String,
    takeover_reason: Option<String>,
    reason: Option<String>,
    message: Option<String>,
    started_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    next_attempt_at: Option<DateTime<Utc>>,
    committed: bool,
    dry_run: bool,
    coalesced: Json<Vec<String>>,
    repositories: Option<i64>,
    failed: Option<i64>,
    created: Option<i64>,
    updated: Option<i64>,
    removed: Option<i64>,
    unchanged: Option<i64>,
    quarantined: Option<i64>,
    api_requests: Option<i64>,
    api_not_modified: Option<i64>,
    api_retried: Option<i64>,
    api_waited_seconds: Option<i64>,
    api_remaining: Option<i64>,
}

impl From<RunRow> for RunRecord {
    fn from(row: RunRow) -> Self {
        let result = row.result();
        Self {
            number: RunNumber(row.run_number),
            run_type: row.run_type,
            state: RunState::parse(&row.status),
            namespace: row.request_namespace,
            name: row.request_name,
            uid: row.request_uid,
            holder: row.holder,
            takeover_reason: row.takeover_reason,
            reason: row.reason,
            message: row.message,
            started_at: row.started_at,
            completed_at: row.completed_at,
            next_attempt_at: row.next_attempt_at,
            committed: row.committed,
            dry_run: row.dry_run,
            coalesced: row.coalesced.0,
            result,
            repositories: Vec::new(),
        }
    }
}

impl RunRow {
    fn result(&self) -> RunResult {
        let changed = [self.created, self.updated, self.removed].into_iter().flatten().sum();
        RunResult {
            repositories: self.repositories.unwrap_or_default(),
            failed: self.failed.unwrap_or_default(),
            created: self.created.unwrap_or_default(),
            updated: self.updated.unwrap_or_default(),
            removed: self.removed.unwrap_or_default(),
            unchanged: self.unchanged.unwrap_or_default(),
            changed,
            quarantined: self.quarantined.unwrap_or_default(),
            api: ApiUse {
                requests: self.api_requests.unwrap_or_default(),
                not_modified: self.api_not_modified.unwrap_or_default(),
                retried: self.api_retried.unwrap_or_default(),
                waited_seconds: self.api_waited_seconds.unwrap_or_default(),
                remaining: self.api_remaining,
            },
        }
    }
}

/// A row of `sync_run_repositories`.
#[derive(FromRow)]
struct OutcomeRow {
    repository: String,
    repository_id: Option<i64>,
    phase: String,
    reason: Option<String>,
    error: Option<String>,
    pages: Option<i64>,
    created: Option<i64>,
    updated: Option<i64>,
    removed: Option<i64>,
    unchanged: Option<i64>,
    complete: bool,
    truncated: bool,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
}

impl From<OutcomeRow> for RepositoryRecord {
    fn from(row: OutcomeRow) -> Self {
        Self {
            name: row.repository,
            repository_id: row.repository_id,
            phase: RepositoryPhase::parse(&row.phase),
            reason: row.reason,
            error: row.error,
            pages: row.pages.unwrap_or_default(),
            counts: Counts {
                created: row.created.unwrap_or_default(),
                updated: row.updated.unwrap_or_default(),
                removed: row.removed.unwrap_or_default(),
                unchanged: row.unchanged.unwrap_or_default(),
                quarantined: 0,
            },
            complete: row.complete,
            truncated: row.truncated,
            started_at: row.started_at.unwrap_or_default(),
            completed_at: row.completed_at.unwrap_or_default(),
        }
    }
}
