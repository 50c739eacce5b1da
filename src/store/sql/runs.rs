//! Run numbers, the fence, and what a run writes down of itself.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::fenced::Fenced;
use super::{Tables, Transaction, history, owner, schema};
use crate::api::RepositoryPhase;
use crate::lease::{RunNumber, Tenure};
use crate::store::{Activation, Error, NewRun, RepositoryRecord, RunEnd};

/// Above this no number is drawn, so that the next ones can never overflow.
const HIGHEST_NUMBER: i64 = 1 << 53;

pub(super) async fn newest(tables: &Tables) -> Result<RunNumber, Error> {
    let mut tx = tables.read("read the newest run number").await?;
    let greatest = tx.words().greatest;
    let sql = format!("SELECT {greatest}(seq, (SELECT active FROM sync_fence)) FROM sync_tickets");
    let (number,) = tx.query(AssertSqlSafe(sql)).one().await?;
    tx.close().await;
    Ok(RunNumber(number))
}

pub(super) async fn ticket(tables: &Tables, floor: RunNumber) -> Result<RunNumber, Error> {
    let mut tx = tables.write("draw a run number").await?;
    let greatest = tx.words().greatest;
    let sql = format!(
        "UPDATE sync_tickets SET seq = {greatest}(seq, $1, (SELECT active FROM sync_fence)) + 1 \
         RETURNING seq"
    );
    let query = tx.query(AssertSqlSafe(sql)).bind(floor.0.min(HIGHEST_NUMBER));
    let (drawn,): (i64,) = query.one().await?;
    if drawn > HIGHEST_NUMBER {
        return Err(Error::NumbersExhausted(RunNumber(drawn)));
    }
    tx.commit().await?;
    Ok(RunNumber(drawn))
}

pub(super) async fn activate(
    tables: &Tables,
    tenure: &Tenure,
    run: &NewRun,
) -> Result<Activation, Error> {
    let mut tx = tables.write_or_yield("activate a run").await?;
    // First of all, so that nothing that is read from here on changes any more.
    let active = owner::hold(&mut tx).await?;
    owner::check(tables, &mut tx).await?;
    schema::check_again(tables, &mut tx).await?;
    if let Some(number) = ended_number(&mut tx, &run.uid).await? {
        return Err(Error::HasRun(number));
    }
    let raised = tx
        .query(
            "UPDATE sync_fence SET active = $1, holder = $2 \
             WHERE active < $1 OR (active = $1 AND holder = $2)",
        )
        .bind(tenure.number().0)
        .bind(tenure.holder().as_str())
        .execute()
        .await?;
    if raised == 0 {
        return Err(Error::Superseded { number: tenure.number(), active: RunNumber(active) });
    }
    let interrupted = close_unfinished(&mut tx, tenure.number(), run.started_at).await?;
    insert(&mut tx, tenure, run).await?;
    // What stands there, and not what was asked for: an activation that is repeated keeps its first
    // list.
    let (Json(coalesced),) = tx
        .query("SELECT coalesced FROM sync_runs WHERE run_number = $1")
        .bind(tenure.number().0)
        .one()
        .await?;
    let former = history::before(&mut tx, tenure.number()).await?.map(Box::new);
    exclude(&mut tx, &run.excluded_labels).await?;
    tx.commit().await?;
    Ok(Activation { interrupted, former, coalesced })
}

async fn ended_number(tx: &mut Transaction, uid: &str) -> Result<Option<RunNumber>, Error> {
    let number: Option<(i64,)> = tx
        .query(
            "SELECT run_number FROM sync_runs \
             WHERE request_uid = $1 AND status NOT IN ('running', 'interrupted') \
             AND next_attempt_at IS NULL LIMIT 1",
        )
        .bind(uid)
        .optional()
        .await?;
    Ok(number.map(|(number,)| RunNumber(number)))
}

async fn close_unfinished(
    tx: &mut Transaction,
    before: RunNumber,
    at: DateTime<Utc>,
) -> Result<Vec<RunNumber>, Error> {
    let mut closed: Vec<(i64,)> = tx
        .query(
            "UPDATE sync_runs SET status = 'interrupted', reason = 'Interrupted', \
             message = 'the process that ran it is gone', completed_at = $2 \
             WHERE status = 'running' AND run_number < $1 RETURNING run_number",
        )
        .bind(before.0)
        .bind_micros(at)
        .all()
        .await?;
    closed.sort_unstable();
    Ok(closed.into_iter().map(|(number,)| RunNumber(number)).collect())
}

