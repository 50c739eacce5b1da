//! What a sync of automation data asks the store: what is known, what had not finished, what is gone.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::Tables;
use super::fenced::Fenced;
use crate::lease::Tenure;
use crate::store::{Error, KnownPackage, KnownRun, Vanished};

pub(super) async fn known_runs(tables: &Tables, ids: &[i64]) -> Result<Vec<KnownRun>, Error> {
    let mut tx = tables.read("look for runs of workflows").await?;
    let sql = format!(
        "SELECT id, run_attempt, status, created_at, updated_at FROM workflow_runs \
         WHERE removed_at IS NULL AND id IN {} ORDER BY id",
        tx.words().list(1)
    );
    let known = tx.query(AssertSqlSafe(sql)).bind_list(ids).all().await?;
    tx.close().await;
    Ok(known)
}

pub(super) async fn unfinished_runs(
    tables: &Tables,
    repository_id: i64,
) -> Result<Vec<i64>, Error> {
    let mut tx = tables.read("look for runs that had not finished").await?;
    let found: Vec<(i64,)> = tx
        .query(
            "SELECT id FROM workflow_runs WHERE repository_id = $1 AND status <> 'completed' \
             AND removed_at IS NULL ORDER BY created_at, id",
        )
        .bind(repository_id)
        .all()
        .await?;
    tx.close().await;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn oldest_update(
    tables: &Tables,
    repository_id: i64,
    numbers: &[i64],
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut tx = tables.read("look for pull requests").await?;
    let sql = format!(
        "SELECT min(updated_at) FROM pull_requests WHERE repository_id = $1 AND number IN {}",
        tx.words().list(2)
    );
    let query = tx.query(AssertSqlSafe(sql)).bind(repository_id).bind_list(numbers);
    let (oldest,) = query.one().await?;
    tx.close().await;
    Ok(oldest)
}

pub(super) async fn known_packages(
    tables: &Tables,
    ids: &[i64],
) -> Result<Vec<KnownPackage>, Error> {
    let mut tx = tables.read("look for packages").await?;
    let sql = format!(
        "SELECT id, version_count, latest_tag, updated_at FROM packages \
         WHERE removed_at IS NULL AND id IN {} ORDER BY id",
        tx.words().list(1)
    );
    let known = tx.query(AssertSqlSafe(sql)).bind_list(ids).all().await?;
    tx.close().await;
    Ok(known)
}

pub(super) async fn vanish(
    tables: &Tables,
    tenure: &Tenure,
    which: &Vanished,
    at: DateTime<Utc>,
) -> Result<i64, Error> {
    let mut tx = Fenced::begin(tables, tenure, "mark rows as removed").await?;
    let (table, condition) = match which {
        Vanished::WorkflowRun(_) => ("workflow_runs", "id = $4"),
        Vanished::WorkflowsBut { .. } => ("workflows", "repository_id = $4"),
        Vanished::ReleasesBut { .. } => ("releases", "repository_id = $4"),
        Vanished::PackagesBut { .. } => ("packages", "owner = $4 AND package_type = $5"),
    };
    let sql = format!(
        "UPDATE {table} SET removed_at = $1, stored_at = $1, stored_by = $2 \
         WHERE removed_at IS NULL AND id NOT IN {} AND {condition}",
        tx.words().list(3)
    );
    let query = tx.query(AssertSqlSafe(sql)).bind_seconds(at).bind(tenure.number().0);
    let query = match which {
        Vanished::WorkflowRun(id) => query.bind_list::<i64>(&[]).bind(id),
        Vanished::WorkflowsBut { repository_id, ids }
        | Vanished::ReleasesBut { repository_id, ids } => query.bind_list(ids).bind(repository_id),
        Vanished::PackagesBut { owner, package_type, ids } => {
            query.bind_list(ids).bind(owner).bind(package_type)
        }
    };
    let gone = query.execute().await?;
    tx.commit_data().await?;
    Ok(gone)
}
