//! The part of the configuration that says where the database is: a file, or a server.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Failure;
use crate::store::{Address, Database, Postgres, Sqlite, Text};

const DEFAULT_FILE: &str = "singletrack.db";

/// The key `database` of the file.
#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct DatabaseConfig {
    /// Only to say it; it follows from the others.
    #[serde(rename = "type")]
    kind: Option<Kind>,
    path: Option<PathBuf>,
    url: Option<SecretString>,
    url_file: Option<PathBuf>,
    password_file: Option<PathBuf>,
    #[serde(alias = "ca")]
    ca_file: Option<PathBuf>,
    schema: Option<String>,
    reader_roles: Vec<String>,
}

#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Sqlite,
    Postgres,
}

/// The flags and variables about the database.
#[derive(Args, Clone, Debug)]
pub(super) struct DatabaseArgs {
    /// The SQLite file, or the URL of a PostgreSQL database as in postgres://USER@HOST/DATABASE.
    /// Default: singletrack.db
    #[arg(long, env = "SINGLETRACK_DATABASE", value_name = "FILE|URL", hide_env_values = true)]
    database: Option<SecretString>,
    /// The URL of a PostgreSQL database.
    #[arg(long, env = "SINGLETRACK_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<SecretString>,
    /// A file that holds the password for PostgreSQL; it is read anew when a connection is made.
    #[arg(long, env = "SINGLETRACK_DATABASE_PASSWORD_FILE", value_name = "FILE")]
    database_password_file: Option<PathBuf>,
    /// A file with the authorities that have signed PostgreSQL's certificate, in PEM form.
    #[arg(long, env = "SINGLETRACK_DATABASE_CA", value_name = "FILE")]
    database_ca: Option<PathBuf>,
}

/// Where the database is.
#[derive(Clone, Debug)]
pub enum Location {
    File(PathBuf),
    Server(Postgres),
}

impl Location {
    /// How people name it; nothing of it is secret.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server(postgres) => postgres.shown().to_owned(),
        }
    }

    /// The database; a file is created by the first call.
    pub(super) fn open(&self) -> Database {
        match self {
            Self::File(path) => Database::Sqlite(Sqlite::at(path)),
            Self::Server(postgres) => Database::Postgres(postgres.clone()),
        }
    }

    /// The database, for questions only.
    pub(super) fn read_only(&self) -> Database {
        match self {
            Self::File(path) => Database::Sqlite(Sqlite::read_only(path)),
            Self::Server(postgres) => Database::Postgres(postgres.clone()),
        }
    }

    /// The same, after the check that a file is there.
    pub(super) fn existing(self) -> Result<Self, Failure> {
        match &self {
            Self::File(path) if !path.is_file() => Err(Failure::plain(format!(
                "there is no database {}: name it with --database FILE; the operator's is in its \
                 pod: kubectl exec deploy/singletrack -- /singletrack query \"…\"",
                path.display()
            ))),
            _ => Ok(self),
        }
    }
}

impl DatabaseArgs {
    /// Checks what both say about the database; where the arguments name one, the file's is not
    /// looked at.
    pub(super) fn locate(self, file: DatabaseConfig) -> Result<Location, Failure> {
        let said = |text: &SecretString| !text.expose_secret().trim().is_empty();
        let (database, url) = (self.database.filter(said), self.database_url.filter(said));
        let is_url = |text: &SecretString| is_of_a_server(text.expose_secret());
        let (named, url) = match (database, url) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "two databases are named: take out either --database (SINGLETRACK_DATABASE) or \
                     --database-url (SINGLETRACK_DATABASE_URL)",
                ));
            }
            (Some(text), None) if is_url(&text) => (None, Some(Text::Given(text))),
            (Some(path), None) => (Some(PathBuf::from(path.expose_secret())), None),
            (None, url) => (None, url.map(Text::Given)),
        };
        let url = match (named, url) {
            (Some(path), _) => return Ok(Location::File(path)),
            (None, Some(url)) => url,
            (None, None) => match file.place()? {
                Place::File(path) => return Ok(Location::File(path)),
                Place::Url(url) => url,
            },
        };
        let password = self.database_password_file.or(file.password_file).map(Text::File);
        let address = Address {
            password,
            ca: self.database_ca.or(file.ca_file),
            reader_roles: file.reader_roles,
            ..Address::at(url)
        };
        let address = match file.schema {
            Some(schema) => Address { schema, ..address },
            None => address,
        };
        let postgres = Postgres::at(address).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Location::Server(postgres))
    }
}

/// Whether a server is meant, also in a wrong way of writing: there may be a password in it, and the
/// name of a file is shown.
fn is_of_a_server(text: &str) -> bool {
    let has_user = || text.split_once(':').is_some_and(|(_, rest)| rest.contains('@'));
    text.contains("://")
        || text.contains("password=")
        || (!text.starts_with(['/', '.']) && has_user())
}

/// Where the file says it is.
enum Place {
    File(PathBuf),
    Url(Text),
}

