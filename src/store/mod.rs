//! The database that holds the copies, the run history and the fence.
//!
//! # Guarantees
//!
//! - Every write asks for a [`Tenure`] and reads the fence in its own
//!   transaction: what an older run sends after a newer one was activated is refused, whole.
//! - A write of many rows is one transaction. Rows that are the same already are not touched, so
//!   the [`Counts`] are exact and an unchanged repository causes no write.
//! - A cursor or an ETag is stored in the transaction of the rows that it describes.
//!
//! # Errors
//!
//! [`Error::is_passing`] says whether the same call may work later.

mod error;
mod page;
mod row;
mod run;
mod sqlite;
mod table;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use error::Error;
pub use error::chain;
pub use page::{Completion, Counts, PageWrite, SeenPage, SetAside, fingerprint};
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

    /// The run that ended the request of this uid, if one did: neither running nor interrupted.
    async fn ended_run(&self, request_uid: &str) -> Result<Option<RunRecord>, Error>;

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

    /// Since when the resource must be read, if a complete pass has been made.
    async fn cursor(
        &self,
        repository_id: i64,
        resource: &str,
    ) -> Result<Option<DateTime<Utc>>, Error>;

    /// Writes what came of one repository in this run, and its error into its row.
    async fn put_outcome(&self, tenure: &Tenure, record: &RepositoryRecord) -> Result<(), Error>;
}
