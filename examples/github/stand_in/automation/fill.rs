//! Makes automation that looks like life from a seed. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::{
    generate::{Dice, person, sentence},
    repository::Repository,
    world::World,
};
use super::sha;

/// How much of each a generated repository gets, and its owner of packages.
///
/// The pull requests are among the issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Workflows of a repository.
    pub workflows: usize,
    /// Runs of all its workflows, all of them finished.
    pub runs: usize,
    /// Releases of a repository.
    pub releases: usize,
    /// Commits of its default branch; without any, it is empty.
    pub commits: usize,
    /// Packages of an owner, of two types by turns.
    pub packages: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { workflows: 3, runs: 25, releases: 4, commits: 12, packages: 3 }
    }
}

const WORKFLOWS: [&str; 5] = ["CI", "Release", "Nightly", "Lint", "Docs"];

const CONCLUSIONS: [&str; 10] = [
    "success",
    "success",
    "success",
    "success",
    "success",
    "success",
    "failure",
    "failure",
    "cancelled",
    "skipped",
];

const EVENTS: [&str; 4] = ["push", "pull_request", "schedule", "workflow_dispatch"];

/// Gives a repository what `sizes` says, over a thousand days from `begin` on.
pub(crate) fn fill(
    repository: &mut Repository,
    sizes: Sizes,
    begin: DateTime<Utc>,
    dice: &mut Dice,
) {
    for at in moments(sizes.commits, begin, dice) {
        let message = format!("{}\n\n{}.", sentence(5, dice), sentence(12, dice));
        let author = (!dice.one_in(10)).then(|| person(dice));
        repository.put_commit(&message, author, at);
    }
    let workflows: Vec<u64> = (0..sizes.workflows)
        .map(|nth| {
            let again = nth / WORKFLOWS.len();
            let name = WORKFLOWS[nth % WORKFLOWS.len()];
            let id = repository.add_workflow(&match again {
                0 => name.to_owned(),
                _ => format!("{name} {again}"),
            });
            let workflow = repository.workflow_mut(id).expect("it was just added");
            (workflow.created_at, workflow.updated_at) = (begin, begin);
            id
        })
        .collect();
    if !workflows.is_empty() {
        for at in moments(sizes.runs, begin, dice) {
            let nth = usize::try_from(dice.below(workflows.len() as u64)).unwrap_or_default();
            run(repository, workflows[nth], at, dice);
        }
    }
    for (nth, at) in moments(sizes.releases, begin, dice).into_iter().enumerate() {
        let id = repository.push_release(&format!("v0.{}.0", nth + 1));
        let release = repository.release_mut(id).expect("it was just pushed");
        release.created_at = at;
        release.published_at = Some(at + TimeDelta::minutes(5));
        release.author = person(dice);
        release.prerelease = dice.one_in(4);
    }
}

/// A finished run of this time; one in eight failed first and was run again.
fn run(repository: &mut Repository, workflow: u64, at: DateTime<Utc>, dice: &mut Dice) {
    let id = repository.start_run(workflow);
    for name in ["test", "package"].into_iter().take(below(dice, 3)) {
        repository.add_job(id, name);
    }
    let commits = repository.commits();
    let known = commits.iter().rev().find(|one| one.committed_at <= at).or(commits.first());
    let commit = known.map(|one| (one.sha.clone(), one.title().to_owned()));
    let again = dice.one_in(8);
    let first = if again { "failure" } else { CONCLUSIONS[below(dice, 10)] };
    repository.finish_run(id, first);
    if again {
        repository.rerun(id);
        repository.finish_run(id, "success");
    }
    let run = repository.run_mut(id).expect("it was just started");
    if let Some((sha, title)) = commit {
        (run.head_sha, run.title) = (sha, title);
    }
    EVENTS[below(dice, 4)].clone_into(&mut run.event);
    if run.event == "pull_request" {
        run.head_branch = format!("change-{}", dice.below(50));
        run.head_sha = sha(&format!("{} {}", run.head_branch, run.id));
    }
    (run.actor, run.triggering_actor) = (person(dice), person(dice));
    // What was made just now is put where it belongs in time, attempt by attempt.
    run.created_at = at;
    let mut begin = at;
    for attempt in 1..=run.attempt {
        let queued = TimeDelta::seconds(seconds(dice, 60));
        let mut end = begin;
        for job in run.jobs.iter_mut().filter(|job| job.attempt == attempt) {
            job.created_at = begin;
            job.started_at = begin + queued;
            let done = job.started_at + TimeDelta::seconds(30 + seconds(dice, 1_200));
            job.completed_at = Some(done);
            end = end.max(done);
        }
        run.started_at = begin;
        run.updated_at = end;
        begin = end + TimeDelta::seconds(600);
    }
}

/// Gives an owner packages, which belong to its repository `of`.
pub(crate) fn fill_owner(
    world: &mut World,
    of: u64,
    sizes: Sizes,
    begin: DateTime<Utc>,
    dice: &mut Dice,
) {
    let Some(owner) = world.by_id(of).map(|one| one.owner().to_owned()) else { return };
    for nth in 0..sizes.packages {
        let kind = ["container", "npm"][nth % 2];
        let name = format!("widgets/part-{nth}");
        for version in 1..=1 + below(dice, 4) {
            world.publish_version(&owner, kind, &name, &format!("0.{version}.0"));
        }
        let package = world.package_mut(&owner, kind, &name).expect("it was just published");
        package.repository = Some(of);
        let mut at = begin;
        package.created_at = at;
        for version in &mut package.versions {
            at += TimeDelta::seconds(seconds(dice, 8_000_000));
            version.created_at = at;
        }
        package.updated_at = at;
    }
}

/// So many times in a thousand days, in order.
fn moments(count: usize, begin: DateTime<Utc>, dice: &mut Dice) -> Vec<DateTime<Utc>> {
    let mut all: Vec<_> = (0..count).map(|_| seconds(dice, 86_400_000)).collect();
    all.sort_unstable();
    all.into_iter().map(|after| begin + TimeDelta::seconds(after)).collect()
}

fn seconds(dice: &mut Dice, limit: u64) -> i64 {
    i64::try_from(dice.below(limit)).unwrap_or_default()
}

fn below(dice: &mut Dice, limit: u64) -> usize {
    usize::try_from(dice.below(limit)).unwrap_or_default()
}
