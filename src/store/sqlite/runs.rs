//! The run history and the fence.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, Sqlite as Db, SqlitePool, Transaction};

use super::fenced::Fenced;
use super::{Sqlite, micros, owner};
use crate::api::{ApiUse, RepositoryPhase, RunResult};
use crate::lease::{RunNumber, Tenure};
use crate::store::{
    Activation, Counts, Error, NewRun, RepositoryRecord, RunEnd, RunRecord, RunState,
};

const ACTIVATE: &str = "activate a run";

pub(super) async fn activate(
    store: &Sqlite,
    tenure: &Tenure,
    run: &NewRun,
) -> Result<Activation, Error> {
    let failed = |source| Error::of(ACTIVATE, source);
    let mut tx = store.begin(ACTIVATE).await?;
    owner::check(store, &mut tx, ACTIVATE).await?;
    if let Some(number) = ended_number(&mut tx, &run.uid).await? {
        return Err(Error::HasRun(number));
    }
    let raised = sqlx::query(
        "UPDATE sync_fence SET active = ?1, holder = ?2 \
         WHERE active < ?1 OR (active = ?1 AND holder = ?2)",
    )
    .bind(tenure.number().0)
    .bind(tenure.holder().as_str())
    .execute(&mut *tx)
    .await
    .map_err(failed)?;
    if raised.rows_affected() == 0 {
        let active = sqlx::query_scalar("SELECT active FROM sync_fence")
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        return Err(Error::Superseded { number: tenure.number(), active: RunNumber(active) });
    }
    let interrupted = close_unfinished(&mut tx, tenure.number(), run.started_at).await?;
    insert(&mut tx, tenure, run).await?;
    // What stands there, and not what was asked for: an activation that is repeated keeps its first
    // list.
    let coalesced: sqlx::types::Json<Vec<String>> =
        sqlx::query_scalar("SELECT coalesced FROM sync_runs WHERE run_number = ?1")
            .bind(tenure.number().0)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
    exclude(&mut tx, &run.excluded_labels).await?;
    tx.commit().await.map_err(failed)?;
    Ok(Activation { interrupted, coalesced: coalesced.0 })
}

async fn ended_number(
    tx: &mut Transaction<'static, Db>,
    uid: &str,
) -> Result<Option<RunNumber>, Error> {
    let number: Option<i64> = sqlx::query_scalar(
        "SELECT run_number FROM sync_runs \
         WHERE request_uid = ?1 AND status NOT IN ('running', 'interrupted') \
         AND next_attempt_at IS NULL LIMIT 1",
    )
    .bind(uid)
    .fetch_optional(&mut **tx)
    .await
    .map_err(|source| Error::of(ACTIVATE, source))?;
    Ok(number.map(RunNumber))
}

async fn close_unfinished(
    tx: &mut Transaction<'static, Db>,
    before: RunNumber,
    at: DateTime<Utc>,
) -> Result<Vec<RunNumber>, Error> {
    let closed: Vec<i64> = sqlx::query_scalar(
        "UPDATE sync_runs SET status = 'interrupted', reason = 'Interrupted', \
         message = 'the process that ran it is gone', completed_at = ?2 \
         WHERE status = 'running' AND run_number < ?1 RETURNING run_number",
    )
    .bind(before.0)
    .bind(micros(at))
    .fetch_all(&mut **tx)
    .await
    .map_err(|source| Error::of(ACTIVATE, source))?;
    Ok(closed.into_iter().map(RunNumber).collect())
}

async fn insert(
    tx: &mut Transaction<'static, Db>,
    tenure: &Tenure,
    run: &NewRun,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sync_runs (run_number, type, status, dry_run, request_namespace, \
         request_name, request_uid, coalesced, attempt, holder, takeover_reason, started_at, \
         operator_version) \
         VALUES (?1, ?2, 'running', ?3, ?4, ?5, ?6, ?12, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (run_number) DO NOTHING",
    )
    .bind(tenure.number().0)
    .bind(run.run_type)
    .bind(run.dry_run)
    .bind(&run.namespace)
    .bind(&run.name)
    .bind(&run.uid)
    .bind(run.attempt)
    .bind(tenure.holder().as_str())
    .bind(run.takeover_reason)
    .bind(micros(run.started_at))
    .bind(env!("CARGO_PKG_VERSION"))
    .bind(sqlx::types::Json(&run.coalesced))
    .execute(&mut **tx)
    .await
    .map_err(|source| Error::of(ACTIVATE, source))?;
    Ok(())
}

