//! Pages of lists: rows, items set aside, ETag and cursor, in one transaction.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, SqlitePool};

use super::fenced::Fenced;
use super::{Sqlite, micros, upsert};
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::columns::by_table;
use crate::store::row::to_seconds;
use crate::store::{
    Completion, Counts, Cursor, Error, PageWrite, Reached, Resume, Row, SeenPage, SetAside,
};

const WRITE: &str = "write a page";

pub(super) async fn put(
    store: &Sqlite,
    tenure: &Tenure,
    page: &PageWrite,
) -> Result<Counts, Error> {
    let mut tx = Fenced::begin(store, tenure, WRITE).await?;
    if tx.is_dry() {
        stand_in_for_repository(&mut tx, page).await?;
    }
    free_ids(&mut tx, page).await?;
    let mut counts = Counts::default();
    for (table, rows) in by_table(&page.rows) {
        counts += upsert(&mut tx, table, &rows, tenure, WRITE).await?;
    }
    if let Some(head) = &page.head {
        put_head(&mut tx, tenure, page, head.as_deref()).await?;
    }
    heal(&mut tx, page).await?;
    for item in &page.set_aside {
        put_aside(&mut tx, tenure, page, item).await?;
        counts.quarantined += 1;
    }
    if let Some(seen) = &page.seen {
        put_seen(&mut tx, seen).await?;
    }
    match &page.reached {
        Reached::Nothing => {}
        Reached::Page(resume) => reach(&mut tx, page, resume, counts.changed()).await?,
        Reached::End(completion) => complete(&mut tx, page, completion, counts.changed()).await?,
    }
    tx.commit_data().await?;
    Ok(counts)
}

/// A dry run has not written the repository's row, on which the others stand.
async fn stand_in_for_repository(tx: &mut Fenced, page: &PageWrite) -> Result<(), Error> {
    if page.repository_id.is_none() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO repositories (id, owner, name, full_name, tracked, stored_at, stored_by) \
         VALUES (?1, '', '', '', 0, '', 0) ON CONFLICT (id) DO NOTHING",
    )
    .bind(page.repository_id)
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Takes note of the newest commit; what is so already is not written.
async fn put_head(
    tx: &mut Fenced,
    tenure: &Tenure,
    page: &PageWrite,
    sha: Option<&str>,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE repositories SET latest_commit_sha = ?2, stored_at = ?3, stored_by = ?4 \
         WHERE id = ?1 AND latest_commit_sha IS NOT ?2",
    )
    .bind(page.repository_id)
    .bind(sha)
    .bind(to_seconds(page.at))
    .bind(tenure.number().0)
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
    Ok(())
}

/// An issue that has come from another repository with the id that it had there: its old row keeps
/// everything but the id.
async fn free_ids(tx: &mut Fenced, page: &PageWrite) -> Result<(), Error> {
    let ids: Vec<i64> = page.issues().filter_map(|issue| issue.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE issues SET id = NULL WHERE repository_id <> ?1 \
         AND id IN (SELECT value FROM json_each(?2))",
    )
    .bind(page.repository_id)
    .bind(sqlx::types::Json(ids))
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
    Ok(())
}

/// What quarantine calls the items of a list: an item is the same in each list of its kind.
fn kind(resource: &str) -> &str {
    resource.split('.').next().unwrap_or(resource)
}

/// Items that were set aside once and are fine now leave the quarantine.
async fn heal(tx: &mut Fenced, page: &PageWrite) -> Result<(), Error> {
    let keys: Vec<String> = page.rows.iter().map(Row::item_key).collect();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM sync_quarantine WHERE repository_id IS ?1 AND resource = ?2 \
         AND item_key IN (SELECT value FROM json_each(?3))",
    )
    .bind(page.repository_id)
    .bind(kind(page.resource))
    .bind(sqlx::types::Json(keys))
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn put_aside(
    tx: &mut Fenced,
    tenure: &Tenure,
    page: &PageWrite,
    item: &SetAside,
) -> Result<(), Error> {
    let key = item.item_key.as_deref().unwrap_or(&item.raw);
    let kind = kind(page.resource);
    let repository = page.repository_id.map(|id| id.to_string()).unwrap_or_default();
    let id = crate::store::fingerprint(&[kind, &repository, key]);
    // What is nested deeper than the database reads is kept as a text.
    sqlx::query(
        "INSERT INTO sync_quarantine \
         (id, run_number, repository_id, resource, item_key, error, raw, first_seen_at, \
          last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
          CASE WHEN json_valid(?7) THEN ?7 ELSE json_quote(?7) END, ?8, ?8) \
         ON CONFLICT (id) DO UPDATE SET run_number = excluded.run_number, \
         error = excluded.error, raw = excluded.raw, last_seen_at = excluded.last_seen_at",
    )
    .bind(id)
    .bind(tenure.number().0)
    .bind(page.repository_id)
    .bind(kind)
    .bind(&item.item_key)
    .bind(&item.error)
    .bind(&item.raw)
    .bind(micros(page.at))
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
    Ok(())
}

