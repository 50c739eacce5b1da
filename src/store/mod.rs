//! The database that holds the copies, the run history and the fence.
//!
//! # Guarantees
//!
//! - Every write asks for a [`Tenure`] and reads the fence in its own
//!   transaction: what an older run sends after a newer one was activated is refused, whole.
//! - A write of many rows is one transaction. Rows that are the same already are not touched, so
//!   the [`Counts`] are exact and an unchanged repository causes no write.
//! - A cursor or an ETag is stored in the transaction of the rows that it describes, or after it.
//! - What a dry run writes is counted and taken back: of it only the history stays.
//!
//! # Errors
//!
//! [`Error::is_passing`] says whether the same call may work later.

mod answer;
mod automation_row;
mod columns;
mod database;
mod describe;
mod error;
mod page;
mod postgres;
mod row;
mod run;
mod sql;
mod sqlite;
mod table;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use answer::{Answer, Inspection, as_text};
pub use automation_row::{
    CommitRow, KnownPackage, KnownRun, PackageRow, ReleaseRow, Row, Vanished, WorkflowJobRow,
    WorkflowRow, WorkflowRunRow, key_of_id, key_of_job,
};
pub use database::Database;
pub use describe::{PRIVATE, PRIVATE_VIEWS, QUESTIONS, TABLES, VIEWS, columns, comments};
pub use error::Error;
pub use error::chain;
pub use page::{
    Completion, Counts, Cursor, Missing, PageWrite, Reached, Removal, Removed, Resume, Retention,
    SeenPage, SetAside, Untrack, fingerprint,
};
pub use postgres::{Address, BadAddress, Postgres, Text};
pub use row::{Assignee, IssueRow, PullRow, RepositoryRow};
pub use run::{Activation, NewRun, RepositoryRecord, RunEnd, RunRecord, RunState};
pub use sqlite::Sqlite;

use crate::lease::{RunNumber, Tenure};

/// A database that holds the copies. The contract test runs on each of them.
#[async_trait]
pub trait Store: Send + Sync {
    /// Brings the tables up to date and claims the store for `owner`, the uid of the operator's
    /// namespace. Doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] when another operator has claimed it.
    async fn prepare(&self, owner: &str) -> Result<(), Error>;

    /// The highest run number that was ever drawn or active here.
    async fn newest(&self) -> Result<RunNumber, Error>;

    /// A run number above every earlier one and above `floor`. Each call gives another.
    async fn ticket(&self, floor: RunNumber) -> Result<RunNumber, Error>;

    /// Makes `tenure` the one whose writes count, closes unfinished runs as interrupted and records
    /// `run` as running. May be repeated when its answer was lost.
    ///
    /// # Errors
    ///
    /// [`Error::Superseded`] when a newer run is or was active. [`Error::HasRun`] when the request
    /// has ended with another run. Nothing has changed then.
    async fn activate(&self, tenure: &Tenure, run: &NewRun) -> Result<Activation, Error>;

    /// Writes down how the run has ended. It is the tenure's last write.
    async fn finish(&self, tenure: &Tenure, end: &RunEnd) -> Result<(), Error>;

    /// The newest run of the request of this uid.
    async fn run_of(&self, request_uid: &str) -> Result<Option<RunRecord>, Error>;

    /// The newest run that has ended well and has answered the request of this uid along with its
    /// own.
    async fn answer_of(&self, request_uid: &str) -> Result<Option<RunRecord>, Error>;

    /// The newest runs, newest first.
    async fn history(&self, limit: u32) -> Result<Vec<RunRecord>, Error>;

    /// Writes what is known of a repository under its numeric id, and the ETag of that answer.
    async fn put_repository(
        &self,
        tenure: &Tenure,
        row: &RepositoryRow,
        seen: Option<&SeenPage>,
    ) -> Result<(), Error>;

    /// The repository that has this name now (case does not count) or had it last, if any.
    async fn repository_id(&self, full_name: &str) -> Result<Option<i64>, Error>;

