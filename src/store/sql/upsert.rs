//! Writes a set of rows, and says exactly what has become of them.

use sqlx::AssertSqlSafe;

use super::{On, Transaction};
use crate::lease::Tenure;
use crate::process::clock::Clock;
use crate::store::table::Table;
use crate::store::{Counts, Error};

impl Transaction {
    /// Writes `rows` in one statement. Those that are the same already are not touched.
    pub(super) async fn upsert<R: serde::Serialize>(
        &mut self,
        table: &Table,
        rows: &[R],
        tenure: &Tenure,
    ) -> Result<Counts, Error> {
        if rows.is_empty() {
            return Ok(Counts::default());
        }
        let json = serde_json::to_string(rows).map_err(|source| {
            Error::of("write rows as JSON", sqlx::Error::Encode(source.into()))
        })?;
        let all = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let (created, written) = match self.on() {
            On::Sqlite(_) => self.upsert_on_sqlite(table, &json, all, tenure).await?,
            On::Postgres(_) => self.upsert_on_postgres(table, &json, tenure).await?,
        };
        Ok(Counts {
            created,
            updated: written - created,
            unchanged: all - written,
            ..Counts::default()
        })
    }

    /// How many rows are new, and how many were written. Nobody else writes meanwhile.
    async fn upsert_on_sqlite(
        &mut self,
        table: &Table,
        json: &str,
        all: i64,
        tenure: &Tenure,
    ) -> Result<(i64, i64), Error> {
        let count = AssertSqlSafe(table.count_existing());
        let (existing,): (i64,) = self.query(count).bind(json).one().await?;
        let written = self
            .query(AssertSqlSafe(table.upsert_on_sqlite()))
            .bind(json)
            .bind_seconds(Clock::default().now())
            .bind(tenure.number().0)
            .execute()
            .await?;
        Ok((all - existing, written))
    }

    /// The same; others may write meanwhile, so that only the statement itself can tell.
    async fn upsert_on_postgres(
        &mut self,
        table: &Table,
        json: &str,
        tenure: &Tenure,
    ) -> Result<(i64, i64), Error> {
        self.query(AssertSqlSafe(table.upsert_on_postgres()))
            .bind(json)
            .bind_seconds(Clock::default().now())
            .bind(tenure.number().0)
            .one()
            .await
    }
}
