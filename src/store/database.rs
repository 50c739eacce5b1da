//! A database of either kind, for those who need no particular one.

use super::sql::{Backed, Tables};
use super::{Answer, Error, Inspection, Postgres, Sqlite};

/// The database that the configuration names.
#[derive(Clone)]
pub enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Backed for Database {
    fn tables(&self) -> &Tables {
        match self {
            Self::Sqlite(sqlite) => sqlite.tables(),
            Self::Postgres(postgres) => postgres.tables(),
        }
    }
}

impl Database {
    /// Answers a question in SQL, and changes nothing. The columns are named also when there is no
    /// row.
    pub async fn ask(&self, sql: &str) -> Result<Answer, Error> {
        match self {
            Self::Sqlite(sqlite) => sqlite.ask(sql).await,
            Self::Postgres(postgres) => postgres.ask(sql).await,
        }
    }

    /// Says what the database is, and changes nothing.
    ///
    /// # Errors
    ///
    /// Also when it has no tables of ours.
    pub async fn inspect(&self) -> Result<Inspection, Error> {
        self.tables().inspect().await
    }

    /// Closes the connections. Calls that come later fail.
    pub async fn close(&self) {
        self.tables().close().await;
    }
}