pub(super) async fn put_seen(tx: &mut Fenced, seen: &SeenPage) -> Result<(), Error> {
    let numbers = sqlx::types::Json(&seen.numbers);
    sqlx::query(
        "INSERT INTO sync_etags (url, token_identity, etag, next_url, numbers, stored_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (url, token_identity) DO UPDATE SET etag = excluded.etag, \
         next_url = excluded.next_url, numbers = excluded.numbers, \
         stored_at = excluded.stored_at",
    )
    .bind(&seen.url)
    .bind(&seen.identity)
    .bind(&seen.etag)
    .bind(&seen.next_url)
    .bind(numbers)
    .bind(micros(Clock::default().now()))
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Takes note of where the pass may go on.
async fn reach(
    tx: &mut Fenced,
    page: &PageWrite,
    resume: &Resume,
    changed: bool,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sync_cursors \
         (repository_id, resource, pass, next_url, next_at, began_at, changed) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT (repository_id, resource) DO UPDATE SET pass = excluded.pass, \
         next_url = excluded.next_url, next_at = excluded.next_at, \
         began_at = excluded.began_at, changed = excluded.changed",
    )
    .bind(page.repository_id)
    .bind(page.resource)
    .bind(&resume.pass)
    .bind(&resume.next_url)
    .bind(micros(resume.at))
    .bind(micros(resume.began_at))
    .bind(resume.changed || changed)
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Marks the pass as complete. The cursor moves only when the pass has changed a row, so that an
/// unchanged list keeps its URL and with it its ETag.
async fn complete(
    tx: &mut Fenced,
    page: &PageWrite,
    completion: &Completion,
    changed: bool,
) -> Result<(), Error> {
    let cursor = completion.cursor.filter(|_| completion.changed || changed).map(micros);
    // A cursor of another GitHub is none.
    sqlx::query(
        "INSERT INTO sync_cursors (repository_id, resource, since, complete_at, source, horizon) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (repository_id, resource) DO UPDATE SET \
         since = coalesce(excluded.since, CASE WHEN coalesce(source, ?5) = ?5 THEN since END), \
         pass = NULL, next_url = NULL, next_at = NULL, began_at = NULL, changed = NULL, \
         complete_at = excluded.complete_at, source = excluded.source, \
         horizon = excluded.horizon",
    )
    .bind(page.repository_id)
    .bind(page.resource)
    .bind(cursor)
    .bind(micros(page.at))
    .bind(&completion.source)
    .bind(completion.horizon.map(micros))
    .execute(&mut ***tx)
    .await
    .map_err(failed)?;
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

pub(super) async fn cursor(
    pool: &SqlitePool,
    repository_id: i64,
    resource: &str,
    source: &str,
) -> Result<Cursor, Error> {
    let row: Option<CursorRow> = sqlx::query_as(
        "SELECT since, horizon, source, pass, next_url, next_at, began_at, changed FROM sync_cursors \
         WHERE repository_id = ?1 AND resource = ?2",
    )
    .bind(repository_id)
    .bind(resource)
    .fetch_optional(pool)
    .await
    .map_err(|source| Error::of("read a cursor", source))?;
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

pub(super) async fn labels(
    pool: &SqlitePool,
    repository_id: i64,
    numbers: &[i64],
) -> Result<Vec<(i64, Vec<String>)>, Error> {
    let rows: Vec<(i64, sqlx::types::Json<Vec<String>>)> = sqlx::query_as(
        "SELECT number, labels FROM issues WHERE repository_id = ?1 \
         AND number IN (SELECT value FROM json_each(?2))",
    )
    .bind(repository_id)
    .bind(sqlx::types::Json(numbers))
    .fetch_all(pool)
    .await
    .map_err(|source| Error::of("read labels", source))?;
    Ok(rows.into_iter().map(|(number, labels)| (number, labels.0)).collect())
}

pub(super) async fn seen(
    pool: &SqlitePool,
    url: &str,
    identity: &str,
) -> Result<Option<SeenPage>, Error> {
    type Row = (String, Option<String>, Option<sqlx::types::Json<Vec<i64>>>);
    let row: Option<Row> = sqlx::query_as(
        "SELECT etag, next_url, numbers FROM sync_etags WHERE url = ?1 AND token_identity = ?2",
    )
    .bind(url)
    .bind(identity)
    .fetch_optional(pool)
    .await
    .map_err(|source| Error::of("read an ETag", source))?;
    Ok(row.map(|(etag, next_url, numbers)| SeenPage {
        url: url.to_owned(),
        identity: identity.to_owned(),
        etag,
        next_url,
        numbers: numbers.map(|numbers| numbers.0).unwrap_or_default(),
    }))
}

fn failed(source: sqlx::Error) -> Error {
    Error::of(WRITE, source)
}