async fn exclude(tx: &mut Transaction<'static, Db>, labels: &[String]) -> Result<(), Error> {
    let failed = |source| Error::of(ACTIVATE, source);
    let labels = sqlx::types::Json(labels);
    sqlx::query(
        "DELETE FROM sync_excluded_labels WHERE name NOT IN (SELECT value FROM json_each(?1))",
    )
    .bind(labels)
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    sqlx::query(
        "INSERT INTO sync_excluded_labels (name) SELECT value FROM json_each(?1) WHERE true \
         ON CONFLICT (name) DO NOTHING",
    )
    .bind(labels)
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    Ok(())
}

pub(super) async fn finish(store: &Sqlite, tenure: &Tenure, end: &RunEnd) -> Result<(), Error> {
    let doing = "record the end of a run";
    let mut tx = Fenced::begin(store, tenure, doing).await?;
    let result = &end.result;
    sqlx::query(
        "UPDATE sync_runs SET status = ?2, reason = ?3, message = ?4, completed_at = ?5, \
         repositories = ?6, failed = ?7, created = ?8, updated = ?9, removed = ?10, \
         unchanged = ?11, quarantined = ?12, api_requests = ?13, api_not_modified = ?14, \
         api_retried = ?15, api_waited_seconds = ?16, api_remaining = ?17, \
         next_attempt_at = ?18 \
         WHERE run_number = ?1 AND status = 'running'",
    )
    .bind(tenure.number().0)
    .bind(end.state.as_str())
    .bind(end.reason)
    .bind(&end.message)
    .bind(micros(end.completed_at))
    .bind(result.repositories)
    .bind(result.failed)
    .bind(result.created)
    .bind(result.updated)
    .bind(result.removed)
    .bind(result.unchanged)
    .bind(result.quarantined)
    .bind(result.api.requests)
    .bind(result.api.not_modified)
    .bind(result.api.retried)
    .bind(result.api.waited_seconds)
    .bind(result.api.remaining)
    .bind(end.next_attempt_at.map(micros))
    .execute(&mut **tx)
    .await
    .map_err(|source| Error::of(doing, source))?;
    tx.commit_history().await
}

pub(super) async fn put_outcome(
    store: &Sqlite,
    tenure: &Tenure,
    record: &RepositoryRecord,
) -> Result<(), Error> {
    let doing = "record what came of a repository";
    let failed = |source| Error::of(doing, source);
    let mut tx = Fenced::begin(store, tenure, doing).await?;
    sqlx::query(
        "INSERT INTO sync_run_repositories (run_number, repository, repository_id, phase, reason, \
         error, pages, created, updated, removed, unchanged, complete, truncated, started_at, \
         completed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?15, ?13, ?14) \
         ON CONFLICT (run_number, repository) DO NOTHING",
    )
    .bind(tenure.number().0)
    .bind(&record.name)
    .bind(record.repository_id)
    .bind(record.phase.as_str())
    .bind(&record.reason)
    .bind(&record.error)
    .bind(record.pages)
    .bind(record.counts.created)
    .bind(record.counts.updated)
    .bind(record.counts.removed)
    .bind(record.counts.unchanged)
    .bind(record.complete)
    .bind(micros(record.started_at))
    .bind(micros(record.completed_at))
    .bind(record.truncated)
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    if !tx.is_dry() {
        put_trouble(&mut tx, record).await?;
    }
    tx.commit_history().await
}

/// Leaves what went wrong in the repository's own row. It is not written when it says the same, so
/// that an unchanged repository causes no write.
async fn put_trouble(tx: &mut Fenced, record: &RepositoryRecord) -> Result<(), Error> {
    let suspect = record.phase == RepositoryPhase::Suspect;
    sqlx::query(
        "UPDATE repositories SET sync_error = ?2, \
         sync_error_since = CASE WHEN ?2 IS NULL THEN NULL ELSE coalesce(sync_error_since, ?3) END, \
         suspect_since = CASE WHEN ?4 THEN coalesce(suspect_since, ?3) END \
         WHERE id = ?1 AND (sync_error IS NOT ?2 OR (suspect_since IS NOT NULL) <> ?4)",
    )
    .bind(record.repository_id)
    .bind(&record.error)
    .bind(crate::store::row::to_seconds(record.completed_at))
    .bind(suspect)
    .execute(&mut ***tx)
    .await
    .map_err(|source| Error::of("record what came of a repository", source))?;
    Ok(())
}

