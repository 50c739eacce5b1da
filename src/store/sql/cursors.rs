//! How far the passes over a list have come.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::Tables;
use super::fenced::Fenced;
use crate::store::{Completion, Cursor, Error, PageWrite, Resume};

/// Takes note of where the pass may go on.
pub(super) async fn reach(
    tx: &mut Fenced,
    page: &PageWrite,
    resume: &Resume,
    changed: bool,
) -> Result<(), Error> {
    tx.query(
        "INSERT INTO sync_cursors \
         (repository_id, resource, pass, next_url, next_at, began_at, changed) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (repository_id, resource) DO UPDATE SET pass = excluded.pass, \
         next_url = excluded.next_url, next_at = excluded.next_at, \
         began_at = excluded.began_at, changed = excluded.changed",
    )
    .bind(page.repository_id)
    .bind(page.resource)
    .bind(&resume.pass)
    .bind(&resume.next_url)
    .bind_micros(resume.at)
    .bind_micros(resume.began_at)
    .bind(resume.changed || changed)
    .execute()
    .await?;
    Ok(())
}

/// Marks the pass as complete. The cursor moves only when the pass has changed a row, so that an
/// unchanged list keeps its URL and with it its ETag.
pub(super) async fn complete(
    tx: &mut Fenced,
    page: &PageWrite,
    completion: &Completion,
    changed: bool,
) -> Result<(), Error> {
    let since = completion.cursor.filter(|_| completion.changed || changed);
    // A cursor of another GitHub is none.
    tx.query(
        "INSERT INTO sync_cursors (repository_id, resource, since, complete_at, source, horizon) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (repository_id, resource) DO UPDATE SET \
         since = coalesce(excluded.since, CASE \
           WHEN coalesce(sync_cursors.source, $5) = $5 THEN sync_cursors.since END), \
         pass = NULL, next_url = NULL, next_at = NULL, began_at = NULL, changed = NULL, \
         complete_at = excluded.complete_at, source = excluded.source, \
         horizon = excluded.horizon",
    )
    .bind(page.repository_id)
    .bind(page.resource)
    .bind_micros(since)
    .bind_micros(page.at)
    .bind(&completion.source)
    .bind_micros(completion.horizon)
    .execute()
    .await?;
    Ok(())
}

#[derive(FromRow)]
struct CursorRow {
    since: Option<DateTime<Utc>>,
    horizon: Option<DateTime<Utc>>,
    source: Option<String>,
    pass: Option<String>,
    next_url: Option<String>,
    next_at: Option<DateTime<Utc>>,
    began_at: Option<DateTime<Utc>>,
    changed: Option<bool>,
}

pub(super) async fn get(
    tables: &Tables,
    repository_id: i64,
    resource: &str,
    source: &str,
) -> Result<Cursor, Error> {
    let mut tx = tables.read("read a cursor").await?;
    let row: Option<CursorRow> = tx
        .query(
            "SELECT since, horizon, source, pass, next_url, next_at, began_at, changed \
             FROM sync_cursors WHERE repository_id = $1 AND resource = $2",
        )
        .bind(repository_id)
        .bind(resource)
        .optional()
        .await?;
    tx.close().await;
    let Some(row) = row else { return Ok(Cursor::default()) };
    let same = row.source.as_deref().is_none_or(|known| known == source);
    let resume = || {
        Some(Resume {
            pass: row.pass?,
            next_url: row.next_url?,
            at: row.next_at?,
            began_at: row.began_at?,
            changed: row.changed?,
        })
    };
    Ok(Cursor {
        since: row.since.filter(|_| same),
        horizon: row.horizon.filter(|_| same),
        resume: resume(),
    })
}
