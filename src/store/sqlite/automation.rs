//! What a sync of automation data asks the store: what is known, what had not finished, what is gone.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, SqlitePool};

use super::Sqlite;
use super::fenced::Fenced;
use crate::lease::Tenure;
use crate::store::row::to_seconds;
use crate::store::{Error, KnownPackage, KnownRun, Vanished};

pub(super) async fn known_runs(pool: &SqlitePool, ids: &[i64]) -> Result<Vec<KnownRun>, Error> {
    sqlx::query_as(
        "SELECT id, run_attempt, status, created_at, updated_at FROM workflow_runs \
         WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(Json(ids))
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of("look for runs of workflows", source))
}

pub(super) async fn unfinished_runs(
    pool: &SqlitePool,
    repository_id: i64,
) -> Result<Vec<i64>, Error> {
    sqlx::query_scalar(
        "SELECT id FROM workflow_runs WHERE repository_id = ?1 AND status <> 'completed' \
         AND removed_at IS NULL ORDER BY created_at, id",
    )
    .bind(repository_id)
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of("look for runs that had not finished", source))
}

pub(super) async fn oldest_update(
    pool: &SqlitePool,
    repository_id: i64,
    numbers: &[i64],
) -> Result<Option<DateTime<Utc>>, Error> {
    sqlx::query_scalar(
        "SELECT min(updated_at) FROM pull_requests WHERE repository_id = ?1 \
         AND number IN (SELECT value FROM json_each(?2))",
    )
    .bind(repository_id)
    .bind(Json(numbers))
    .fetch_one(pool)
    .await
    .map_err(|source| Error::of("look for pull requests", source))
}

pub(super) async fn known_packages(
    pool: &SqlitePool,
    ids: &[i64],
) -> Result<Vec<KnownPackage>, Error> {
    sqlx::query_as(
        "SELECT id, version_count, latest_tag, updated_at FROM packages \
         WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(Json(ids))
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of("look for packages", source))
}

pub(super) async fn vanish(
    store: &Sqlite,
    tenure: &Tenure,
    which: &Vanished,
    at: DateTime<Utc>,
) -> Result<i64, Error> {
    let doing = "mark rows as removed";
    let (table, condition) = match which {
        Vanished::WorkflowRun(_) => ("workflow_runs", "id = ?3"),
        Vanished::WorkflowsBut { .. } => ("workflows", "repository_id = ?3"),
        Vanished::ReleasesBut { .. } => ("releases", "repository_id = ?3"),
        Vanished::PackagesBut { .. } => ("packages", "owner = ?3 AND package_type = ?5"),
    };
    let sql = format!(
        "UPDATE {table} SET removed_at = ?1, stored_at = ?1, stored_by = ?2 \
         WHERE removed_at IS NULL AND {condition} \
         AND id NOT IN (SELECT value FROM json_each(?4))"
    );
    let sql = sqlx::query(AssertSqlSafe(sql)).bind(to_seconds(at)).bind(tenure.number().0);
    let sql = match which {
        Vanished::WorkflowRun(id) => sql.bind(id).bind("[]"),
        Vanished::WorkflowsBut { repository_id, ids }
        | Vanished::ReleasesBut { repository_id, ids } => sql.bind(repository_id).bind(Json(ids)),
        Vanished::PackagesBut { owner, package_type, ids } => {
            sql.bind(owner).bind(Json(ids)).bind(package_type)
        }
    };
    let mut tx = Fenced::begin(store, tenure, doing).await?;
    let gone = sql.execute(&mut **tx).await.map_err(|source| Error::of(doing, source))?;
    tx.commit_data().await?;
    Ok(i64::try_from(gone.rows_affected()).unwrap_or(i64::MAX))
}
