//! Where a PostgreSQL is, and how one gets in.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

/// What may stand in the URL after `?`.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// The address of a database on a PostgreSQL server. Files are read again when a connection is made.
#[derive(Clone, Debug)]
pub struct Address {
    pub url: Text,
    /// Wins over a password in the URL.
    pub password: Option<Text>,
    /// The authorities that have signed the server's certificate, as a PEM file. With it, the
    /// certificate and the name in it are checked.
    pub ca: Option<PathBuf>,
    /// The schema in which the tables are.
    pub schema: String,
    /// Roles that may read the public tables and views.
    pub reader_roles: Vec<String>,
}

/// A text that may hold a secret.
#[derive(Clone, Debug)]
pub enum Text {
    Given(SecretString),
    File(PathBuf),
}

/// An address that leads nowhere.
#[derive(thiserror::Error, Debug)]
pub enum BadAddress {
    #[error("{what}: {file:?} cannot be read: {source}")]
    Unreadable { what: &'static str, file: PathBuf, source: std::io::Error },

    // Not a word of the URL itself, in which there may be a password.
    #[error(
        "the URL of the database is wrong ({problem}): it has the form \
         postgres://USER@HOST:PORT/DATABASE; special characters in a password are percent-encoded, \
         or the password is in a file (database.passwordFile)"
    )]
    Url { problem: String },

    #[error(
        "the URL of the database has a parameter {name:?}, which is none: use one of {}",
        PARAMETERS.join(", ")
    )]
    Parameter { name: String },

    #[error(
        "database.caFile is set, but the URL says sslmode={mode}, which checks no certificate: use \
         sslmode=verify-full, or leave one of them out"
    )]
    Unchecked { mode: String },

    #[error(
        "{what} {name:?} is no plain name: use lower-case letters, digits and _, 63 at the most"
    )]
    Name { what: &'static str, name: String },
}

impl Address {
    /// The database at this URL, in the schema `singletrack`.
    pub fn at(url: Text) -> Self {
        let schema = "singletrack".to_owned();
        Self { url, password: None, ca: None, schema, reader_roles: Vec::new() }
    }

    /// What the files say now. It is another when one of them has changed.
    pub(super) fn read(&self) -> Result<Secrets, BadAddress> {
        let url = self.url.read("database.urlFile")?;
        let password = self.password.as_ref().map(|text| text.read("database.passwordFile"));
        Ok(Secrets { url, password: password.transpose()? })
    }

    /// Whether something of it may change.
    pub(super) fn is_in_files(&self) -> bool {
        let in_file = |text: &Text| matches!(text, Text::File(_));
        in_file(&self.url) || self.password.as_ref().is_some_and(in_file)
    }

    /// How to connect with these secrets.
    pub(super) fn options(&self, secrets: &Secrets) -> Result<PgConnectOptions, BadAddress> {
        let wrong = |problem: &dyn fmt::Display| BadAddress::Url { problem: problem.to_string() };
        let url = Url::parse(secrets.url.expose_secret()).map_err(|error| wrong(&error))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(wrong(&"it does not begin with postgres://"));
        }
        // A password that is not percent-encoded may end where the host seems to; what is behind it
        // must not be shown as a database or a parameter.
        let rest = [Some(url.path()), url.query(), url.fragment()];
        if rest.iter().flatten().any(|part| part.contains('@')) {
            return Err(wrong(&"there is an @ behind the host"));
        }
        let mut mode = None;
        for (name, value) in url.query_pairs() {
            if !PARAMETERS.contains(&name.as_ref()) {
                return Err(BadAddress::Parameter { name: name.into_owned() });
            }
            if name == "sslmode" {
                mode = Some(value.into_owned());
            }
        }
        let options: PgConnectOptions =
            url.as_str().parse().map_err(|_| wrong(&"its parts cannot be read"))?;
        let mut options = options
            // A pooler may give each transaction another connection, and knows no such parameter.
            .statement_cache_capacity(0)
            .extra_float_digits(None);
        if options.get_application_name().is_none() {
            options = options.application_name("singletrack");
        }
        if let Some(password) = &secrets.password {
            options = options.password(password.expose_secret());
        }
        let Some(ca) = &self.ca else { return Ok(options) };
        let mode = match mode.as_deref() {
            None | Some("verify-full") => PgSslMode::VerifyFull,
            Some("verify-ca") => PgSslMode::VerifyCa,
            Some(mode) => return Err(BadAddress::Unchecked { mode: mode.to_owned() }),
        };
        readable(ca, "database.caFile")?;
        Ok(options.ssl_root_cert(ca).ssl_mode(mode))
    }

    /// Whether the names can stand in a statement.
    pub(super) fn check_names(&self) -> Result<(), BadAddress> {
        let schema = [("database.schema", &self.schema)];
        let roles = self.reader_roles.iter().map(|role| ("database.readerRoles", role));
        for (what, name) in schema.into_iter().chain(roles) {
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            let is_name = name.len() <= 63
                && name.bytes().all(plain)
                && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
                && !name.starts_with("pg_");
            if !is_name {
                return Err(BadAddress::Name { what, name: name.clone() });
            }
        }
        Ok(())
    }
}

/// What an address keeps secret.
pub(super) struct Secrets {
    url: SecretString,
    password: Option<SecretString>,
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        let expose =
            |text: &Option<SecretString>| text.as_ref().map(|text| text.expose_secret().to_owned());
        self.url.expose_secret() == other.url.expose_secret()
            && expose(&self.password) == expose(&other.password)
    }
}

impl Text {
    fn read(&self, what: &'static str) -> Result<SecretString, BadAddress> {
        let text = match self {
            Self::Given(text) => text.expose_secret().to_owned(),
            Self::File(file) => readable(file, what)?,
        };
        // An editor ends a file with a line break, which is no part of it.
        Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
    }
}

fn readable(file: &Path, what: &'static str) -> Result<String, BadAddress> {
    let file = file.to_owned();
    fs::read_to_string(&file).map_err(|source| BadAddress::Unreadable { what, file, source })
}
