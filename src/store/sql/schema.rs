//! Which operators may use the tables: the oldest that may write is noted beside them.

use sqlx::FromRow;

use super::{Tables, Transaction};
use crate::process::clock::Clock;
use crate::store::Error;

/// The oldest migrations that an operator must know to read and to write what this one makes of the
/// tables. They rise when a migration takes away or retypes what older operators use.
const MIN_READER: i64 = 1;
const MIN_WRITER: i64 = 1;

/// The row of `schema_info`.
#[derive(FromRow, Clone, Debug, PartialEq, Eq)]
struct Noted {
    version: i64,
    min_reader: i64,
    min_writer: i64,
    operator_version: String,
}

/// Whether this operator may write what is there; where nothing can be read there is nothing.
pub(super) async fn check(tables: &Tables) -> Result<(), Error> {
    let Ok(mut tx) = tables.read("look at the version of the tables").await else { return Ok(()) };
    let noted = read(&mut tx).await;
    tx.close().await;
    match noted {
        Ok(Some(noted)) => may_write(tables.newest_version(), &noted),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Whether this operator may still write: a newer one may have come while this one runs.
pub(super) async fn check_again(tables: &Tables, tx: &mut Transaction) -> Result<(), Error> {
    let noted = read(tx).await?;
    noted.map_or(Ok(()), |noted| may_write(tables.newest_version(), &noted))
}

/// Notes what the tables have become. What a newer operator has noted stays.
pub(super) async fn note(tx: &mut Transaction, version: i64) -> Result<(), Error> {
    let now = Noted {
        version,
        min_reader: MIN_READER,
        min_writer: MIN_WRITER,
        operator_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    if let Some(noted) = read(tx).await? {
        may_write(version, &noted)?;
        let same = (noted.version, noted.min_reader, noted.min_writer)
            == (version, MIN_READER, MIN_WRITER);
        if noted.version > version || same {
            return Ok(());
        }
    }
    tx.query("DELETE FROM schema_info").execute().await?;
    tx.query(
        "INSERT INTO schema_info (version, min_reader, min_writer, migrated_at, operator_version) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(now.version)
    .bind(now.min_reader)
    .bind(now.min_writer)
    .bind_seconds(Clock::default().now())
    .bind(&now.operator_version)
    .execute()
    .await?;
    Ok(())
}

async fn read(tx: &mut Transaction) -> Result<Option<Noted>, Error> {
    tx.query("SELECT version, min_reader, min_writer, operator_version FROM schema_info")
        .optional()
        .await
}

fn may_write(known: i64, noted: &Noted) -> Result<(), Error> {
    match known < noted.min_writer {
        false => Ok(()),
        true => Err(Error::Outdated {
            known,
            needed: noted.min_writer,
            operator: noted.operator_version.clone(),
        }),
    }
}
