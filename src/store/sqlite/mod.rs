//! SQLite: one file, one writer at a time, readers beside it (WAL).

mod care;

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection, Sqlite as Db, Transaction};

use super::sql::{Backed, Engine, Tables};
use super::{Answer, Error, Inspection};

static MIGRATIONS: Migrator = {
    let mut migrator = sqlx::migrate!("src/store/sqlite/migrations");
    // A newer operator may have been here: its tables are a superset of ours.
    migrator.ignore_missing = true;
    migrator
};

/// The newest of the migrations.
pub(super) fn newest_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// A store in one SQLite file.
#[derive(Clone)]
pub struct Sqlite {
    pools: Pools,
    tables: Tables,
}

/// The connections to a file.
#[derive(Clone)]
pub(super) struct Pools {
    /// One connection, so that this process' own writers wait in line and not for the file.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    /// A store in the file at `path`. The file is opened, and created, by the first call.
    pub fn at(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A run that is told to have ended must still have ended after a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30));
        let pool = |connections| {
            usable(SqlitePoolOptions::new())
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(60))
                .connect_lazy_with(options.clone())
        };
        Self::with(Pools { writer: pool(1), readers: pool(4) })
    }

    /// The store in the file at `path`, for questions only.
    pub fn read_only(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(30))
            .pragma("query_only", "ON");
        let pool = || usable(SqlitePoolOptions::new()).connect_lazy_with(options.clone());
        Self::with(Pools { writer: pool(), readers: pool() })
    }

    fn with(pools: Pools) -> Self {
        Self { tables: Tables::of(Engine::Sqlite(pools.clone())), pools }
    }

    /// Answers a question in SQL: the names of the columns, and the rows as texts.
    pub async fn query(&self, sql: &str) -> Result<(Vec<String>, Vec<Vec<String>>), Error> {
        self.ask(sql).await.map(Answer::into_texts)
    }

    /// Says what the file is, and changes nothing.
    ///
    /// # Errors
    ///
    /// Also when the file has no tables of ours.
    pub async fn inspect(&self) -> Result<Inspection, Error> {
        self.tables.inspect().await
    }

    /// Closes the file. Calls that come later fail.
    pub async fn close(&self) {
        self.tables.close().await;
    }
}

/// Keeps a connection only when its transaction has ended. After some faults of the disk SQLite rolls
/// back by itself; sqlx does not hear of it, and would begin no other one.
fn usable(options: SqlitePoolOptions) -> SqlitePoolOptions {
    options.after_release(|connection, _| {
        Box::pin(async move {
            // What is on its way to be rolled back is done before the answer to this.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}

impl Backed for Sqlite {
    fn tables(&self) -> &Tables {
        &self.tables
    }
}

impl Pools {
    pub(super) async fn read(
        &self,
        doing: &'static str,
    ) -> Result<Transaction<'static, Db>, Error> {
        self.readers.begin().await.map_err(|source| Error::of(doing, source))
    }

    /// A transaction that may write. It waits for the writer before it, at most 30 seconds.
    pub(super) async fn write(
        &self,
        doing: &'static str,
    ) -> Result<Transaction<'static, Db>, Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|source| Error::of(doing, source))
    }

    pub(super) async fn migrate(&self) -> Result<(), Error> {
        MIGRATIONS.run(&self.writer).await.map_err(|source| Error::Migrate { source })
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
