//! A transaction on one of the databases, and a statement in it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, Encode, FromRow, Postgres, SqlSafeStr, SqlStr, Sqlite, Type};

use super::words::{POSTGRES, SQLITE, Words};
use crate::api::Micros;
use crate::store::Error;
use crate::store::row::to_seconds;

/// After so long, an answer of a server is not coming any more: it breaks off what takes longer than
/// its `statement_timeout`, which is shorter.
const ANSWERS_WITHIN: Duration = Duration::from_secs(40);

/// A transaction; dropped without an end it is rolled back.
pub(in crate::store) struct Transaction {
    on: On,
    doing: &'static str,
}

/// The database that it is on.
pub(in crate::store) enum On {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// A transaction that has begun, with what it is for.
    pub(in crate::store) fn new(on: On, doing: &'static str) -> Self {
        Self { on, doing }
    }

    pub(in crate::store) fn on(&mut self) -> &mut On {
        &mut self.on
    }

    /// The words of this database.
    pub(in crate::store) fn words(&self) -> &'static Words {
        match self.on {
            On::Sqlite(_) => &SQLITE,
            On::Postgres(_) => &POSTGRES,
        }
    }

    /// A statement, whose parameters are `$1`, `$2` and so on.
    pub(in crate::store) fn query(&mut self, sql: impl SqlSafeStr) -> Query<'_> {
        let values = match &mut self.on {
            On::Sqlite(tx) => Values::Sqlite(tx, SqliteArguments::default()),
            On::Postgres(tx) => Values::Postgres(tx, PgArguments::default()),
        };
        Query { sql: sql.into_sql_str(), values, bad: None, doing: self.doing }
    }

    pub(in crate::store) async fn commit(self) -> Result<(), Error> {
        let committed = match self.on {
            On::Sqlite(tx) => tx.commit().await,
            On::Postgres(tx) => answered(tx.commit()).await,
        };
        committed.map_err(|source| Error::of(self.doing, source))
    }

    pub(in crate::store) async fn rollback(self) -> Result<(), Error> {
        let ended = match self.on {
            On::Sqlite(tx) => tx.rollback().await,
            On::Postgres(tx) => answered(tx.rollback()).await,
        };
        ended.map_err(|source| Error::of(self.doing, source))
    }

    /// Ends a transaction that has only read. What was read counts, and not how that ends.
    pub(in crate::store) async fn close(self) {
        let _ = self.rollback().await;
    }
}

/// The answer of a server, if it comes: one that is gone says nothing, and so does a network.
pub(in crate::store) async fn answered<T>(
    asked: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    let late = |_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
    tokio::time::timeout(ANSWERS_WITHIN, asked).await.unwrap_or_else(late)
}

/// A statement that is being put together.
pub(in crate::store) struct Query<'t> {
    sql: SqlStr,
    values: Values<'t>,
    bad: Option<sqlx::error::BoxDynError>,
    doing: &'static str,
}

enum Values<'t> {
    Sqlite(&'t mut SqliteConnection, SqliteArguments),
    Postgres(&'t mut PgConnection, PgArguments),
}

/// A value that both databases store.
pub(in crate::store) trait Value<'v>:
    Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres>
{
}

impl<'v, T> Value<'v> for T where
    T: Encode<'v, Sqlite> + Type<Sqlite> + Encode<'v, Postgres> + Type<Postgres>
{
}

/// A row, or a tuple, that both databases give.
pub(in crate::store) trait Found:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Found for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// An item of a list that is bound as one value.
pub(in crate::store) trait Item:
    serde::Serialize + sqlx::postgres::PgHasArrayType
{
}

impl Item for i64 {}
impl Item for String {}

impl<'t> Query<'t> {
    pub(in crate::store) fn bind<'v, T: Value<'v>>(mut self, value: T) -> Self {
        let added = match &mut self.values {
            Values::Sqlite(_, values) => values.add(value),
            Values::Postgres(_, values) => values.add(value),
        };
        self.bad = self.bad.take().or(added.err());
        self
    }

    /// A list, for [`Words::list`].
    pub(in crate::store) fn bind_list<'v, T>(mut self, list: &'v [T]) -> Self
    where
        T: Item,
        &'v [T]: Encode<'v, Postgres> + Type<Postgres>,
    {
        let added = match &mut self.values {
            Values::Sqlite(_, values) => values.add(sqlx::types::Json(list)),
            Values::Postgres(_, values) => values.add(list),
        };
        self.bad = self.bad.take().or(added.err());
        self
    }

    /// A time of a `sync_*` table. SQLite keeps it in a form of fixed width.
    pub(in crate::store) fn bind_micros(self, at: impl Into<Option<DateTime<Utc>>>) -> Self {
        let at = at.into();
        self.bind_time(at, |at| Micros::from(at).to_string())
    }

    /// A time of a data table, in whole seconds.
    pub(in crate::store) fn bind_seconds(self, at: impl Into<Option<DateTime<Utc>>>) -> Self {
        let at: Option<DateTime<Utc>> = at.into();
        let whole = at.and_then(|at| DateTime::from_timestamp(at.timestamp(), 0));
        self.bind_time(whole, to_seconds)
    }

    fn bind_time(
        mut self,
        at: Option<DateTime<Utc>>,
        text: impl Fn(DateTime<Utc>) -> String,
    ) -> Self {
        let added = match &mut self.values {
            Values::Sqlite(_, values) => values.add(at.map(text)),
            Values::Postgres(_, values) => values.add(at),
        };
        self.bad = self.bad.take().or(added.err());
        self
    }

    /// How many rows it has touched.
    pub(in crate::store) async fn execute(self) -> Result<i64, Error> {
        let doing = self.doing;
        let touched = match self.checked()? {
            (sql, Values::Sqlite(connection, values)) => {
                let done = sqlx::query_with(sql, values).execute(connection).await;
                done.map(|done| done.rows_affected())
            }
            // A pooler between us and the database may not keep prepared statements.
            (sql, Values::Postgres(connection, values)) => {
                let query = sqlx::query_with(sql, values).persistent(false);
                answered(query.execute(connection)).await.map(|done| done.rows_affected())
            }
        };
        let touched = touched.map_err(|source| Error::of(doing, source))?;
        Ok(i64::try_from(touched).unwrap_or(i64::MAX))
    }

    pub(in crate::store) async fn all<T: Found>(self) -> Result<Vec<T>, Error> {
        let doing = self.doing;
        let found = match self.checked()? {
            (sql, Values::Sqlite(connection, values)) => {
                sqlx::query_as_with(sql, values).fetch_all(connection).await
            }
            (sql, Values::Postgres(connection, values)) => {
                let query = sqlx::query_as_with(sql, values).persistent(false);
                answered(query.fetch_all(connection)).await
            }
        };
        found.map_err(|source| Error::of(doing, source))
    }

    /// The first row, if there is any.
    pub(in crate::store) async fn optional<T: Found>(self) -> Result<Option<T>, Error> {
        Ok(self.all().await?.into_iter().next())
    }

    pub(in crate::store) async fn one<T: Found>(self) -> Result<T, Error> {
        let doing = self.doing;
        let found = self.optional().await?;
        found.ok_or_else(|| Error::of(doing, sqlx::Error::RowNotFound))
    }

    fn checked(self) -> Result<(SqlStr, Values<'t>), Error> {
        match self.bad {
            None => Ok((self.sql, self.values)),
            Some(bad) => Err(Error::of(self.doing, sqlx::Error::Encode(bad))),
        }
    }
}