async fn insert(tx: &mut Transaction, tenure: &Tenure, run: &NewRun) -> Result<(), Error> {
    tx.query(
        "INSERT INTO sync_runs (run_number, type, status, dry_run, request_namespace, \
         request_name, request_uid, coalesced, attempt, holder, takeover_reason, started_at, \
         operator_version) \
         VALUES ($1, $2, 'running', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (run_number) DO NOTHING",
    )
    .bind(tenure.number().0)
    .bind(run.run_type)
    .bind(run.dry_run)
    .bind(&run.namespace)
    .bind(&run.name)
    .bind(&run.uid)
    .bind(Json(&run.coalesced))
    .bind(run.attempt)
    .bind(tenure.holder().as_str())
    .bind(run.takeover_reason)
    .bind_micros(run.started_at)
    .bind(env!("CARGO_PKG_VERSION"))
    .execute()
    .await?;
    Ok(())
}

async fn exclude(tx: &mut Transaction, labels: &[String]) -> Result<(), Error> {
    let list = tx.words().list(1);
    tx.query(AssertSqlSafe(format!("DELETE FROM sync_excluded_labels WHERE name NOT IN {list}")))
        .bind_list(labels)
        .execute()
        .await?;
    // The list stands in the place of a table here.
    let sql = format!(
        "INSERT INTO sync_excluded_labels (name) SELECT * FROM {list} AS labels WHERE true \
         ON CONFLICT (name) DO NOTHING"
    );
    tx.query(AssertSqlSafe(sql)).bind_list(labels).execute().await?;
    Ok(())
}

pub(super) async fn finish(tables: &Tables, tenure: &Tenure, end: &RunEnd) -> Result<(), Error> {
    let mut tx = Fenced::begin(tables, tenure, "record the end of a run").await?;
    let result = &end.result;
    tx.query(
        "UPDATE sync_runs SET status = $2, reason = $3, message = $4, completed_at = $5, \
         repositories = $6, failed = $7, created = $8, updated = $9, removed = $10, \
         unchanged = $11, quarantined = $12, api_requests = $13, api_not_modified = $14, \
         api_retried = $15, api_waited_seconds = $16, api_remaining = $17, \
         next_attempt_at = $18 \
         WHERE run_number = $1 AND status = 'running'",
    )
    .bind(tenure.number().0)
    .bind(end.state.as_str())
    .bind(end.reason)
    .bind(&end.message)
    .bind_micros(end.completed_at)
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
    .bind_micros(end.next_attempt_at)
    .execute()
    .await?;
    tx.commit_history().await
}

pub(super) async fn put_outcome(
    tables: &Tables,
    tenure: &Tenure,
    record: &RepositoryRecord,
) -> Result<(), Error> {
    let mut tx = Fenced::begin(tables, tenure, "record what came of a repository").await?;
    tx.query(
        "INSERT INTO sync_run_repositories (run_number, repository, repository_id, phase, reason, \
         error, pages, created, updated, removed, unchanged, complete, truncated, started_at, \
         completed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
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
    .bind(record.truncated)
    .bind_micros(record.started_at)
    .bind_micros(record.completed_at)
    .execute()
    .await?;
    if !tx.is_dry() {
        put_trouble(&mut tx, record).await?;
    }
    tx.commit_history().await
}

/// Leaves what went wrong in the repository's own row. It is not written when it says the same, so
/// that an unchanged repository causes no write.
async fn put_trouble(tx: &mut Fenced, record: &RepositoryRecord) -> Result<(), Error> {
    tx.query(
        "UPDATE repositories SET sync_error = $2, \
         sync_error_since = CASE WHEN $2 IS NULL THEN NULL ELSE coalesce(sync_error_since, $3) END, \
         suspect_since = CASE WHEN $4 THEN coalesce(suspect_since, $3) END \
         WHERE id = $1 \
         AND (sync_error IS DISTINCT FROM $2 OR (suspect_since IS NOT NULL) <> $4)",
    )
    .bind(record.repository_id)
    .bind(&record.error)
    .bind_seconds(record.completed_at)
    .bind(record.phase == RepositoryPhase::Suspect)
    .execute()
    .await?;
    Ok(())
}
