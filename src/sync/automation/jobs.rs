//! The jobs of a run, of all its attempts.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::rows;
use crate::github::model::Job;
use crate::github::{self, decode_list};
use crate::store::{Row, SetAside, key_of_job};
use crate::sync::run::Failure;
use crate::sync::subject::Subject;

/// How many runs' jobs are asked for at once.
const AT_ONCE: usize = 4;

/// What was read of the jobs of runs.
#[derive(Default)]
pub(super) struct Jobs {
    pub(super) rows: Vec<Row>,
    pub(super) set_aside: Vec<SetAside>,
}

/// The jobs of all these runs.
pub(super) async fn of_runs(subject: &Subject<'_>, runs: &[i64]) -> Result<Jobs, Failure> {
    let of_each = stream::iter(runs.to_vec()).map(async |run_id| of_run(subject, run_id).await);
    let of_each: Vec<Jobs> = of_each.buffered(AT_ONCE).try_collect().await?;
    Ok(of_each.into_iter().fold(Jobs::default(), |mut all, jobs| {
        all.rows.extend(jobs.rows);
        all.set_aside.extend(jobs.set_aside);
        all
    }))
}

/// The jobs of one run; none when the run is gone meanwhile.
pub(super) async fn of_run(subject: &Subject<'_>, run_id: i64) -> Result<Jobs, Failure> {
    let what = format!("/repos/{}/actions/runs/{run_id}/jobs", subject.name);
    let reader = subject.reader(&what);
    let mut next = Some(format!("{what}?filter=all&per_page=100"));
    let (mut jobs, mut walked) = (Jobs::default(), HashSet::new());
    while let Some(path) = next {
        let (body, seen, _) = match reader.ask(&path, true).await {
            Err(Failure::GitHub(github::Error::NotFound { .. } | github::Error::Gone { .. })) => {
                return Ok(jobs);
            }
            asked => asked?,
        };
        if !walked.insert(path) {
            return Err(github::Error::LinkedInCircles { what }.into());
        }
        next = seen.next_url.as_deref().map(|next| subject.source.path(next)).transpose()?;
        let decoded = decode_list::<Job>(&body.unwrap_or_default(), Some("jobs"));
        let decoded = decoded.map_err(|problem| {
            let (what, expected) = (what.clone(), "a list of jobs");
            github::Error::Unreadable { what, expected, problem }
        })?;
        subject.run.met(decoded.items.len());
        let row = |job| Row::WorkflowJob(Box::new(rows::workflow_job(job, subject.id)));
        jobs.rows.extend(decoded.items.into_iter().map(row));
        jobs.set_aside.extend(decoded.bad.into_iter().map(|bad| {
            let item_key = bad.id.map(|id| key_of_job(run_id, id));
            SetAside { item_key, ..SetAside::from(bad) }
        }));
    }
    Ok(jobs)
}
