//! Pages of lists: rows, items set aside, ETag and cursor, in one transaction.

use sqlx::{Sqlite as Db, SqlitePool, Transaction};

use super::{Sqlite, micros, upsert};
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::table::{ISSUES, PULLS_FROM_ISSUES};
use crate::store::{Completion, Counts, Error, PageWrite, SeenPage, SetAside};

const WRITE: &str = "write a page";

pub(super) async fn put(
    store: &Sqlite,
    tenure: &Tenure,
    page: &PageWrite,
) -> Result<Counts, Error> {
    let mut tx = store.begin_fenced(tenure, WRITE).await?;
    let mut counts = upsert(&mut tx, &ISSUES, &page.issues, tenure, WRITE).await?;
    counts += upsert(&mut tx, &PULLS_FROM_ISSUES, &page.pulls, tenure, WRITE).await?;
    for item in &page.set_aside {
        put_aside(&mut tx, tenure, page, item).await?;
        counts.quarantined += 1;
    }
    if let Some(seen) = &page.seen {
        put_seen(&mut tx, seen).await?;
    }
    if let Some(completion) = &page.completes {
        complete(&mut tx, page, *completion, counts.changed()).await?;
    }
    tx.commit().await.map_err(failed)?;
    Ok(counts)
}

async fn put_aside(
    tx: &mut Transaction<'static, Db>,
    tenure: &Tenure,
    page: &PageWrite,
    item: &SetAside,
) -> Result<(), Error> {
    let key = item.item_key.as_deref().unwrap_or(&item.raw);
    let id = crate::store::fingerprint(&[page.resource, &page.repository_id.to_string(), key]);
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
    .bind(page.resource)
    .bind(&item.item_key)
    .bind(&item.error)
    .bind(&item.raw)
    .bind(micros(page.at))
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    Ok(())
}

pub(super) async fn put_seen(
    tx: &mut Transaction<'static, Db>,
    seen: &SeenPage,
) -> Result<(), Error> {
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
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Marks the pass as complete. The cursor moves only when the pass has changed a row, so that an
/// unchanged list keeps its URL and with it its ETag.
async fn complete(
    tx: &mut Transaction<'static, Db>,
    page: &PageWrite,
    completion: Completion,
    changed: bool,
) -> Result<(), Error> {
    let cursor = completion.cursor.filter(|_| completion.changed || changed).map(micros);
    sqlx::query(
        "INSERT INTO sync_cursors (repository_id, resource, since, complete_at) \
         VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (repository_id, resource) DO UPDATE SET \
         since = coalesce(excluded.since, since), next_url = NULL, next_at = NULL, \
         complete_at = excluded.complete_at",
    )
    .bind(page.repository_id)
    .bind(page.resource)
    .bind(cursor)
    .bind(micros(page.at))
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    Ok(())
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
