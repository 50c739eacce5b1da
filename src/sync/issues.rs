//! The issues of one repository: its two lists, and then each issue that they do not tell of.

use super::pass::{Met, Pass, Tally};
use super::run::{Failure, Subject};
use super::single;
use super::window::IssueList;
use crate::github;

/// Reads both lists and stores what is new, then asks for what is missing in them, what was set
/// aside before, and, in a scheduled run, what does not fit.
pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let mut met = Met::new();
    for list in [IssueList::Open, IssueList::Closed] {
        match Pass::over(list, subject, &mut met, tally).run().await {
            // Issues are switched off in this repository: rows stay as they are.
            Err(Failure::GitHub(github::Error::Gone { .. })) => return Ok(()),
            other => other?,
        }
    }
    single::heal(subject, &mut met, tally).await?;
    single::find_missing(subject, &mut met, tally).await?;
    if subject.run.reconcile {
        single::reconcile(subject, tally).await?;
    }
    Ok(())
}
