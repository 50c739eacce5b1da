//! Where the operators of a test keep their data, in either kind of database.

use std::path::{Path, PathBuf};

use singletrack::store::{Database, RunRecord, Sqlite, Store};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;

use super::{Command, PgDatabase, Starter, database};

/// A database, and a folder for it and for the logs.
pub(crate) struct Home {
    folder: TempDir,
    database: Option<PgDatabase>,
}

impl Home {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), database: None }
    }

    pub(crate) async fn postgres() -> Self {
        Self { database: Some(database().await), ..Self::sqlite() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database, if it is one on a server.
    pub(crate) fn on_server(&self) -> Option<&PgDatabase> {
        self.database.as_ref()
    }

    fn file(&self) -> PathBuf {
        self.folder().join("store.db")
    }

    /// The same operator, with its data here.
    pub(crate) fn keep(&self, starter: Starter) -> Starter {
        match &self.database {
            Some(database) => starter.on(database.url()),
            None => starter,
        }
    }

    pub(crate) fn open(&self) -> Database {
        match &self.database {
            Some(database) => Database::Postgres(database.store()),
            None => Database::Sqlite(Sqlite::at(&self.file())),
        }
    }

    /// The run history, oldest first.
    pub(crate) async fn history(&self) -> Vec<RunRecord> {
        let store = self.open();
        let mut runs = store.history(10_000).await.expect("the history can be read");
        store.close().await;
        runs.reverse();
        runs
    }

    /// Does something past the store.
    pub(crate) async fn execute(&self, sql: &str) {
        if let Some(database) = &self.database {
            return database.execute(sql).await;
        }
        let path = self.file();
        let mut file = SqliteConnection::connect(&path.to_string_lossy()).await.expect("a file");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut file).await.expect(sql);
        file.close().await.expect("it ends well");
    }

    /// Makes a copy of all, while no operator runs.
    pub(crate) async fn back_up(&self) {
        if let Some(database) = &self.database {
            return database.back_up().await;
        }
        let copy = self.folder().join("copy.db");
        let args = ["backup", &copy.to_string_lossy()];
        Command::about(self.folder(), &args).said().await.with(0, &[]);
    }

    /// Puts the copy in the place of what is there, while no operator runs.
    pub(crate) async fn put_back(&self) {
        if let Some(database) = &self.database {
            return database.put_back().await;
        }
        std::fs::rename(self.folder().join("copy.db"), self.file()).expect("there is a copy");
        // What belongs to the file that is gone; a holder that was killed leaves it behind.
        for rest in ["store.db-wal", "store.db-shm"] {
            let _ = std::fs::remove_file(self.folder().join(rest));
        }
    }
}
