//! GitHub's objects, as leniently as they come: what may be missing or null is optional,
//! enumerations are open texts, and only what identifies a thing is required.

mod automation;
mod issue;

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Deserializer};

pub use automation::{
    Commit, Installation, InstallationToken, Job, Package, PackageVersion, PullRequest, RateLimit,
    Release, Workflow, WorkflowRun,
};
pub use issue::{Issue, Label, Milestone, Repository, User};

/// A time, where year 1 stands for none: GitHub's way to say that a job never started.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let time = Option::<DateTime<Utc>>::deserialize(from)?;
    Ok(time.filter(|time| (2..=9999).contains(&time.year())))
}
