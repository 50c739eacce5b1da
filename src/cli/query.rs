//! `singletrack query`: a question in SQL to the database; nothing can be changed by it.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, print};
use crate::store::{Sqlite, chain};

#[derive(Args, Debug)]
pub(super) struct QueryArgs {
    /// The SQLite file.
    #[arg(
        long,
        env = "SINGLETRACK_DATABASE",
        value_name = "FILE",
        default_value = "singletrack.db"
    )]
    database: PathBuf,
    /// The question, as "SELECT * FROM run_history".
    sql: String,
}

pub(super) async fn query(args: QueryArgs) -> Result<Exit, Failure> {
    let store = Sqlite::read_only(&args.database);
    let answer = store.query(&args.sql).await;
    store.close().await;
    let (columns, rows) = answer.map_err(|error| Failure::plain(chain(&error)))?;
    let headings: Vec<&str> = columns.iter().map(String::as_str).collect();
    print::table(&headings, rows);
    Ok(Exit::Succeeded)
}
