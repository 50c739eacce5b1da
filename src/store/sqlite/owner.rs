//! Whose database it is: claimed once, and handed over only by hand.

use std::sync::PoisonError;

use sqlx::{Sqlite as Db, Transaction};

use super::{MIGRATIONS, Sqlite};
use crate::store::Error;

/// Brings the tables up to date and claims them, if they are nobody's or `owner`'s.
pub(super) async fn prepare(store: &Sqlite, owner: &str) -> Result<(), Error> {
    // Before anything is changed: the tables of another operator are not ours to bring up to date.
    // Where they cannot be read there are none.
    let found = sqlx::query_scalar("SELECT owner FROM sync_store").fetch_optional(&store.readers);
    if let Ok(Some::<String>(found)) = found.await
        && found != owner
    {
        return Err(Error::InUse { owner: found });
    }
    MIGRATIONS.run(&store.writer).await.map_err(|source| Error::Migrate { source })?;
    let doing = "claim the store";
    let mut tx = store.begin(doing).await?;
    match read(&mut tx, doing).await? {
        Some(found) if found == owner => {}
        Some(owner) => return Err(Error::InUse { owner }),
        None => replace(tx, owner, doing).await?,
    }
    belongs_to(store, owner);
    Ok(())
}

/// Makes `owner` the owner, and gives the one before.
pub(super) async fn adopt(store: &Sqlite, owner: &str) -> Result<Option<String>, Error> {
    MIGRATIONS.run(&store.writer).await.map_err(|source| Error::Migrate { source })?;
    let doing = "hand over the store";
    let mut tx = store.begin(doing).await?;
    let before = read(&mut tx, doing).await?;
    replace(tx, owner, doing).await?;
    belongs_to(store, owner);
    Ok(before)
}

/// A store that was handed over since it was prepared is not ours any more.
pub(super) async fn check(
    store: &Sqlite,
    tx: &mut Transaction<'static, Db>,
    doing: &'static str,
) -> Result<(), Error> {
    let ours = store.owner.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(ours) = ours else { return Ok(()) };
    match read(tx, doing).await? {
        Some(found) if found == ours => Ok(()),
        found => Err(Error::InUse { owner: found.unwrap_or_default() }),
    }
}

async fn read(
    tx: &mut Transaction<'static, Db>,
    doing: &'static str,
) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT owner FROM sync_store")
        .fetch_optional(&mut **tx)
        .await
        .map_err(|source| Error::of(doing, source))
}

async fn replace(
    mut tx: Transaction<'static, Db>,
    owner: &str,
    doing: &'static str,
) -> Result<(), Error> {
    let failed = |source| Error::of(doing, source);
    sqlx::query("DELETE FROM sync_store").execute(&mut *tx).await.map_err(failed)?;
    sqlx::query("INSERT INTO sync_store (owner) VALUES (?1)")
        .bind(owner)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    tx.commit().await.map_err(failed)
}

/// Takes note of whose it is.
fn belongs_to(store: &Sqlite, owner: &str) {
    let mut known = store.owner.lock().unwrap_or_else(PoisonError::into_inner);
    *known = Some(owner.to_owned());
}
