//! Runs that had not finished when they were stored: each is asked for until it has.

use std::collections::HashSet;

use super::runs::{Old, RESOURCE, is_finished};
use super::{jobs, rows};
use crate::github::model::WorkflowRun;
use crate::github::{self, decode_one};
use crate::store::{Reached, Row, SeenPage, SetAside, Vanished, key_of_id};
use crate::sync::pass::Tally;
use crate::sync::put::put;
use crate::sync::run::Failure;
use crate::sync::subject::Subject;

/// Asks for each of them. `met` are those that are on the pages that were read: they are there,
/// whatever is answered.
pub(super) async fn sync(
    subject: &Subject<'_>,
    met: &HashSet<i64>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    for id in subject.run.store.unfinished_runs(subject.id).await? {
        match one(subject, id, false, tally).await {
            Err(Failure::GitHub(github::Error::NotFound { .. } | github::Error::Gone { .. })) => {
                if met.contains(&id) {
                    continue;
                }
                tally.counts.removed += subject.run.vanish(&Vanished::WorkflowRun(id)).await?;
            }
            done => done?,
        }
    }
    Ok(())
}

/// Asks for these runs and their jobs, also when the runs are as they were.
pub(super) async fn again(
    subject: &Subject<'_>,
    ids: &[i64],
    tally: &mut Tally,
) -> Result<(), Failure> {
    for id in ids {
        match one(subject, *id, true, tally).await {
            Err(Failure::GitHub(github::Error::NotFound { .. } | github::Error::Gone { .. })) => {}
            done => done?,
        }
    }
    Ok(())
}

async fn one(subject: &Subject<'_>, id: i64, anew: bool, tally: &mut Tally) -> Result<(), Failure> {
    let path = format!("/repos/{}/actions/runs/{id}", subject.name);
    let (body, seen, _) = subject.reader(&path).ask(&path, anew).await?;
    let Some(body) = body else { return Ok(()) };
    let mut write = subject.page(RESOURCE, Reached::Nothing);
    let text = String::from_utf8_lossy(&body);
    match decode_one::<WorkflowRun>(&text, &mut 0) {
        Ok(run) => {
            if !Old::of(subject).has_jobs_of(&run) {
                let jobs = jobs::of_run(subject, id).await?;
                (write.rows, write.set_aside) = (jobs.rows, jobs.set_aside);
            }
            // One that has finished is not asked for again.
            if !is_finished(&run) {
                write.seen = Some(SeenPage { numbers: vec![id], ..seen });
            }
            write.rows.push(Row::WorkflowRun(Box::new(rows::workflow_run(run, subject.id))));
        }
        Err(error) => {
            let (item_key, raw) = (Some(key_of_id(id)), text.into_owned());
            write.set_aside.push(SetAside { item_key, error, raw });
        }
    }
    tally.counts += put(subject.run, write).await?;
    Ok(())
}