/// The newest run of the request of this uid.
pub(super) async fn run_of(pool: &SqlitePool, uid: &str) -> Result<Option<RunRecord>, Error> {
    let sql = "SELECT * FROM sync_runs WHERE request_uid = ?1 ORDER BY run_number DESC LIMIT 1";
    one_run(pool, sql, uid).await
}

/// The newest run that has ended well and has answered the request of this uid too.
pub(super) async fn answer_of(pool: &SqlitePool, uid: &str) -> Result<Option<RunRecord>, Error> {
    let sql = "SELECT * FROM sync_runs r WHERE coalesced <> '[]' \
               AND status IN ('succeeded', 'partial') \
               AND EXISTS (SELECT 1 FROM json_each(r.coalesced) WHERE value = ?1) \
               ORDER BY run_number DESC LIMIT 1";
    one_run(pool, sql, uid).await
}

async fn one_run(
    pool: &SqlitePool,
    sql: &'static str,
    uid: &str,
) -> Result<Option<RunRecord>, Error> {
    let doing = "look for the run of a request";
    let record: Option<RunRecord> = sqlx::query_as(sql)
        .bind(uid)
        .fetch_optional(pool)
        .await
        .map_err(|source| Error::of(doing, source))?;
    let Some(mut record) = record else { return Ok(None) };
    record.repositories = sqlx::query_as(
        "SELECT * FROM sync_run_repositories WHERE run_number = ?1 \
         ORDER BY phase = 'Succeeded', repository LIMIT 100",
    )
    .bind(record.number.0)
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of(doing, source))?;
    Ok(Some(record))
}

pub(super) async fn history(pool: &SqlitePool, limit: u32) -> Result<Vec<RunRecord>, Error> {
    sqlx::query_as("SELECT * FROM sync_runs ORDER BY run_number DESC LIMIT ?1")
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(|source| Error::of("read the run history", source))
}

impl FromRow<'_, SqliteRow> for RunRecord {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let number =
            |name: &str| row.try_get::<Option<i64>, _>(name).map(Option::unwrap_or_default);
        let (created, updated) = (number("created")?, number("updated")?);
        let removed = number("removed")?;
        Ok(Self {
            number: RunNumber(row.try_get("run_number")?),
            run_type: row.try_get("type")?,
            state: RunState::parse(row.try_get("status")?),
            namespace: row.try_get("request_namespace")?,
            name: row.try_get("request_name")?,
            uid: row.try_get("request_uid")?,
            holder: row.try_get("holder")?,
            takeover_reason: row.try_get("takeover_reason")?,
            reason: row.try_get("reason")?,
            message: row.try_get("message")?,
            started_at: row.try_get("started_at")?,
            completed_at: row.try_get("completed_at")?,
            next_attempt_at: row.try_get("next_attempt_at")?,
            committed: row.try_get("committed")?,
            dry_run: row.try_get("dry_run")?,
            coalesced: row.try_get::<sqlx::types::Json<Vec<String>>, _>("coalesced")?.0,
            result: RunResult {
                repositories: number("repositories")?,
                failed: number("failed")?,
                created,
                updated,
                removed,
                unchanged: number("unchanged")?,
                changed: created + updated + removed,
                quarantined: number("quarantined")?,
                api: ApiUse {
                    requests: number("api_requests")?,
                    not_modified: number("api_not_modified")?,
                    retried: number("api_retried")?,
                    waited_seconds: number("api_waited_seconds")?,
                    remaining: row.try_get("api_remaining")?,
                },
            },
            repositories: Vec::new(),
        })
    }
}

impl FromRow<'_, SqliteRow> for RepositoryRecord {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let number =
            |name: &str| row.try_get::<Option<i64>, _>(name).map(Option::unwrap_or_default);
        let time = |name: &str| {
            row.try_get::<Option<DateTime<Utc>>, _>(name).map(Option::unwrap_or_default)
        };
        let reason: Option<String> = row.try_get("reason")?;
        Ok(Self {
            name: row.try_get("repository")?,
            repository_id: row.try_get("repository_id")?,
            phase: RepositoryPhase::parse(row.try_get("phase")?),
            reason,
            error: row.try_get("error")?,
            pages: number("pages")?,
            counts: Counts {
                created: number("created")?,
                updated: number("updated")?,
                removed: number("removed")?,
                unchanged: number("unchanged")?,
                quarantined: 0,
            },
            complete: row.try_get("complete")?,
            truncated: row.try_get("truncated")?,
            started_at: time("started_at")?,
            completed_at: time("completed_at")?,
        })
    }
}
