//! The connections to a PostgreSQL, and how a transaction begins on one.
//!
//! All that a transaction needs is set in it: a pooler may give the next one another connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::address::{Address, BadAddress, Secrets};
use crate::store::Error;
use crate::store::error::code;
use crate::store::sql::answered;

/// How many connections one operator has at the most.
const CONNECTIONS: u32 = 10;

/// After so long without a connection, the server counts as not reached.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// A holder that was stopped inside a transaction frees its rows after this time.
const FREES_WITHIN: &str = "30s";

/// So long an activation waits at once; then it begins again.
const YIELDS_AFTER: &str = "5s";

/// What the fence needs: a statement that has waited for another transaction sees what that one has
/// committed. Whether it may write is left to the server, which an administrator may stop from it.
pub(super) const READ_COMMITTED: &str = "ISOLATION LEVEL READ COMMITTED";

/// The connections to one database.
#[derive(Clone)]
pub(in crate::store) struct Connections {
    pool: PgPool,
    address: Arc<Address>,
    /// What the connections are made with.
    secrets: Arc<Mutex<Secrets>>,
    /// The server and the database, without anything secret.
    shown: Arc<str>,
}

impl Connections {
    /// Connections that are made when they are needed.
    pub(super) fn to(address: Address) -> Result<Self, BadAddress> {
        address.check_names()?;
        let secrets = address.read()?;
        let options = address.options(&secrets)?;
        let shown = shown(&options).into();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_WITHIN)
            .connect_lazy_with(options);
        Ok(Self { pool, address: address.into(), secrets: Arc::new(Mutex::new(secrets)), shown })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(in crate::store) async fn read(
        &self,
        doing: &'static str,
    ) -> Result<Transaction<'static, Postgres>, Error> {
        self.begin(doing, "ISOLATION LEVEL REPEATABLE READ, READ ONLY", FREES_WITHIN, "").await
    }

    pub(in crate::store) async fn write(
        &self,
        doing: &'static str,
    ) -> Result<Transaction<'static, Postgres>, Error> {
        self.begin(doing, READ_COMMITTED, FREES_WITHIN, "").await
    }

    pub(in crate::store) async fn write_or_yield(
        &self,
        doing: &'static str,
    ) -> Result<Transaction<'static, Postgres>, Error> {
        let more = format!("; SET LOCAL lock_timeout = '{YIELDS_AFTER}'");
        self.begin(doing, READ_COMMITTED, FREES_WITHIN, &more).await
    }

    pub(in crate::store) async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a transaction of this kind. Its settings travel with its beginning.
    pub(super) async fn begin(
        &self,
        doing: &'static str,
        kind: &str,
        statement_within: &str,
        more: &str,
    ) -> Result<Transaction<'static, Postgres>, Error> {
        self.refresh();
        let schema = &self.address.schema;
        let sql = format!(
            "BEGIN {kind}; SET LOCAL search_path TO \"{schema}\"; \
             SET LOCAL idle_in_transaction_session_timeout = '{FREES_WITHIN}'; \
             SET LOCAL statement_timeout = '{statement_within}'{more}"
        );
        let begun = answered(Box::pin(self.pool.begin_with(AssertSqlSafe(sql)))).await;
        begun.map_err(|source| self.failed(doing, source))
    }

    /// The error of a connection that was not made, or of a role that may not do what it must.
    pub(super) fn failed(&self, doing: &'static str, source: sqlx::Error) -> Error {
        match advice(&source) {
            Some(advice) => Error::NotReached { at: self.shown.to_string(), advice, source },
            None => Error::of(doing, source),
        }
    }

    /// A password or a URL that has changed counts for all connections that are made from now on.
    fn refresh(&self) {
        if !self.address.is_in_files() {
            return;
        }
        // While a Secret is being replaced it may not be readable; what was known goes on counting.
        let Ok(now) = self.address.read() else { return };
        let mut known = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == now {
            return;
        }
        match self.address.options(&now) {
            Ok(options) => {
                self.pool.set_connect_options(options);
                *known = now;
                tracing::info!("the database's address or password has changed");
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "not a new address");
            }
        }
    }
}

/// The server and the database, as people name them.
fn shown(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at {}", socket.display()),
        None => format!("{database} at {}:{}", options.get_host(), options.get_port()),
    }
}

/// What to do when no connection was made, or the role is refused.
fn advice(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::PoolTimedOut => Some(
            "no connection within 20 s: is the server running, reachable from here, and has it \
             connections left?",
        ),
        sqlx::Error::Io(error) if !is_of_tls(error) => {
            Some("is the server running, and reachable from here?")
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Some(
            "the TLS connection failed: database.caFile must hold the authority that has signed \
             the server's certificate, and the name in the URL must be the certificate's",
        ),
        _ => match code(error)?.as_str() {
            "28P01" | "28000" => Some(
                "the server refuses the user or its password: correct database.passwordFile or \
                 the URL, or let it in (pg_hba.conf)",
            ),
            "3D000" => Some("there is no such database: create it with CREATE DATABASE"),
            "42501" | "3F000" => Some(
                "its role may not do that: it must own the schema (CREATE SCHEMA … AUTHORIZATION \
                 …), or be allowed to create it (GRANT CREATE ON DATABASE)",
            ),
            "53300" => Some("the server has no connections left: raise max_connections"),
            code if code.starts_with("57P0") => Some("the server is starting or stopping"),
            _ => None,
        },
    }
}

/// Whether the connection was there, and the two have not agreed.
fn is_of_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}
