//! Whose database it is: claimed once, and handed over only by hand.

use std::sync::PoisonError;

use sqlx::AssertSqlSafe;

use super::{Tables, Transaction, schema};
use crate::store::Error;

/// Brings the tables up to date and claims them, if they are nobody's or `owner`'s.
pub(super) async fn prepare(tables: &Tables, owner: &str) -> Result<(), Error> {
    // Before anything is changed: the tables of another operator are not ours to bring up to date.
    // Where they cannot be read there are none.
    if let Ok(Some(found)) = found(tables).await
        && found != owner
    {
        return Err(Error::InUse { owner: found });
    }
    let mut tx = up_to_date(tables, "claim the store").await?;
    match read(&mut tx).await? {
        Some(found) if found == owner => tx.commit().await?,
        Some(owner) => return Err(Error::InUse { owner }),
        None => replace(tx, owner).await?,
    }
    belongs_to(tables, owner);
    Ok(())
}

/// Brings the tables up to date, and begins the transaction in which their owner is settled.
async fn up_to_date(tables: &Tables, doing: &'static str) -> Result<Transaction, Error> {
    schema::check(tables).await?;
    tables.migrate().await?;
    let mut tx = tables.write_or_yield(doing).await?;
    hold(&mut tx).await?;
    schema::note(&mut tx, tables.newest_version()).await?;
    Ok(tx)
}

/// Makes `owner` the owner, and gives the one before.
pub(super) async fn adopt(tables: &Tables, owner: &str) -> Result<Option<String>, Error> {
    let mut tx = up_to_date(tables, "hand over the store").await?;
    let before = read(&mut tx).await?;
    replace(tx, owner).await?;
    belongs_to(tables, owner);
    Ok(before)
}

/// Whose it is, as far as that can be read.
pub(super) async fn found(tables: &Tables) -> Result<Option<String>, Error> {
    let mut tx = tables.read("look whose the store is").await?;
    let found = read(&mut tx).await?;
    tx.close().await;
    Ok(found)
}

/// A store that was handed over since it was prepared is not ours any more.
pub(super) async fn check(tables: &Tables, tx: &mut Transaction) -> Result<(), Error> {
    let ours = tables.owner.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(ours) = ours else { return Ok(()) };
    match read(tx).await? {
        Some(found) if found == ours => Ok(()),
        found => Err(Error::InUse { owner: found.unwrap_or_default() }),
    }
}

/// Waits for whoever activates a run, hands the store over or writes under the fence, and lets none
/// of them begin before this transaction ends.
pub(super) async fn hold(tx: &mut Transaction) -> Result<i64, Error> {
    let for_update = tx.words().for_update;
    let sql = format!("SELECT active FROM sync_fence {for_update}");
    tx.query(AssertSqlSafe(sql)).one().await.map(|(active,)| active)
}

async fn read(tx: &mut Transaction) -> Result<Option<String>, Error> {
    let found: Option<(String,)> = tx.query("SELECT owner FROM sync_store").optional().await?;
    Ok(found.map(|(owner,)| owner))
}

async fn replace(mut tx: Transaction, owner: &str) -> Result<(), Error> {
    tx.query("DELETE FROM sync_store").execute().await?;
    tx.query("INSERT INTO sync_store (owner) VALUES ($1)").bind(owner).execute().await?;
    tx.commit().await
}

/// Takes note of whose it is.
fn belongs_to(tables: &Tables, owner: &str) {
    let mut known = tables.owner.lock().unwrap_or_else(PoisonError::into_inner);
    *known = Some(owner.to_owned());
}
