//! Rows that a list does not tell of: what is missing, what does not fit, what is gone or too old.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, SqlitePool};

use super::fenced::Fenced;
use super::{Sqlite, micros};
use crate::lease::Tenure;
use crate::store::row::to_seconds;
use crate::store::{Error, Missing, Removal, Removed, RepositoryRow, Retention, Untrack};

/// How many rows one transaction deletes, so that a reader never waits long.
const BATCH: i64 = 1000;

pub(super) async fn missing(
    pool: &SqlitePool,
    repository_id: i64,
    met: &[i64],
) -> Result<Missing, Error> {
    let failed = |source| Error::of("look for issues that are in no list", source);
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM issues WHERE repository_id = ?1 AND state = 'open' \
         AND removed_at IS NULL",
    )
    .bind(repository_id)
    .fetch_one(pool)
    .await
    .map_err(failed)?;
    let numbers = sqlx::query_scalar(
        "SELECT number FROM issues WHERE repository_id = ?1 AND state = 'open' \
         AND removed_at IS NULL AND number NOT IN (SELECT value FROM json_each(?2)) \
         ORDER BY number",
    )
    .bind(repository_id)
    .bind(sqlx::types::Json(met))
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    Ok(Missing { numbers, open })
}

pub(super) async fn unfit(
    pool: &SqlitePool,
    repository_id: i64,
    done: &str,
) -> Result<Vec<(i64, bool)>, Error> {
    sqlx::query_as(
        "SELECT i.number, i.state <> 'open' FROM issues i WHERE i.repository_id = ?1 AND i.removed_at IS NULL \
         AND EXISTS (SELECT 1 FROM json_each(i.labels) l WHERE \
           CASE i.state WHEN 'open' THEN l.value = ?2 \
           ELSE l.value LIKE 'status/%' AND l.value <> ?2 END) ORDER BY i.number",
    )
    .bind(repository_id)
    .bind(done)
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of("look for labels that do not fit the state", source))
}

pub(super) async fn set_aside(
    pool: &SqlitePool,
    repository_id: i64,
    kind: &str,
) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "SELECT item_key FROM sync_quarantine WHERE repository_id = ?1 AND resource = ?2 \
         AND item_key IS NOT NULL ORDER BY last_seen_at, id",
    )
    .bind(repository_id)
    .bind(kind)
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of("read the quarantine", source))
}

pub(super) async fn remove(
    store: &Sqlite,
    tenure: &Tenure,
    repository_id: i64,
    removals: &[Removal],
    at: DateTime<Utc>,
) -> Result<i64, Error> {
    let doing = "mark issues as removed";
    let mut tx = Fenced::begin(store, tenure, doing).await?;
    let mut removed = 0;
    for removal in removals {
        let (reason, to) = match &removal.why {
            Removed::Deleted => ("deleted", None),
            Removed::Transferred(to) => ("transferred", Some(to)),
        };
        let row = sqlx::query(
            "UPDATE issues SET removed_at = ?3, removed_reason = ?4, removed_to = ?5, \
             stored_at = ?3, stored_by = ?6 \
             WHERE repository_id = ?1 AND number = ?2 AND removed_at IS NULL",
        )
        .bind(repository_id)
        .bind(removal.number)
        .bind(to_seconds(at))
        .bind(reason)
        .bind(to)
        .bind(tenure.number().0)
        .execute(&mut **tx)
        .await
        .map_err(|source| Error::of(doing, source))?;
        removed += i64::try_from(row.rows_affected()).unwrap_or(i64::MAX);
        sqlx::query(
            "DELETE FROM sync_quarantine WHERE repository_id = ?1 AND resource = 'issues' \
             AND item_key = ?2",
        )
        .bind(repository_id)
        .bind(removal.number.to_string())
        .execute(&mut **tx)
        .await
        .map_err(|source| Error::of(doing, source))?;
    }
    tx.commit_data().await?;
    Ok(removed)
}

