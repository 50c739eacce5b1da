//! PostgreSQL: several operators on one database, also through a pooler such as PgBouncer.
//!
//! # Assumptions
//!
//! The server keeps a row that was locked with `FOR SHARE` or `FOR UPDATE` from other transactions,
//! and shows each statement what was committed before it: `READ COMMITTED` is enough.

mod address;
mod ask;
mod connections;
mod migrate;
mod roles;

use std::fmt;

pub use address::{Address, BadAddress, Text};
pub(super) use connections::Connections;

use super::sql::{Backed, Engine, Tables};

/// The newest of the migrations.
pub(super) fn newest_version() -> i64 {
    migrate::MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// A store in one schema of a PostgreSQL database.
#[derive(Clone)]
pub struct Postgres {
    connections: Connections,
    tables: Tables,
}

impl Postgres {
    /// A store at this address. Connections are made, and the schema is created, when it is used.
    ///
    /// # Errors
    ///
    /// When the address is no address, or one of its files cannot be read.
    pub fn at(address: Address) -> Result<Self, BadAddress> {
        let connections = Connections::to(address)?;
        Ok(Self { tables: Tables::of(Engine::Postgres(connections.clone())), connections })
    }

    /// The server and the database, without anything secret.
    pub fn shown(&self) -> &str {
        self.connections.shown()
    }

    /// Closes the connections. Calls that come later fail.
    pub async fn close(&self) {
        self.tables.close().await;
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("at", &self.shown()).finish_non_exhaustive()
    }
}

impl Backed for Postgres {
    fn tables(&self) -> &Tables {
        &self.tables
    }
}
