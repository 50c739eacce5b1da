//! `singletrack backup`: a copy of the database, while runs may go on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::HumanBytes;

use super::config::LocationArgs;
use super::database::Location;
use super::{Exit, Failure, print};
use crate::store::{Sqlite, Store, chain};

#[derive(Args, Debug)]
#[command(after_help = "\
The copy is what the database was at one moment, and is checked before it gets its name.

Examples:
  singletrack backup issues-$(date +%F).db --database issues.db
  kubectl exec deploy/singletrack -- singletrack backup /data/before-upgrade.db")]
pub(super) struct BackupArgs {
    /// The new file. One that exists is never written over.
    file: PathBuf,
    #[command(flatten)]
    database: LocationArgs,
}

pub(super) async fn backup(args: BackupArgs) -> Result<Exit, Failure> {
    let database = match args.database.existing()? {
        Location::File(path) => path,
        Location::Server(postgres) => {
            return Err(Failure::plain(format!(
                "{} is a PostgreSQL database: back it up with its own tool, also while runs go on: \
                 pg_dump --schema={} --format=custom --file=singletrack.dump URL; pg_restore \
                 brings it back",
                postgres.shown(),
                postgres.schema()
            )));
        }
    };
    let shown = args.file.display();
    if args.file.exists() {
        return Err(Failure::plain(format!("{shown} exists already: name a new file")));
    }
    // A copy that was broken off must not look like a backup.
    let mut part = args.file.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    File::create_new(&part).map_err(|error| cannot(&part, &error))?;
    let done = copy(&database, &part, &args.file).await;
    if done.is_err() {
        // Of no use to anybody; the error that matters is the other one.
        let _ = fs::remove_file(&part);
    }
    println!("{}", done?);
    Ok(Exit::Succeeded)
}

/// Copies by way of `part`, and tells what the copy holds.
async fn copy(database: &Path, part: &Path, file: &Path) -> Result<String, Failure> {
    let lost = |error| Failure::plain(format!("no backup was made: {}; try again", chain(&error)));
    Sqlite::back_up(database, part).await.map_err(lost)?;
    let copy = Sqlite::read_only(part);
    let newest = copy.history(1).await;
    copy.close().await;
    let newest = newest.map_err(lost)?;
    let size = fs::metadata(part).map_err(|error| cannot(part, &error))?.len();
    File::open(part).and_then(|part| part.sync_all()).map_err(|error| cannot(part, &error))?;
    if file.exists() {
        return Err(Failure::plain(format!("{} exists by now: name another", file.display())));
    }
    fs::rename(part, file).map_err(|error| cannot(file, &error))?;
    let newest = newest.first().map_or("no run yet".to_owned(), |run| {
        let at = run.completed_at.unwrap_or(run.started_at).format("%FT%TZ");
        format!("newest run {}, {} at {at}", run.number, run.state.as_str())
    });
    Ok(format!("{}: {}, intact, {}", file.display(), HumanBytes(size), print::plain(&newest)))
}

fn cannot(file: &Path, error: &std::io::Error) -> Failure {
    let shown = file.display();
    Failure::plain(format!("{shown} cannot be written: {error}; choose another folder or name"))
}