    /// The tracked repositories that have this name, as far as is known; case does not count.
    async fn repositories_named(&self, full_name: &str) -> Result<Vec<i64>, Error>;

    /// What is known of the repository of this id: its names, its default branch, and whether it
    /// is archived and tracked.
    async fn repository(&self, id: i64) -> Result<Option<RepositoryRow>, Error>;

    /// The newest commit of the repository's default branch, as far as is known.
    async fn latest_commit(&self, id: i64) -> Result<Option<String>, Error>;

    /// The stored labels of these issues, by number.
    async fn labels(
        &self,
        repository_id: i64,
        numbers: &[i64],
    ) -> Result<Vec<(i64, Vec<String>)>, Error>;

    /// Writes a page of a list, what was set aside from it, its ETag, and the cursor if the page
    /// completes a pass: all or nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when the database cannot hold a row.
    async fn put_page(&self, tenure: &Tenure, page: &PageWrite) -> Result<Counts, Error>;

    /// What was stored with the ETag of this URL, for this token.
    async fn seen_page(&self, url: &str, identity: &str) -> Result<Option<SeenPage>, Error>;

    /// What is known of the list from earlier passes over the GitHub at the base URL `source`.
    async fn cursor(
        &self,
        repository_id: i64,
        resource: &str,
        source: &str,
    ) -> Result<Cursor, Error>;

    /// The open issues that are not among those met, and how many open ones there are in all.
    async fn missing(&self, repository_id: i64, met: &[i64]) -> Result<Missing, Error>;

    /// The issues whose labels do not fit their state, and whether they are closed: open ones with
    /// the label `done`, closed ones with another status.
    async fn unfit(&self, repository_id: i64, done: &str) -> Result<Vec<(i64, bool)>, Error>;

    /// The keys of the items of this kind that were set aside, oldest first.
    async fn set_aside(&self, repository_id: i64, kind: &str) -> Result<Vec<String>, Error>;

    /// Marks issues as removed; their rows stay. Gives how many were not before.
    async fn remove(
        &self,
        tenure: &Tenure,
        repository_id: i64,
        removals: &[Removal],
        at: DateTime<Utc>,
    ) -> Result<i64, Error>;

    /// Which of these runs of workflows are stored.
    async fn known_runs(&self, ids: &[i64]) -> Result<Vec<KnownRun>, Error>;

    /// The stored runs of the repository's workflows that had not finished, oldest first.
    async fn unfinished_runs(&self, repository_id: i64) -> Result<Vec<i64>, Error>;

    /// The oldest `updated_at` of these pull requests as they are stored.
    async fn oldest_update(
        &self,
        repository_id: i64,
        numbers: &[i64],
    ) -> Result<Option<DateTime<Utc>>, Error>;

    /// Which of these packages are stored.
    async fn known_packages(&self, ids: &[i64]) -> Result<Vec<KnownPackage>, Error>;

    /// Marks rows as removed that GitHub does not have any more; the rows stay. Gives how many
    /// were not before.
    async fn vanish(
        &self,
        tenure: &Tenure,
        which: &Vanished,
        at: DateTime<Utc>,
    ) -> Result<i64, Error>;

    /// Marks repositories as untracked; what was so before is not written.
    async fn untrack(&self, tenure: &Tenure, which: &Untrack) -> Result<(), Error>;

    /// Deletes what is older than it must be kept, in batches. Gives how many rows.
    async fn prune(
        &self,
        tenure: &Tenure,
        retention: &Retention,
        now: DateTime<Utc>,
    ) -> Result<i64, Error>;

    /// Writes what came of one repository in this run, and its error into its row.
    async fn put_outcome(&self, tenure: &Tenure, record: &RepositoryRecord) -> Result<(), Error>;

    /// Brings the tables up to date and makes `owner` the owner, whoever had it. Gives the one
    /// before, if there was one. The rows, the history and the fence stay as they are.
    async fn adopt(&self, owner: &str) -> Result<Option<String>, Error>;
}
