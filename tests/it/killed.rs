//! An operator that is killed again and again in the middle of one long run.

use singletrack::api::{Phase, RunType, SyncRequestSpec};
use singletrack::store::{Sqlite, Store, TABLES};
use singletrack::sync::Parts;
use std::collections::HashMap;
use std::time::Duration;

use crate::stand_in::{Fault, Logged, Matcher, Sizes, StandIn, World};
use crate::support::{Attempt, Namespace, Operator, TOKEN, awaited, operator, poll};
use crate::sync::{is_data, store};

const KILLS: usize = 50;

/// What is on its way when the operator is killed: a page that is being written, one that waits to
/// be, and one that is being read.
const IN_FLIGHT: usize = 3;

/// Every row of the data tables, but for who wrote it when.
async fn data(store: &Sqlite) -> Vec<Vec<Vec<String>>> {
    let mut tables = Vec::new();
    for (table, _) in TABLES.iter().filter(|(name, _)| is_data(name)) {
        let columns = format!(
            "SELECT group_concat(name, ', ') FROM pragma_table_info('{table}') \
             WHERE name NOT IN ('stored_at', 'stored_by')"
        );
        let columns = store.query(&columns).await.unwrap().1[0][0].clone();
        let all = format!("SELECT {columns} FROM {table} ORDER BY 1, 2");
        tables.push(store.query(&all).await.unwrap().1);
    }
    tables
}

/// A request that runs while its operators are killed.
struct Killing<'a> {
    space: &'a Namespace,
    github: &'a StandIn,
    reader: &'a Sqlite,
    /// What of the requests is counted, and how many of them come at most before a kill.
    is_page: fn(&Logged) -> bool,
    most: usize,
}

impl Killing<'_> {
    /// Kills one operator after the other, each a few pages after its first commit. How many is
    /// chosen by a seed.
    async fn kill(&self, kills: usize, start: impl Fn() -> Operator) {
        let mut seed =
            std::env::var_os("SEED").and_then(|it| it.to_str()?.parse().ok()).unwrap_or(1_u64);
        println!("SEED={seed}");
        for kill in 0..kills {
            let mut operator = start();
            poll("the attempt's first commit", async || {
                has_committed(self.reader, kill).await.then_some(())
            })
            .await;
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let more = usize::try_from(seed >> 33).unwrap() % (self.most + 1);
            let asked =
                |log: &[Logged]| log.iter().filter(|request| (self.is_page)(request)).count();
            let now = asked(&self.github.requests());
            awaited("a few pages more", self.github.wait_for(|log| asked(log) >= now + more)).await;
            operator.kill();
            let ended = self.space.get("long").await.status.unwrap();
            assert_eq!(ended.phase, Phase::Running, "kill {kill} came too late: make it longer");
        }
    }
}

fn is_page(request: &Logged) -> bool {
    request.path_and_query.contains("/issues?")
}

/// Whether the attempt after so many kills has committed anything.
async fn has_committed(store: &Sqlite, kills: usize) -> bool {
    // Before the operator has made the tables there is nothing to read.
    let runs = store.history(1000).await.unwrap_or_default();
    runs.len() > kills && runs.first().is_some_and(|run| run.committed)
}

#[tokio::test]
async fn fifty_kills_cost_a_long_run_only_the_pages_that_were_on_their_way() {
    let space = Namespace::new("fifty").await;
    let (folder, undisturbed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut world = World::generate(3, 1, 22_000);
    world.token = Some(TOKEN.to_owned());
    // Pages with numbers end at 10,000 items.
    world.cursor_links = true;
    let github = StandIn::start(world).await;
    let other = store(undisturbed.path()).await;
    let came = Attempt { full: true, ..Attempt::over(&github) }.run(&other).await.conclusion;
    assert_eq!(came.phase, Phase::Succeeded, "{}", came.message);
    let pages = github.requests().iter().filter(|request| is_page(request)).count();
    assert!(pages > 4 * KILLS, "each attempt must find work: {pages}");
    github.clear_requests();
    // So that a kill finds the run where it was looked for.
    let slow = Fault::Slow { delay: Duration::from_millis(40) };
    github.inject(Matcher::any().path_contains("/issues"), 0, None, slow);

    let full = SyncRequestSpec { full: true, ..SyncRequestSpec::of(RunType::Manual) };
    space.create("long", full).await;
    let reader = Sqlite::read_only(&folder.path().join("store.db"));
    let killing = Killing { space: &space, github: &github, reader: &reader, is_page, most: 3 };
    killing.kill(KILLS, || operator(&space, &github, folder.path()).start()).await;
    let _last = operator(&space, &github, folder.path()).start();
    let done = space.finished("long").await.status.unwrap();
    assert_eq!((done.phase, done.attempts), (Phase::Succeeded, Some(1)), "{:?}", done.message);

    let reads = github.requests().into_iter().filter(is_page);
    let mut times: HashMap<String, usize> = HashMap::new();
    for request in reads {
        *times.entry(request.path_and_query).or_default() += 1;
    }
    let reads: usize = times.values().sum();
    println!("{pages} pages, {KILLS} kills, {reads} reads");
    assert!(reads <= pages + KILLS * IN_FLIGHT, "{reads} reads of {pages} pages");
    assert!(data(&reader).await == data(&other).await, "the tables differ");
    reader.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_automation_sync_that_is_killed_again_and_again_ends_as_one_that_was_not() {
    const KILLS: usize = 12;
    let space = Namespace::new("kills").await;
    let (folder, undisturbed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sizes = Sizes { runs: 900, ..Sizes::default() };
    let mut world = World::generate_with(3, 1, 60, sizes);
    world.token = Some(TOKEN.to_owned());
    let github = StandIn::start(world).await;
    let other = store(undisturbed.path()).await;
    let parts = Parts::of(RunType::Automation, false);
    let came = Attempt { parts, ..Attempt::over(&github) }.run(&other).await.conclusion;
    assert_eq!(came.phase, Phase::Succeeded, "{}", came.message);
    github.clear_requests();
    let slow = Fault::Slow { delay: Duration::from_millis(20) };
    github.inject(Matcher::any().path_contains("/jobs"), 0, None, slow);

    space.create("long", SyncRequestSpec::of(RunType::Automation)).await;
    let reader = Sqlite::read_only(&folder.path().join("store.db"));
    let is_page = |request: &Logged| request.path_and_query.contains("/jobs?");
    let killing = Killing { space: &space, github: &github, reader: &reader, is_page, most: 130 };
    killing.kill(KILLS, || operator(&space, &github, folder.path()).start()).await;
    let _last = operator(&space, &github, folder.path()).start();
    let done = space.finished("long").await.status.unwrap();
    assert_eq!((done.phase, done.attempts), (Phase::Succeeded, Some(1)), "{:?}", done.message);
    assert!(data(&reader).await == data(&other).await, "the tables differ");
    reader.close().await;
    other.close().await;
}
