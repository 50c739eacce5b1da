//! Automation syncs against a stand-in that answers at random: they end, no row is wrong, none is
//! lost. `SEED` chooses as in `chaos`.

use std::collections::BTreeMap;

use futures::StreamExt;
use singletrack::api::{Phase, RunType};
use singletrack::process::clock::Clock;
use singletrack::store::Sqlite;
use singletrack::sync::{Broken, Conclusion, Parts};

use crate::chaos::{seeds, time};
use crate::stand_in::{Fault, Matcher, Sizes, StandIn, World};
use crate::support::{Attempt, TOKEN, awaited};
use crate::sync::store;

const STEPS: i64 = 3;
const REPOSITORY: &str = "acme/widgets-0";

/// Each table, with what a row of it is known by.
const TABLES: [(&str, &[&str]); 7] = [
    ("workflows", &["id"]),
    ("workflow_runs", &["id"]),
    ("workflow_jobs", &["id"]),
    ("releases", &["id"]),
    ("packages", &["id"]),
    ("pull_requests", &["repository_id", "number"]),
    ("commits", &["repository_id", "sha"]),
];

/// A row by the names of its columns, without when it was stored.
type Row = BTreeMap<String, String>;
type Rows = BTreeMap<(&'static str, String), Row>;

fn beginning() -> World {
    let sizes = Sizes { runs: 130, ..Sizes::default() };
    let mut world = World::generate_with(11, 1, 60, sizes);
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(time(0)));
    world
}

/// What happens in the world before the run of this step.
fn change(world: &mut World, step: i64) {
    world.set_now(Some(time(step)));
    world.quota.used = 0;
    world.quota.resets_at = None;
    let repository = world.repository_mut(REPOSITORY);
    let workflow = repository.workflows().next().unwrap().id;
    let waiting: Vec<u64> =
        repository.runs().filter(|run| run.conclusion.is_none()).map(|run| run.id).collect();
    for run in waiting {
        repository.finish_run(run, "failure");
    }
    let runs = [(); 3].map(|()| repository.start_run(workflow));
    repository.finish_run(runs[0], "success");
    repository.finish_run(runs[1], "failure");
    repository.rerun(runs[1]);
    let pull = repository.open_pull_request(&format!("change {step}"));
    if step > 0 {
        repository.merge_pull_request(pull - 1);
        let release = repository.releases().next().unwrap().id;
        repository.delete_release(release);
    }
    repository.push_release(&format!("v9.{step}"));
    repository.push_commit(&format!("commit {step}"));
    world.publish_version("acme", "npm", "new", &format!("1.{step}.0"));
}

async fn rows(store: &Sqlite) -> Rows {
    let mut all = Rows::new();
    for (table, keys) in TABLES {
        let (columns, found) = store.query(&format!("SELECT * FROM {table}")).await.unwrap();
        for cells in found {
            let row: Row = columns.iter().cloned().zip(cells).collect();
            let key: Vec<_> = keys.iter().map(|key| row[*key].clone()).collect();
            let kept = row.into_iter().filter(|(name, _)| !name.starts_with("stored_"));
            all.insert((table, key.join("/")), kept.collect());
        }
    }
    all
}

async fn run(github: &StandIn, store: &Sqlite, step: i64) -> Result<Conclusion, Broken> {
    let clock = Clock::starting_at(time(step) + chrono::TimeDelta::seconds(1));
    let parts = Parts::of(RunType::Automation, false);
    let attempt = Attempt { clock, parts, ..Attempt::over(github) };
    Ok(awaited("the end of the run", Box::pin(attempt.try_run(store))).await?.conclusion)
}

/// What a store that was never disturbed holds after each step.
async fn calm() -> Vec<Rows> {
    let github = StandIn::start(beginning()).await;
    let mut steps = Vec::new();
    for step in 0..STEPS {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        github.world(|world| change(world, step));
        let run = run(&github, &store, step).await.unwrap();
        assert_eq!(run.phase, Phase::Succeeded, "{}", run.message);
        steps.push(rows(&store).await);
        store.close().await;
    }
    steps
}

