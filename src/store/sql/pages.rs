//! Pages of lists: rows, items set aside, ETag and cursor, in one transaction.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::fenced::Fenced;
use super::{Tables, cursors};
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::columns::by_table;
use crate::store::{Counts, Error, PageWrite, Reached, Row, SeenPage, SetAside};

/// The longest URL that an index of either database holds for sure.
const LONGEST_URL: usize = 2000;

pub(super) async fn put(
    tables: &Tables,
    tenure: &Tenure,
    page: &PageWrite,
) -> Result<Counts, Error> {
    let mut tx = Fenced::begin(tables, tenure, "write a page").await?;
    if tx.is_dry() {
        stand_in_for_repository(&mut tx, page).await?;
    }
    free_ids(&mut tx, page).await?;
    let mut counts = Counts::default();
    for (table, rows) in by_table(&page.rows) {
        counts += tx.upsert(table, &rows, tenure).await?;
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
    let changed = counts.changed();
    match &page.reached {
        Reached::Nothing => {}
        Reached::Page(resume) => cursors::reach(&mut tx, page, resume, changed).await?,
        Reached::End(completion) => cursors::complete(&mut tx, page, completion, changed).await?,
    }
    tx.commit_data().await?;
    Ok(counts)
}

/// A dry run has not written the repository's row, on which the others stand.
async fn stand_in_for_repository(tx: &mut Fenced, page: &PageWrite) -> Result<(), Error> {
    if page.repository_id.is_none() {
        return Ok(());
    }
    tx.query(
        "INSERT INTO repositories (id, owner, name, full_name, tracked, stored_at, stored_by) \
         VALUES ($1, '', '', '', false, $2, 0) ON CONFLICT (id) DO NOTHING",
    )
    .bind(page.repository_id)
    .bind_seconds(page.at)
    .execute()
    .await?;
    Ok(())
}

/// Takes note of the newest commit; what is so already is not written.
async fn put_head(
    tx: &mut Fenced,
    tenure: &Tenure,
    page: &PageWrite,
    sha: Option<&str>,
) -> Result<(), Error> {
    tx.query(
        "UPDATE repositories SET latest_commit_sha = $2, stored_at = $3, stored_by = $4 \
         WHERE id = $1 AND latest_commit_sha IS DISTINCT FROM $2",
    )
    .bind(page.repository_id)
    .bind(sha)
    .bind_seconds(page.at)
    .bind(tenure.number().0)
    .execute()
    .await?;
    Ok(())
}

/// An issue that has come from another repository with the id that it had there: its old row keeps
/// everything but the id.
async fn free_ids(tx: &mut Fenced, page: &PageWrite) -> Result<(), Error> {
    let ids: Vec<i64> = page.issues().filter_map(|issue| issue.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE issues SET id = NULL WHERE repository_id <> $1 AND id IN {}",
        tx.words().list(2)
    );
    tx.query(AssertSqlSafe(sql)).bind(page.repository_id).bind_list(&ids).execute().await?;
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
    let sql = format!(
        "DELETE FROM sync_quarantine WHERE repository_id IS NOT DISTINCT FROM $1 \
         AND resource = $2 AND item_key IN {}",
        tx.words().list(3)
    );
    tx.query(AssertSqlSafe(sql))
        .bind(page.repository_id)
        .bind(kind(page.resource))
        .bind_list(&keys)
        .execute()
        .await?;
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
    let raw = storable(&item.raw)?;
    tx.query(
        "INSERT INTO sync_quarantine \
         (id, run_number, repository_id, resource, item_key, error, raw, first_seen_at, \
          last_seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) \
         ON CONFLICT (id) DO UPDATE SET run_number = excluded.run_number, \
         error = excluded.error, raw = excluded.raw, last_seen_at = excluded.last_seen_at",
    )
    .bind(id)
    .bind(tenure.number().0)
    .bind(page.repository_id)
    .bind(kind)
    .bind(&item.item_key)
    .bind(&item.error)
    .bind(Json(&raw))
    .bind_micros(page.at)
    .execute()
    .await?;
    Ok(())
}

/// The item as JSON that both databases keep. What one of them does not is kept as a text: what is
/// nested deep, and what holds U+0000.
fn storable(raw: &str) -> Result<Box<RawValue>, Error> {
    let fits = !raw.contains("\\u0000") && serde_json::from_str::<Value>(raw).is_ok();
    let stored = match fits {
        true => RawValue::from_string(raw.to_owned()),
        false => to_raw_value(&raw.replace('\0', "")),
    };
    stored.map_err(|source| Error::of("set an item aside", sqlx::Error::Encode(source.into())))
}

/// A page whose URL is too long is not remembered, and is just read again.
pub(super) async fn put_seen(tx: &mut Fenced, seen: &SeenPage) -> Result<(), Error> {
    if seen.url.len() > LONGEST_URL {
        return Ok(());
    }
    tx.query(
        "INSERT INTO sync_etags (url, token_identity, etag, next_url, numbers, stored_at) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (url, token_identity) DO UPDATE SET etag = excluded.etag, \
         next_url = excluded.next_url, numbers = excluded.numbers, \
         stored_at = excluded.stored_at",
    )
    .bind(&seen.url)
    .bind(&seen.identity)
    .bind(&seen.etag)
    .bind(&seen.next_url)
    .bind(Json(&seen.numbers))
    .bind_micros(Clock::default().now())
    .execute()
    .await?;
    Ok(())
}

pub(super) async fn seen(
    tables: &Tables,
    url: &str,
    identity: &str,
) -> Result<Option<SeenPage>, Error> {
    type Found = (String, Option<String>, Option<Json<Vec<i64>>>);
    let mut tx = tables.read("read an ETag").await?;
    let found: Option<Found> = tx
        .query(
            "SELECT etag, next_url, numbers FROM sync_etags \
             WHERE url = $1 AND token_identity = $2",
        )
        .bind(url)
        .bind(identity)
        .optional()
        .await?;
    tx.close().await;
    Ok(found.map(|(etag, next_url, numbers)| SeenPage {
        url: url.to_owned(),
        identity: identity.to_owned(),
        etag,
        next_url,
        numbers: numbers.map(|numbers| numbers.0).unwrap_or_default(),
    }))
}

pub(super) async fn labels(
    tables: &Tables,
    repository_id: i64,
    numbers: &[i64],
) -> Result<Vec<(i64, Vec<String>)>, Error> {
    let mut tx = tables.read("read labels").await?;
    let sql = format!(
        "SELECT number, labels FROM issues WHERE repository_id = $1 AND number IN {} \
         ORDER BY number",
        tx.words().list(2)
    );
    let query = tx.query(AssertSqlSafe(sql)).bind(repository_id).bind_list(numbers);
    let rows: Vec<(i64, Json<Vec<String>>)> = query.all().await?;
    tx.close().await;
    Ok(rows.into_iter().map(|(number, labels)| (number, labels.0)).collect())
}
