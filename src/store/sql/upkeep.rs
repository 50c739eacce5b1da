//! Rows that a list does not tell of: what is missing, what does not fit, what is gone or too old.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;

use super::Tables;
use super::fenced::Fenced;
use super::settled::settled;
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::{Error, Missing, Removal, Removed, Retention, Untrack};

/// How many rows one transaction deletes, so that a reader never waits long.
const BATCH: i64 = 1000;

pub(super) async fn missing(
    tables: &Tables,
    repository_id: i64,
    met: &[i64],
) -> Result<Missing, Error> {
    let mut tx = tables.read("look for issues that are in no list").await?;
    let (open,) = tx
        .query(
            "SELECT count(*) FROM issues WHERE repository_id = $1 AND state = 'open' \
             AND removed_at IS NULL",
        )
        .bind(repository_id)
        .one()
        .await?;
    let sql = format!(
        "SELECT number FROM issues WHERE repository_id = $1 AND state = 'open' \
         AND removed_at IS NULL AND number NOT IN {} ORDER BY number",
        tx.words().list(2)
    );
    let query = tx.query(AssertSqlSafe(sql)).bind(repository_id).bind_list(met);
    let numbers: Vec<(i64,)> = query.all().await?;
    tx.close().await;
    Ok(Missing { numbers: numbers.into_iter().map(|(number,)| number).collect(), open })
}

pub(super) async fn unfit(
    tables: &Tables,
    repository_id: i64,
    done: &str,
) -> Result<Vec<(i64, bool)>, Error> {
    let mut tx = tables.read("look for labels that do not fit the state").await?;
    let sql = format!(
        "SELECT i.number, i.state <> 'open' FROM issues i \
         WHERE i.repository_id = $1 AND i.removed_at IS NULL \
         AND EXISTS (SELECT 1 FROM {}(i.labels) l WHERE \
           CASE i.state WHEN 'open' THEN l.value = $2 \
           ELSE substr(l.value, 1, 7) = 'status/' AND l.value <> $2 END) ORDER BY i.number",
        tx.words().each
    );
    let unfit = tx.query(AssertSqlSafe(sql)).bind(repository_id).bind(done).all().await?;
    tx.close().await;
    Ok(unfit)
}

pub(super) async fn set_aside(
    tables: &Tables,
    repository_id: i64,
    kind: &str,
) -> Result<Vec<String>, Error> {
    let mut tx = tables.read("read the quarantine").await?;
    let keys: Vec<(String,)> = tx
        .query(
            "SELECT item_key FROM sync_quarantine WHERE repository_id = $1 AND resource = $2 \
             AND item_key IS NOT NULL ORDER BY last_seen_at, id",
        )
        .bind(repository_id)
        .bind(kind)
        .all()
        .await?;
    tx.close().await;
    Ok(keys.into_iter().map(|(key,)| key).collect())
}

pub(super) async fn remove(
    tables: &Tables,
    tenure: &Tenure,
    repository_id: i64,
    removals: &[Removal],
    at: DateTime<Utc>,
) -> Result<i64, Error> {
    let mut tx = Fenced::begin(tables, tenure, "mark issues as removed").await?;
    let mut removed = 0;
    for removal in removals {
        let (reason, to) = match &removal.why {
            Removed::Deleted => ("deleted", None),
            Removed::Transferred(to) => ("transferred", Some(to)),
        };
        removed += tx
            .query(
                "UPDATE issues SET removed_at = $3, removed_reason = $4, removed_to = $5, \
                 stored_at = $3, stored_by = $6 \
                 WHERE repository_id = $1 AND number = $2 AND removed_at IS NULL",
            )
            .bind(repository_id)
            .bind(removal.number)
            .bind_seconds(at)
            .bind(reason)
            .bind(to)
            .bind(tenure.number().0)
            .execute()
            .await?;
        tx.query(
            "DELETE FROM sync_quarantine WHERE repository_id = $1 AND resource = 'issues' \
             AND item_key = $2",
        )
        .bind(repository_id)
        .bind(removal.number.to_string())
        .execute()
        .await?;
    }
    tx.commit_data().await?;
    Ok(removed)
}

