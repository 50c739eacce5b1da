//! The database: whether it opens, how old its tables are, and whose it is.

use std::fs::File;
use std::path::Path;

use indicatif::HumanBytes;

use super::check::Check;
use crate::cli::Location;
use crate::store::{Database, Inspection, Postgres, Sqlite, chain};

/// With less room than this a volume is worth a word.
const FEW: u64 = 256 << 20;

/// Adds what is found of the database; `owner` is who the operator is, where that is known.
pub(super) async fn look(at: &Location, owner: Option<&str>, checks: &mut Vec<Check>) {
    match at {
        Location::File(path) => look_at_file(path, owner, checks).await,
        Location::Server(postgres) => look_at_server(postgres, owner, checks).await,
    }
}

async fn look_at_server(postgres: &Postgres, owner: Option<&str>, checks: &mut Vec<Check>) {
    let shown = postgres.shown();
    let found = Database::Postgres(postgres.clone()).inspect().await;
    let read_only =
        "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool";
    let read_only = postgres.ask(read_only).await;
    postgres.close().await;
    let is_read_only = read_only.is_ok_and(|answer| answer.rows == [[serde_json::json!(true)]]);
    let opened = |said: String| match is_read_only {
        false => Check::ok("database", format!("{shown} answers; {said}")),
        true => Check::fail(
            "database",
            format!("{shown} is read-only: name the primary server, or let it be written again"),
        ),
    };
    match found {
        Ok(found) => {
            checks.push(opened(age(&found)));
            checks.push(whose(found.owner.as_deref(), owner));
        }
        Err(error) if error.is_of_no_tables() => {
            let schema = postgres.schema();
            checks
                .push(opened(format!("schema {schema} is not there yet: the operator creates it")));
            checks.push(Check::skip("owner", "there are no tables yet"));
        }
        Err(error) => {
            checks.push(Check::fail("database", chain(&error)));
            checks.push(Check::skip("owner", "the database cannot be read"));
        }
    }
}

async fn look_at_file(path: &Path, owner: Option<&str>, checks: &mut Vec<Check>) {
    let shown = path.display();
    if !path.is_file() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        checks.push(match folder.is_dir() {
            true => {
                let said = format!("{shown} is not there yet: the operator creates it");
                Check::ok("database", said)
            }
            false => {
                let next = "mount the volume there, or correct database.path";
                let said = format!("the folder {} is not there: {next}", folder.display());
                Check::fail("database", said)
            }
        });
        checks.push(Check::skip("owner", "there is no database yet"));
        return;
    }
    let store = Sqlite::read_only(path);
    let found = store.inspect().await;
    store.close().await;
    match found {
        Ok(found) => {
            checks.push(opened(path, &age(&found)));
            checks.push(whose(found.owner.as_deref(), owner));
        }
        Err(error) => {
            let next = "is it a file of Singletrack's, and may this user read and write it?";
            let why = chain(&error);
            checks.push(Check::fail("database", format!("{shown}: {why}; {next}")));
            checks.push(Check::skip("owner", "the database cannot be read"));
        }
    }
}

/// The file can be read; it must be written as well, and may grow.
fn opened(path: &Path, age: &str) -> Check {
    let shown = path.display();
    if let Err(error) = File::options().write(true).open(path) {
        let next = "the operator's user must own it";
        return Check::fail("database", format!("{shown} cannot be written: {error}; {next}"));
    }
    let free = rustix::fs::statvfs(path).map(|volume| volume.f_bavail * volume.f_frsize);
    match free {
        Err(_) => Check::ok("database", format!("{shown} opens; {age}")),
        Ok(free) if free < FEW => {
            let said = format!("only {} are free beside {shown}: enlarge it", HumanBytes(free));
            Check::warn("database", said)
        }
        Ok(free) => {
            let said = format!("{shown} opens; {age}; {} are free", HumanBytes(free));
            Check::ok("database", said)
        }
    }
}

fn age(found: &Inspection) -> String {
    let (version, newest) = (found.version, found.newest_version);
    match version.cmp(&newest) {
        std::cmp::Ordering::Less => {
            format!("its tables are of version {version}, the operator brings them to {newest}")
        }
        std::cmp::Ordering::Equal => format!("its tables are of version {version}"),
        std::cmp::Ordering::Greater => {
            format!("its tables are of version {version}, from a newer operator than {newest}")
        }
    }
}

fn whose(found: Option<&str>, us: Option<&str>) -> Check {
    match (found, us) {
        (None, _) => Check::ok("owner", "nobody's yet: the operator claims it"),
        (Some(_), None) => Check::skip("owner", "the operator's namespace cannot be read"),
        (Some(found), Some(us)) if found == us => Check::ok("owner", "it is this operator's"),
        (Some(found), Some(_)) => Check::fail(
            "owner",
            format!(
                "it belongs to another operator (owner {found}): give this one a database of its \
                 own, or hand it over with `singletrack adopt`"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Found;
    use super::*;

    #[test]
    fn a_database_of_another_owner_is_a_fault_and_one_of_nobody_is_not() {
        for (found, us, result) in [
            (Some("a"), Some("a"), Found::Ok),
            (None, Some("a"), Found::Ok),
            (None, None, Found::Ok),
            (Some("a"), None, Found::Skip),
            (Some("b"), Some("a"), Found::Fail),
        ] {
            assert_eq!(whose(found, us).result, result, "{found:?} {us:?}");
        }
        assert!(whose(Some("b"), Some("a")).detail.contains("singletrack adopt"));
    }
}