/// The row without the mark that it was removed. A version that could not be asked for leaves its
/// tag out.
fn told(row: &Row) -> Row {
    let mut told = row.clone();
    told.retain(|name, _| name != "removed_at" && name != "latest_tag");
    told
}

/// Every row is what the world holds or has held.
fn no_row_is_wrong(now: &Rows, held: &[Rows]) -> Result<(), String> {
    for (key, row) in now {
        let mut known = held.iter().filter_map(|rows| rows.get(key));
        if !known.any(|known| told(known) == told(row)) {
            return Err(format!("{key:?} was never {row:?}"));
        }
    }
    Ok(())
}

/// Nothing is missing, and what is too many is marked where it can be.
fn nothing_is_lost(now: &Rows, right: &Rows) -> Result<(), String> {
    for (key, row) in right {
        let same = now.get(key).is_some_and(|now| {
            told(now) == told(row) && now.get("removed_at") == row.get("removed_at")
        });
        if !same {
            return Err(format!("{key:?} should be {row:?} and is {:?}", now.get(key)));
        }
    }
    let unmarked = now.iter().find(|(key, row)| {
        !right.contains_key(*key) && row.get("removed_at").is_some_and(String::is_empty)
    });
    unmarked.map_or(Ok(()), |(key, row)| Err(format!("{key:?} is not there any more: {row:?}")))
}

/// What is answered at random in the life of a seed: one kind of list, or everything.
fn disturbed(seed: u64) -> Matcher {
    const PARTS: [&str; 8] = [
        "/actions/runs",
        "/jobs",
        "/workflows",
        "/releases",
        "/pulls",
        "/commits",
        "/packages",
        "",
    ];
    Matcher::any().path_contains(PARTS[usize::try_from(seed % 8).unwrap()])
}

/// The life of one seed. Says how many of its runs came to a good end, or what is wrong.
async fn live(seed: u64, calm: &[Rows]) -> Result<u32, String> {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let github = StandIn::start(beginning()).await;
    let (disturbed, mut well) = (disturbed(seed), 0);
    for step in 0..STEPS {
        github.world(|world| change(world, step));
        let seed = seed * 1_000 + u64::try_from(step).unwrap();
        github.inject(disturbed.clone(), 0, None, Fault::Chaos { seed });
        match run(&github, &store, step).await {
            Ok(run) if run.phase.is_terminal() => well += u32::from(run.phase != Phase::Failed),
            Err(Broken::Unauthorized(_)) => {}
            other => return Err(format!("step {step} ended with {other:?}")),
        }
        github.clear_faults();
        no_row_is_wrong(&rows(&store).await, &calm[..=usize::try_from(step).unwrap()])
            .map_err(|what| format!("after step {step}: {what}"))?;
    }
    let mut last = String::new();
    for _ in 0..2 {
        last = format!("{:?}", run(&github, &store, STEPS - 1).await.map(|run| run.message));
    }
    let end = nothing_is_lost(&rows(&store).await, calm.last().unwrap());
    store.close().await;
    end.map(|()| well).map_err(|what| format!("after two calm runs ({last}): {what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_answered_no_row_of_automation_is_wrong_and_none_is_lost() {
    let calm = calm().await;
    let seeds = match std::env::var_os("SEED") {
        // Each asks for more than one of issues does.
        None => 0..40,
        Some(_) => seeds(),
    };
    let (mut well, mut broken) = (0, Vec::new());
    let mut lives = futures::stream::iter(seeds.clone())
        .map(|seed| (seed, calm.clone()))
        .map(|(seed, calm)| async move {
            (seed, tokio::spawn(async move { live(seed, &calm).await }).await)
        })
        .buffer_unordered(2);
    while let Some((seed, life)) = lives.next().await {
        match life {
            Ok(Ok(runs)) => well += runs,
            Ok(Err(what)) => broken.push(format!("SEED={seed}: {what}")),
            Err(panic) => broken.push(format!("SEED={seed}: {panic}")),
        }
    }
    let seeds = seeds.end - seeds.start;
    println!("runs: {}, of which came to a good end: {well}", seeds * STEPS.unsigned_abs());
    assert!(broken.is_empty(), "{} seeds:\n{}", broken.len(), broken.join("\n"));
}