pub(super) async fn untrack(
    tables: &Tables,
    tenure: &Tenure,
    which: &Untrack,
) -> Result<(), Error> {
    let mut tx = Fenced::begin(tables, tenure, "mark repositories as untracked").await?;
    let (first, second) = (tx.words().list(3), tx.words().list(4));
    let (condition, ids, names) = match which {
        Untrack::Only(ids) => (format!("id IN {first}"), ids, None),
        Untrack::AllBut { names, ids } => {
            (format!("id NOT IN {first} AND lower(full_name) NOT IN {second}"), ids, Some(names))
        }
    };
    let sql = format!(
        "UPDATE repositories SET tracked = false, stored_at = $1, stored_by = $2 \
         WHERE tracked = true AND {condition}"
    );
    let query = tx
        .query(AssertSqlSafe(sql))
        .bind_seconds(Clock::default().now())
        .bind(tenure.number().0)
        .bind_list(ids);
    match names {
        None => query,
        Some(names) => query.bind_list(names),
    }
    .execute()
    .await?;
    tx.commit_data().await
}

/// A page that has not changed for so long is read once more.
const ETAGS_KEPT: Duration = Duration::from_hours(30 * 24);

/// A table that grows, its key, the condition under which a row is old, and how long it is kept.
type Old = (&'static str, &'static str, &'static str, Option<Duration>);

fn old_rows(retention: &Retention) -> [Old; 11] {
    [
        (
            "sync_run_repositories",
            "run_number, repository",
            "run_number IN (SELECT run_number FROM sync_runs WHERE completed_at < $1)",
            retention.sync_runs,
        ),
        ("sync_runs", "run_number", "completed_at < $1", retention.sync_runs),
        ("sync_quarantine", "id", "last_seen_at < $1", retention.quarantine),
        // Most are of lists from a cursor on, and of commits, which are never asked for again.
        ("sync_etags", "url, token_identity", "stored_at < $1", Some(ETAGS_KEPT)),
        ("workflow_jobs", "id", "completed_at < $1", retention.workflow_jobs),
        (
            "workflow_runs",
            "id",
            "status = 'completed' AND updated_at < $1",
            retention.workflow_runs,
        ),
        ("issues", "repository_id, number", "removed_at < $1", retention.removed),
        ("workflow_runs", "id", "removed_at < $1", retention.removed),
        ("workflows", "id", "removed_at < $1", retention.removed),
        ("releases", "id", "removed_at < $1", retention.removed),
        ("packages", "id", "removed_at < $1", retention.removed),
    ]
}

pub(super) async fn prune(
    tables: &Tables,
    tenure: &Tenure,
    retention: &Retention,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    let mut all = 0;
    for (table, key, is_old, keep) in old_rows(retention) {
        // What is stored is stamped by the clock of the process, which in a test is not the run's.
        let now = if table == "sync_etags" { Clock::default().now() } else { now };
        let keep = keep.and_then(|keep| TimeDelta::from_std(keep).ok());
        let Some(before) = keep.and_then(|keep| now.checked_sub_signed(keep)) else { continue };
        let sql = format!(
            "DELETE FROM {table} WHERE ({key}) IN \
             (SELECT {key} FROM {table} WHERE {is_old} ORDER BY {key} LIMIT {BATCH})"
        );
        let whole_seconds = !table.starts_with("sync_");
        loop {
            let batch = || delete(tables, tenure, &sql, (before, whole_seconds));
            let (deleted, dry) = settled(batch).await?;
            all += deleted;
            if deleted < BATCH || dry {
                break;
            }
        }
    }
    Ok(all)
}

/// Deletes a batch of what is older than the time: how many rows, and whether it was taken back.
async fn delete(
    tables: &Tables,
    tenure: &Tenure,
    sql: &str,
    (before, whole_seconds): (DateTime<Utc>, bool),
) -> Result<(i64, bool), Error> {
    let mut tx = Fenced::begin(tables, tenure, "delete what is too old").await?;
    let query = tx.query(AssertSqlSafe(sql.to_owned()));
    let query = match whole_seconds {
        true => query.bind_seconds(before),
        false => query.bind_micros(before),
    };
    let deleted = query.execute().await?;
    let dry = tx.is_dry();
    tx.commit_data().await?;
    Ok((deleted, dry))
}
