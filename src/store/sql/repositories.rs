//! Repositories, under the ids that they keep, and the names by which they are looked for.

use super::fenced::Fenced;
use super::{Tables, pages};
use crate::lease::Tenure;
use crate::store::columns::REPOSITORIES;
use crate::store::{Error, RepositoryRow, SeenPage};

pub(super) async fn put(
    tables: &Tables,
    tenure: &Tenure,
    row: &RepositoryRow,
    seen: Option<&SeenPage>,
) -> Result<(), Error> {
    let mut tx = Fenced::begin(tables, tenure, "write a repository").await?;
    tx.upsert(&REPOSITORIES, std::slice::from_ref(row), tenure).await?;
    if let Some(seen) = seen {
        pages::put_seen(&mut tx, seen).await?;
    }
    tx.commit_data().await
}

pub(super) async fn id(tables: &Tables, full_name: &str) -> Result<Option<i64>, Error> {
    let mut tx = tables.read("look for a repository").await?;
    let found: Option<(i64,)> = tx
        .query(
            "SELECT id FROM repositories WHERE lower(full_name) = $1 \
             ORDER BY tracked DESC, stored_at DESC LIMIT 1",
        )
        .bind(full_name.to_ascii_lowercase())
        .optional()
        .await?;
    tx.close().await;
    Ok(found.map(|(id,)| id))
}

pub(super) async fn named(tables: &Tables, full_name: &str) -> Result<Vec<i64>, Error> {
    let mut tx = tables.read("look for a repository by its name").await?;
    let found: Vec<(i64,)> = tx
        .query("SELECT id FROM repositories WHERE lower(full_name) = $1 AND tracked = true")
        .bind(full_name.to_ascii_lowercase())
        .all()
        .await?;
    tx.close().await;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn get(tables: &Tables, id: i64) -> Result<Option<RepositoryRow>, Error> {
    type Row = (String, String, String, Option<String>, Option<bool>, bool);
    let mut tx = tables.read("look for a repository by its id").await?;
    let found: Option<Row> = tx
        .query(
            "SELECT owner, name, full_name, default_branch, archived, tracked FROM repositories \
             WHERE id = $1",
        )
        .bind(id)
        .optional()
        .await?;
    tx.close().await;
    Ok(found.map(|(owner, name, full_name, default_branch, archived, tracked)| RepositoryRow {
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

pub(super) async fn latest_commit(tables: &Tables, id: i64) -> Result<Option<String>, Error> {
    let mut tx = tables.read("look for the newest commit").await?;
    let found: Option<(Option<String>,)> = tx
        .query("SELECT latest_commit_sha FROM repositories WHERE id = $1")
        .bind(id)
        .optional()
        .await?;
    tx.close().await;
    Ok(found.and_then(|(sha,)| sha))
}
