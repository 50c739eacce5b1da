//! The store's work, written once for both databases.
//!
//! Statements are standard SQL with `$1` as parameters. Where the databases differ, a statement
//! takes the [`words`] of its transaction, or binds a value in the form that this database has for
//! it. What each of them does in its own way is in its own folder: connections, migrations, and
//! what people do to it.
//!
//! Everything is a transaction, reads as well: a pooler between us and PostgreSQL may give each
//! transaction another connection.

mod automation;
mod cursors;
mod fenced;
mod history;
mod owner;
mod pages;
mod repositories;
mod runs;
mod schema;
mod settled;
mod store;
mod transaction;
mod upkeep;
mod upsert;
mod words;

use std::sync::{Arc, Mutex};

pub(super) use store::Backed;
pub(super) use transaction::{On, Transaction, answered};

use super::postgres::Connections;
use super::sqlite::Pools;
use super::{Error, Inspection};

/// The tables of the store, in one of the databases.
#[derive(Clone)]
pub struct Tables {
    pub(super) engine: Engine,
    /// Whose they were when they were prepared or handed over here.
    owner: Arc<Mutex<Option<String>>>,
}

/// The database, and the connections to it.
#[derive(Clone)]
pub(super) enum Engine {
    Sqlite(Pools),
    Postgres(Connections),
}

impl Tables {
    pub(super) fn of(engine: Engine) -> Self {
        Self { engine, owner: Arc::default() }
    }

    /// A transaction that sees the tables as they are now, and writes nothing.
    pub(super) async fn read(&self, doing: &'static str) -> Result<Transaction, Error> {
        let on = match &self.engine {
            Engine::Sqlite(pools) => On::Sqlite(pools.read(doing).await?),
            Engine::Postgres(connections) => On::Postgres(connections.read(doing).await?),
        };
        Ok(Transaction::new(on, doing))
    }

    /// A transaction that may write.
    pub(super) async fn write(&self, doing: &'static str) -> Result<Transaction, Error> {
        let on = match &self.engine {
            Engine::Sqlite(pools) => On::Sqlite(pools.write(doing).await?),
            Engine::Postgres(connections) => On::Postgres(connections.write(doing).await?),
        };
        Ok(Transaction::new(on, doing))
    }

    /// A transaction that may write, and that would rather begin again than wait for others long.
    async fn write_or_yield(&self, doing: &'static str) -> Result<Transaction, Error> {
        let on = match &self.engine {
            Engine::Sqlite(pools) => On::Sqlite(pools.write(doing).await?),
            Engine::Postgres(connections) => On::Postgres(connections.write_or_yield(doing).await?),
        };
        Ok(Transaction::new(on, doing))
    }

    /// Brings the tables up to date. Those of a newer operator are left as they are.
    async fn migrate(&self) -> Result<(), Error> {
        match &self.engine {
            Engine::Sqlite(pools) => pools.migrate().await,
            Engine::Postgres(connections) => connections.migrate().await,
        }
    }

    /// The newest migration that this program knows.
    fn newest_version(&self) -> i64 {
        match &self.engine {
            Engine::Sqlite(_) => super::sqlite::newest_version(),
            Engine::Postgres(_) => super::postgres::newest_version(),
        }
    }

    /// Says what the database is, and changes nothing.
    ///
    /// # Errors
    ///
    /// Also when it has no tables of ours.
    pub(super) async fn inspect(&self) -> Result<Inspection, Error> {
        let owner = owner::found(self).await?;
        let mut tx = self.read("look at the tables").await?;
        let version = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
        let (version,) = tx.query(version).one().await?;
        tx.close().await;
        Ok(Inspection { owner, version, newest_version: self.newest_version() })
    }

    /// Closes the connections. Calls that come later fail.
    pub(super) async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(pools) => pools.close().await,
            Engine::Postgres(connections) => connections.close().await,
        }
    }
}
