//! Automation data of one repository: workflows, their runs and jobs, releases, pull requests, the
//! newest commit; and the packages of an owner.

mod commits;
mod jobs;
mod packages;
mod pulls;
mod releases;
mod rows;
mod runs;
mod unfinished;
mod whole;
mod workflows;

use super::pass::Tally;
use super::run::Failure;
use super::subject::Subject;
use crate::github;

pub(super) use packages::{OwnerRecord, of_owner};

/// How many items of the lists that never end are read in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    pub workflow_runs: usize,
    pub releases: usize,
    /// `None` for all.
    pub pull_requests: Option<usize>,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { workflow_runs: 1000, releases: 50, pull_requests: None }
    }
}

/// Reads and stores each kind of data. What one of them refuses keeps none of the others.
///
/// # Errors
///
/// The first refusal, after everything else was done.
pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let mut refused = None;
    let mut note = |done: Result<(), Failure>| match done {
        // It would not accept the token for anything else either.
        Err(Failure::GitHub(error @ github::Error::Unauthorized { .. })) => Err(error.into()),
        // The feature is off in this repository; rows stay as they are.
        Err(Failure::GitHub(
            github::Error::NotFound { what } | github::Error::Gone { what, .. },
        )) => {
            tracing::info!(repo.name = %subject.name, what, "not there");
            Ok(())
        }
        Err(Failure::GitHub(error)) => {
            refused.get_or_insert(error);
            Ok(())
        }
        other => other,
    };
    note(workflows::sync(subject, tally).await)?;
    note(runs::sync(subject, tally).await)?;
    note(releases::sync(subject, tally).await)?;
    note(pulls::sync(subject, tally).await)?;
    note(commits::sync(subject, tally).await)?;
    refused.map_or(Ok(()), |error| Err(error.into()))
}