impl DatabaseConfig {
    fn place(&self) -> Result<Place, Failure> {
        let wrong = |text: &str| Err(Failure::usage(text));
        let place = match (&self.path, &self.url, &self.url_file) {
            (None, None, None) if self.kind == Some(Kind::Postgres) => {
                return wrong(
                    "database.type is postgres, but no URL is given: set database.urlFile, \
                     database.url or SINGLETRACK_DATABASE_URL",
                );
            }
            (Some(path), None, None) if is_of_a_server(&path.to_string_lossy()) => {
                return wrong(
                    "database.path is a SQLite file, but a server is named: set database.url, or \
                     database.urlFile if there is a password in it",
                );
            }
            (path, None, None) => {
                let path = path.clone();
                Place::File(path.unwrap_or_else(|| PathBuf::from(DEFAULT_FILE)))
            }
            (None, Some(url), None) => Place::Url(Text::Given(url.clone())),
            (None, None, Some(file)) => Place::Url(Text::File(file.clone())),
            _ => {
                return wrong(
                    "several databases are named: keep one of database.path (SQLite), \
                     database.url and database.urlFile (PostgreSQL)",
                );
            }
        };
        match (&place, self.kind) {
            (Place::File(_), _) if self.is_about_a_server() => wrong(
                "database.passwordFile, caFile, schema and readerRoles are about PostgreSQL, but \
                 no URL is given: set database.urlFile, database.url or SINGLETRACK_DATABASE_URL, \
                 or take them out",
            ),
            (Place::Url(_), Some(Kind::Sqlite)) => wrong(
                "database.type is sqlite, but the URL is of a server: set database.path, or take \
                 out database.type",
            ),
            _ => Ok(place),
        }
    }

    fn is_about_a_server(&self) -> bool {
        self.password_file.is_some()
            || self.ca_file.is_some()
            || self.schema.is_some()
            || !self.reader_roles.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{CommandFactory, FromArgMatches};

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        database: DatabaseArgs,
    }

    /// What these flags and this part of a file come to, whatever the environment of the test says.
    fn located(flags: &[&str], file: &str) -> Result<Location, String> {
        let command = Line::command().mut_args(|arg| arg.env(Resettable::Reset));
        let matches = command.try_get_matches_from([&["it"], flags].concat()).unwrap();
        let args = Line::from_arg_matches(&matches).unwrap().database;
        assert!(!format!("{args:?}").contains("marked"));
        let file: DatabaseConfig = serde_saphyr::from_str(file).unwrap();
        assert!(!format!("{file:?}").contains("marked"));
        args.locate(file).map_err(|failure| failure.to_string())
    }

    const URL: &str = "postgres://me:marked@db.example/tracks";

    // The pool of a server needs a runtime, though it connects to nothing yet.
    #[tokio::test]
    async fn a_file_or_a_server_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let url_file = folder.path().join("url");
        std::fs::write(&url_file, format!("{URL}\n")).unwrap();
        let in_file = format!("urlFile: {}", url_file.display());
        let server = "tracks at db.example:5432";
        let (flag, url_flag) = (format!("--database={URL}"), format!("--database-url={URL}"));
        let with_schema = format!("{{url: \"{URL}\", schema: mine, readerRoles: [bi]}}");
        for (flags, file, shown) in [
            (&[][..], "{}", "singletrack.db"),
            (&[], "{type: sqlite, path: /data/a.db}", "/data/a.db"),
            (&["--database=b.db"], "path: /data/a.db", "b.db"),
            (&["--database=/data/10:00@home.db"], "{}", "/data/10:00@home.db"),
            (&["--database=b.db"], &with_schema, "b.db"),
            (&[&flag], "path: /data/a.db", server),
            (&[&url_flag], "{}", server),
            (&["--database="], &in_file, server),
            (&[], &with_schema, server),
        ] {
            let found = located(flags, file).unwrap();
            assert_eq!(found.shown(), shown, "{flags:?} {file}");
            assert!(!format!("{found:?}").contains("marked"));
        }
    }

    #[tokio::test]
    async fn a_mistake_is_refused_with_what_is_right() {
        let flag = format!("--database={URL}");
        let both = ["--database=a.db", "--database-url=postgres://me:marked@h/d"];
        let two = format!("{{path: a.db, url: \"{URL}\"}}");
        let sqlite = format!("{{type: sqlite, url: \"{URL}\"}}");
        for (flags, file, words) in [
            (&both[..], "{}", "take out either --database"),
            (&[], &two, "keep one of database.path"),
            (&[], &sqlite, "set database.path"),
            (&[], "type: postgres", "set database.urlFile"),
            (&[], "schema: mine", "are about PostgreSQL"),
            (&[], "urlFile: /nowhere/url", "database.urlFile: \"/nowhere/url\" cannot be read"),
            (&[&flag, "--database-password-file=/nowhere/pw"], "{}", "database.passwordFile"),
            (&[&flag, "--database-ca=/nowhere/ca"], "{}", "database.caFile"),
            (&[&flag], "schema: My", "database.schema"),
            (&["--database=mysql://me:marked@h/d"], "{}", "postgres://USER@HOST"),
            (&["--database=postgres:/me:marked@h/d"], "{}", "an @ behind the host"),
            (&["--database=me:marked@h/d"], "{}", "does not begin with postgres://"),
            (&["--database=host=h password=marked"], "{}", "relative URL"),
            (&[], "path: postgres://me@h/d", "set database.url"),
        ] {
            let error = located(flags, file).unwrap_err();
            assert!(error.contains(words) && !error.contains("marked"), "{error}");
        }
    }
}