pub(super) async fn repositories_named(pool: &SqlitePool, name: &str) -> Result<Vec<i64>, Error> {
    sqlx::query_scalar(
        "SELECT id FROM repositories WHERE full_name = ?1 COLLATE NOCASE AND tracked = 1",
    )
    .bind(name)
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of("look for a repository by its name", source))
}

pub(super) async fn repository(pool: &SqlitePool, id: i64) -> Result<Option<RepositoryRow>, Error> {
    type Row = (String, String, String, Option<String>, Option<bool>, bool);
    let row: Option<Row> = sqlx::query_as(
        "SELECT owner, name, full_name, default_branch, archived, tracked FROM repositories WHERE id = ?1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await
    .map_err(|source| Error::of("look for a repository by its id", source))?;
    Ok(row.map(|(owner, name, full_name, default_branch, archived, tracked)| RepositoryRow {
        id,
        owner,
        name,
        full_name,
        default_branch,
        archived,
        tracked,
        ..RepositoryRow::default()
    }))
}

pub(super) async fn untrack(store: &Sqlite, tenure: &Tenure, which: &Untrack) -> Result<(), Error> {
    let doing = "mark repositories as untracked";
    let (condition, names, ids) = match which {
        Untrack::Only(ids) => ("id IN (SELECT value FROM json_each(?1))", &Vec::new(), ids),
        Untrack::AllBut { names, ids } => (
            "id NOT IN (SELECT value FROM json_each(?1)) \
             AND lower(full_name) NOT IN (SELECT value FROM json_each(?2))",
            names,
            ids,
        ),
    };
    let sql = format!(
        "UPDATE repositories SET tracked = 0, stored_at = ?3, stored_by = ?4 \
         WHERE tracked = 1 AND {condition}"
    );
    let mut tx = Fenced::begin(store, tenure, doing).await?;
    sqlx::query(AssertSqlSafe(sql))
        .bind(sqlx::types::Json(ids))
        .bind(sqlx::types::Json(names))
        .bind(to_seconds(crate::process::clock::Clock::default().now()))
        .bind(tenure.number().0)
        .execute(&mut **tx)
        .await
        .map_err(|source| Error::of(doing, source))?;
    tx.commit_data().await
}

/// Each table that grows, with the condition under which a row is old and the form of its times.
fn old_rows(retention: &Retention) -> [(&'static str, &'static str, Option<Duration>); 6] {
    [
        (
            "sync_run_repositories",
            "run_number IN (SELECT run_number FROM sync_runs WHERE completed_at < ?1)",
            retention.sync_runs,
        ),
        ("sync_runs", "completed_at < ?1", retention.sync_runs),
        ("sync_quarantine", "last_seen_at < ?1", retention.quarantine),
        ("workflow_jobs", "completed_at < ?1", retention.workflow_jobs),
        ("workflow_runs", "status = 'completed' AND updated_at < ?1", retention.workflow_runs),
        ("issues", "removed_at < ?1", retention.removed),
    ]
}

pub(super) async fn prune(
    store: &Sqlite,
    tenure: &Tenure,
    retention: &Retention,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    let doing = "delete what is too old";
    let mut all = 0;
    for (table, is_old, keep) in old_rows(retention) {
        let keep = keep.and_then(|keep| TimeDelta::from_std(keep).ok());
        let Some(before) = keep.and_then(|keep| now.checked_sub_signed(keep)) else { continue };
        let before = if table.starts_with("sync_") { micros(before) } else { to_seconds(before) };
        let sql = format!(
            "DELETE FROM {table} WHERE rowid IN \
             (SELECT rowid FROM {table} WHERE {is_old} LIMIT {BATCH})"
        );
        loop {
            let mut tx = Fenced::begin(store, tenure, doing).await?;
            let deleted = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(&before)
                .execute(&mut **tx)
                .await
                .map_err(|source| Error::of(doing, source))?
                .rows_affected();
            let dry = tx.is_dry();
            tx.commit_data().await?;
            let deleted = i64::try_from(deleted).unwrap_or(i64::MAX);
            all += deleted;
            if deleted < BATCH || dry {
                break;
            }
        }
    }
    Ok(all)
}
