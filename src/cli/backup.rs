//! `singletrack backup`: a copy of the database, while runs may go on.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::HumanBytes;

use super::config::LocationArgs;
use super::database::Location;
use super::{Exit, Failure, print};
use crate::store::{Sqlite, Store, chain};

#[derive(Args, Debug)]
#[command(after_help = "\
The copy is what the database was at one moment, and is checked before it gets its name, or before
its first byte is sent. With `-` it lies beside the database until it is sent.

Examples:
  singletrack backup issues-$(date +%F).db --database issues.db
  kubectl exec deploy/singletrack -- /singletrack backup - > issues.db
  kubectl exec deploy/singletrack -- /singletrack backup /data/before-upgrade.db")]
pub(super) struct BackupArgs {
    /// The new file, or - for standard output. A file that exists is never written over.
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
    if args.file == Path::new("-") {
        print::note(&sent(&database).await?);
        return Ok(Exit::Succeeded);
    }
    let shown = args.file.display();
    if args.file.exists() {
        return Err(Failure::plain(format!("{shown} exists already: name a new file")));
    }
    // A copy that was broken off must not look like a backup.
    let mut part = args.file.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    File::create_new(&part).map_err(|error| cannot(&part, &error))?;
    let done = match checked(&database, &part).await {
        Ok(held) => named(&part, &args.file).map(|()| format!("{shown}: {held}")),
        Err(error) => Err(error),
    };
    if done.is_err() {
        // Of no use to anybody; the error that matters is the other one.
        let _ = fs::remove_file(&part);
    }
    print::line(&done?)?;
    Ok(Exit::Succeeded)
}

/// Sends a copy to standard output, and tells what it holds.
async fn sent(database: &Path) -> Result<String, Failure> {
    if io::stdout().is_terminal() {
        return Err(Failure::usage(
            "standard output is a terminal: send it into a file with: singletrack backup - > FILE",
        ));
    }
    // Beside the database there is room for it, also where nothing else may be written.
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    sweep(folder);
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let part = folder.join(format!("{PREFIX}{nonce}{SUFFIX}"));
    let file = File::create_new(&part).map_err(|error| cannot(&part, &error))?;
    // Held as long as this process lives: nobody sweeps it away.
    file.lock().map_err(|error| cannot(&part, &error))?;
    let done = checked(database, &part).await.and_then(|held| {
        let copy = File::open(&part).map_err(|error| cannot(&part, &error))?;
        Ok((held, copy))
    });
    // The bytes stay until the last handle is closed, however this process ends.
    fs::remove_file(&part).map_err(|error| cannot(&part, &error))?;
    let (held, mut copy) = done?;
    let mut out = io::stdout().lock();
    io::copy(&mut copy, &mut out).and_then(|_| io::Write::flush(&mut out)).map_err(|error| {
        Failure::plain(format!(
            "the backup was not sent whole: {error}; delete what has arrived, and try again"
        ))
    })?;
    Ok(held)
}

/// Where a copy lies until it is sent.
const PREFIX: &str = ".backup-";
const SUFFIX: &str = ".part";

/// Removes what backups that were killed have left: nobody holds these.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX)
            && name.ends_with(SUFFIX)
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            // If it cannot be removed, it only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Copies into `part`, checks it, and tells what it holds.
async fn checked(database: &Path, part: &Path) -> Result<String, Failure> {
    let lost = |error| Failure::plain(format!("no backup was made: {}; try again", chain(&error)));
    Sqlite::back_up(database, part).await.map_err(lost)?;
    let copy = Sqlite::read_only(part);
    let newest = copy.history(1).await;
    copy.close().await;
    let newest = newest.map_err(lost)?;
    let size = fs::metadata(part).map_err(|error| cannot(part, &error))?.len();
    let newest = newest.first().map_or("no run yet".to_owned(), |run| {
        let at = run.completed_at.unwrap_or(run.started_at).format("%FT%TZ");
        format!("newest run {}, {} at {at}", run.number, run.state.as_str())
    });
    Ok(format!("{}, intact, {}", HumanBytes(size), print::plain(&newest)))
}

/// Gives the copy its name, once all of it is on the disk.
fn named(part: &Path, file: &Path) -> Result<(), Failure> {
    File::open(part).and_then(|part| part.sync_all()).map_err(|error| cannot(part, &error))?;
    if file.exists() {
        return Err(Failure::plain(format!("{} exists by now: name another", file.display())));
    }
    fs::rename(part, file).map_err(|error| cannot(file, &error))
}

fn cannot(file: &Path, error: &std::io::Error) -> Failure {
    let shown = file.display();
    Failure::plain(format!("{shown} cannot be written: {error}; choose another folder or name"))
}
