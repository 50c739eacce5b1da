//! The runs of workflows, newest first, with the jobs of those that are new or have changed.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{jobs, rows, unfinished};
use crate::api::RepoName;
use crate::github::model::WorkflowRun;
use crate::store::{KnownRun, Row, SeenPage};
use crate::sync::list::{At, Draft, List, Onward};
use crate::sync::pass::{Pass, Tally};
use crate::sync::run::Failure;
use crate::sync::subject::Subject;
use crate::sync::window::OVERLAP;

pub(super) const RESOURCE: &str = "runs";

/// Reads until a page holds only runs that had finished when they were stored, and then asks for
/// those that had not and are further down, and for those there of which a job was set aside.
pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let keys = subject.run.store.set_aside(subject.id, RESOURCE).await?;
    let list = Runs {
        old: Old::of(subject),
        limit: subject.run.limits.workflow_runs,
        met: HashSet::new(),
        incomplete: keys.iter().filter_map(|key| run_of_job(key)).collect(),
    };
    let (list, _) = Pass::over(list, subject, tally).await?.run().await?;
    unfinished::sync(subject, &list.met, tally).await?;
    let beyond: Vec<i64> = list.incomplete.difference(&list.met).copied().collect();
    unfinished::again(subject, &beyond, tally).await
}

struct Runs {
    old: Old,
    limit: usize,
    met: HashSet<i64>,
    /// Runs of which a job was set aside: their jobs are asked for again.
    incomplete: HashSet<i64>,
}

/// Before when a run, and when the jobs of a run, are not kept, so that nothing is stored only to
/// be deleted.
pub(super) struct Old {
    runs: Option<DateTime<Utc>>,
    jobs: Option<DateTime<Utc>>,
}

impl Old {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let (now, keep) = (subject.run.clock.now(), &subject.run.retention);
        let before = |keep: Option<std::time::Duration>| {
            let keep = keep.and_then(|keep| chrono::TimeDelta::from_std(keep).ok())?;
            now.checked_sub_signed(keep)
        };
        Self { runs: before(keep.workflow_runs), jobs: before(keep.workflow_jobs) }
    }

    fn has_run(&self, run: &WorkflowRun) -> bool {
        is_finished(run) && is_before(run.updated_at, self.runs)
    }

    pub(super) fn has_jobs_of(&self, run: &WorkflowRun) -> bool {
        is_finished(run) && is_before(run.updated_at, self.jobs)
    }
}

fn is_before(at: Option<DateTime<Utc>>, limit: Option<DateTime<Utc>>) -> bool {
    at.zip(limit).is_some_and(|(at, limit)| at < limit)
}

pub(super) fn is_finished(run: &WorkflowRun) -> bool {
    run.status.as_deref() == Some("completed")
}

/// Whether the run is as it is stored, and stays so if nobody runs it again.
fn is_settled(run: &WorkflowRun, known: Option<&KnownRun>) -> bool {
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp());
    is_finished(run)
        && known.is_some_and(|known| {
            known.run_attempt == run.run_attempt
                && known.status == run.status
                && seconds(known.updated_at) == seconds(run.updated_at)
        })
}

/// The run in the quarantine's key of a job.
fn run_of_job(key: &str) -> Option<i64> {
    key.strip_prefix("run ")?.split(' ').next()?.parse().ok()
}

impl Runs {
    /// Whether the pass goes on after a page on which nothing may change any more if `settled`, and
    /// whose oldest run was created then.
    fn onward(&self, at: &At<'_>, settled: bool, oldest: Option<DateTime<Utc>>) -> Onward {
        // Before that, an earlier pass has read everything.
        let read = at.since.map(|since| since - OVERLAP);
        if settled && read.is_some_and(|read| oldest.is_none_or(|oldest| oldest < read)) {
            return Onward::Known;
        }
        if self.met.len() >= self.limit { Onward::Cut(oldest) } else { Onward::More }
    }
}

#[async_trait]
impl List for Runs {
    fn resource(&self) -> &'static str {
        RESOURCE
    }

    fn expected(&self) -> &'static str {
        "a list of workflow runs"
    }

    fn has_cursor(&self) -> bool {
        true
    }

    fn is_read_whole(&self) -> bool {
        false
    }

    fn first_page(&self, name: &RepoName, _since: Option<DateTime<Utc>>, size: u8) -> String {
        let size = self.limit.min(size.into());
        format!("/repos/{name}/actions/runs?per_page={size}")
    }

    fn resume(&mut self, numbers: Vec<i64>) {
        self.met.extend(numbers);
    }

    async fn skip(&mut self, at: &At<'_>, seen: &SeenPage) -> Result<Onward, Failure> {
        self.met.extend(&seen.numbers);
        // Of those that are not there any more nothing can change.
        let known = at.subject.run.store.known_runs(&seen.numbers).await?;
        let settled = known.iter().all(|run| run.status.as_deref() == Some("completed"));
        let oldest = known.iter().filter_map(|run| run.created_at).min();
        Ok(self.onward(at, settled, oldest))
    }

    async fn take(
        &mut self,
        at: &At<'_>,
        body: &[u8],
        draft: &mut Draft,
    ) -> Result<Onward, Failure> {
        let (subject, run) = (at.subject, at.subject.run);
        let runs: Vec<WorkflowRun> = draft.decode(at, body, Some("workflow_runs"), |bad| bad.id)?;
        draft.numbers.extend(runs.iter().map(|run| run.id));
        self.met.extend(&draft.numbers);
        let known = run.store.known_runs(&draft.numbers).await?;
        let known: HashMap<i64, KnownRun> = known.into_iter().map(|it| (it.id, it)).collect();
        let oldest = runs.iter().filter_map(|run| run.created_at).min();
        let all_old = !runs.is_empty() && runs.iter().all(|run| self.old.has_run(run));
        let runs: Vec<WorkflowRun> =
            runs.into_iter().filter(|run| !self.old.has_run(run)).collect();
        let settled = runs.iter().all(|run| is_settled(run, known.get(&run.id)));
        let to_ask = runs.iter().filter(|it| {
            let changed = run.full || !is_settled(it, known.get(&it.id));
            (changed || self.incomplete.contains(&it.id)) && !self.old.has_jobs_of(it)
        });
        let to_ask: Vec<i64> = to_ask.map(|run| run.id).collect();
        // In one transaction with the runs: a run that is stored has its jobs.
        let jobs = jobs::of_runs(subject, &to_ask).await?;
        draft.set_aside.extend(jobs.set_aside);
        let row = |it| Row::WorkflowRun(Box::new(rows::workflow_run(it, subject.id)));
        draft.rows = jobs.rows.into_iter().chain(runs.into_iter().map(row)).collect();
        if all_old {
            return Ok(Onward::Known);
        }
        Ok(self.onward(at, settled, oldest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_was_set_aside_tells_its_run() {
        assert_eq!(run_of_job(&crate::store::key_of_job(17, 4)), Some(17));
        assert_eq!(run_of_job("id 17"), None);
        assert_eq!(run_of_job("run x job 1"), None);
    }
}
