//! Brings the tables up to date, in one transaction, while others that want the same wait.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgConnection};

use super::connections::READ_COMMITTED;
use super::{Connections, newest_version, roles};
use crate::store::error::code;
use crate::store::{Error, comments};

pub(super) static MIGRATIONS: Migrator = {
    let mut migrator = sqlx::migrate!("src/store/postgres/migrations");
    // A newer operator may have been here: its tables are a superset of ours.
    migrator.ignore_missing = true;
    // Its advisory lock belongs to a session, which a pooler does not keep: we lock a table.
    migrator.locking = false;
    migrator
};

/// How often it is tried when another operator creates the same things at the same time.
const TRIES: u32 = 20;

const DOING: &str = "bring the tables up to date";

impl Connections {
    /// Creates the schema and brings its tables up to date. Several operators may do so at once.
    pub(in crate::store) async fn migrate(&self) -> Result<(), Error> {
        for tried in 1..TRIES {
            match self.migrate_once().await {
                Err(error) if was_first_done_by_another(&error) => {
                    tokio::time::sleep(Duration::from_millis(20) * tried).await;
                }
                done => return done,
            }
        }
        self.migrate_once().await
    }

    async fn migrate_once(&self) -> Result<(), Error> {
        let failed = |source| self.failed(DOING, source);
        // The migrator prepares statements under names that another client of a pooler may have
        // left behind on the same connection.
        let mut tx = self.begin(DOING, READ_COMMITTED, "10min", "; DEALLOCATE ALL").await?;
        let schema = &self.address().schema;
        lock(&mut tx, schema).await.map_err(failed)?;
        let migrated = MIGRATIONS.run_direct(None, &mut *tx, false).await;
        migrated.map_err(|source| match source {
            MigrateError::Execute(source) => failed(source),
            source => Error::Migrate { source },
        })?;
        describe(&mut tx).await.map_err(failed)?;
        roles::let_read(&mut tx, self.address(), DOING).await?;
        sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *tx).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }
}

/// Tells the database what its tables, views and columns are for. What a newer operator has told
/// stays.
async fn describe(connection: &mut PgConnection) -> sqlx::Result<()> {
    let (version,): (i64,) = sqlx::query_as("SELECT max(version) FROM _sqlx_migrations")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    if version <= newest_version() {
        let sql = comments().join("; ");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Creates the schema, or waits for others that bring its tables up to date.
async fn lock(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    let (has_schema, has_tables): (bool, bool) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1), \
         EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = '_sqlx_migrations')",
    )
    .persistent(false)
    .bind(schema)
    .fetch_one(&mut *connection)
    .await?;
    if !has_schema {
        let sql = format!("CREATE SCHEMA \"{schema}\"");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    if has_tables {
        let sql = "LOCK TABLE _sqlx_migrations IN SHARE ROW EXCLUSIVE MODE";
        sqlx::raw_sql(sql).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Whether another one has created the same thing since this one has looked.
fn was_first_done_by_another(error: &Error) -> bool {
    let source = match error {
        Error::Unavailable { source, .. } | Error::Refused { source, .. } => source,
        Error::Migrate { source: MigrateError::ExecuteMigration(source, _) } => source,
        _ => return false,
    };
    // Unique violations of the catalog, and tables and schemas that exist already.
    let code = code(source);
    matches!(code.as_deref(), Some("23505" | "42P06" | "42P07" | "40001" | "40P01"))
}
