//! Whole runs against a stand-in that answers at random: they end, no row is wrong, none is lost.
//!
//! `SEED=7 cargo test --test it chaos` plays one seed alone, and `SEED=60..300` others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use http::StatusCode;
use secrecy::SecretString;
use singletrack::api::Phase;
use singletrack::github::{Access, BaseUrl};
use singletrack::process::clock::Clock;
use singletrack::store::Sqlite;
use singletrack::sync::{Broken, Conclusion};

use crate::stand_in::{Fault, Matcher, StandIn, World};
use crate::support::{TOKEN, awaited};
use crate::sync::{store, sync_as};

const SEEDS: u64 = 60;
/// Two pages of open ones, and two of closed ones.
const ISSUES: usize = 250;
/// How often the world changes in a seed's life, each time before a run.
const STEPS: i64 = 3;
const REPOSITORIES: [&str; 2] = ["acme/widgets-0", "acme/widgets-1"];

/// A row of a table without what tells when it was stored: column by column.
type Row = Vec<(String, String)>;
/// The rows of both tables, by table, repository and number.
type Rows = BTreeMap<(&'static str, String, String), Row>;

/// Long enough apart that no wait of one run reaches into the next.
pub(crate) fn time(step: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(step * 400)
}

fn beginning() -> World {
    let mut world = World::generate(11, 1, ISSUES);
    world.add_repository(REPOSITORIES[1]);
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(time(0)));
    world
}

/// What happens in the world before the run of this step.
fn change(world: &mut World, step: i64) {
    world.set_now(Some(time(step)));
    world.quota.used = 0;
    world.quota.resets_at = None;
    let shift = u64::try_from(step).unwrap();
    for name in REPOSITORIES {
        let repository = world.repository_mut(name);
        let numbers: Vec<u64> = repository.issues().map(|issue| issue.number).collect();
        for number in numbers {
            match (number + shift) % 30 {
                0 => {
                    repository.edit_issue(number, |issue| issue.title = format!("edited {step}"));
                    repository.close_issue(number);
                }
                1 => {
                    repository.reopen_issue(number);
                }
                _ => {}
            }
        }
        repository.open_issue(1000 + shift, "a new one");
        repository.delete_issue(17 * shift);
    }
}

async fn rows(store: &Sqlite) -> Rows {
    let mut all = Rows::new();
    for table in ["issues", "pull_requests"] {
        let (columns, found) = store.query(&format!("SELECT * FROM {table}")).await.unwrap();
        for cells in found {
            let named = columns.iter().cloned().zip(cells);
            let row: Row = named.filter(|(name, _)| !name.starts_with("stored_")).collect();
            let cell =
                |wanted: &str| row.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
            all.insert((table, cell("repository_id"), cell("number")), row);
        }
    }
    all
}

fn is_removed(row: &Row) -> bool {
    let removed = row.iter().find(|(name, _)| name == "removed_at");
    removed.is_some_and(|(_, at)| !at.is_empty() && at != "NULL")
}

/// The row as it was before it was marked as removed.
fn unmarked(row: &Row) -> Row {
    row.iter().filter(|(name, _)| !name.starts_with("removed_")).cloned().collect()
}

/// One run at this step of the world, on a clock that jumps over all waits.
async fn run(github: &StandIn, store: &Sqlite, step: i64) -> Result<Conclusion, Broken> {
    let base = BaseUrl::parse(&github.base_url(), false).unwrap();
    let access = Access::with_token(base, SecretString::from(TOKEN));
    let clock = Clock::starting_at(time(step) + TimeDelta::seconds(1));
    let run = sync_as(github, store, &access, &clock);
    Ok(awaited("the end of the run", run).await?.0)
}

/// The rows of a store that was never disturbed, after each step; the last is at the end.
async fn calm() -> Vec<Rows> {
    let github = StandIn::start(beginning()).await;
    let mut steps = Vec::new();
    for step in 0..STEPS {
        // A new store each time: what is held now, without what is held no more.
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

/// Every row is what the world holds or has held.
fn no_row_is_wrong(now: &Rows, held: &[Rows], refused: &BTreeSet<String>) -> Result<(), String> {
    for (key, row) in now {
        let known = held.iter().filter_map(|rows| rows.get(key));
        if !known.clone().any(|known| unmarked(known) == unmarked(row)) {
            return Err(format!("{key:?} was never {row:?}, but {:?}", known.collect::<Vec<_>>()));
        }
        let exists = held.last().is_some_and(|rows| rows.contains_key(key));
        // 404 and 410 for one issue are GitHub's words for it, and believed.
        if is_removed(row) && exists && !refused.contains(&key.2) {
            return Err(format!("{key:?} is there and was removed: {row:?}"));
        }
    }
    Ok(())
}

/// Nothing is missing, and what is too many is marked as removed.
fn nothing_is_lost(now: &Rows, right: &Rows) -> Result<(), String> {
    for (key, row) in right {
        if now.get(key) != Some(row) {
            return Err(format!("{key:?} should be {row:?} and is {:?}", now.get(key)));
        }
    }
    let extra = now.iter().find(|(key, row)| !right.contains_key(*key) && is_open(row));
    extra.map_or(Ok(()), |(key, row)| Err(format!("{key:?} is not there any more: {row:?}")))
}

fn is_open(row: &Row) -> bool {
    !is_removed(row) && row.contains(&("state".to_owned(), "open".to_owned()))
}

/// The numbers of the issues for which alone a 404 or a 410 was answered.
fn refused(github: &StandIn) -> BTreeSet<String> {
    let asked = github.requests().into_iter();
    let gone = asked.filter(|one| matches!(one.status, Some(404 | 410)));
    gone.filter_map(|one| Some(one.path_and_query.rsplit_once("/issues/")?.1.to_owned())).collect()
}

/// The life of one seed. Says how many of its runs failed, or what is wrong.
async fn live(seed: u64, calm: &[Rows]) -> Result<u32, String> {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let github = StandIn::start(beginning()).await;
    let mut failed = 0;
    for step in 0..STEPS {
        github.world(|world| change(world, step));
        let seed = seed * 1_000 + u64::try_from(step).unwrap();
        github.inject(Matcher::any(), 0, None, Fault::Chaos { seed });
        match run(&github, &store, step).await {
            Ok(run) if run.phase.is_terminal() => failed += u32::from(run.phase == Phase::Failed),
            Err(Broken::Unauthorized(_)) => failed += 1,
            other => return Err(format!("step {step} ended with {other:?}")),
        }
        github.clear_faults();
        let held = &calm[..=usize::try_from(step).unwrap()];
        no_row_is_wrong(&rows(&store).await, held, &refused(&github))
            .map_err(|what| format!("after step {step}: {what}"))?;
    }
    let mut last = String::new();
    for _ in 0..2 {
        let run = run(&github, &store, STEPS - 1).await;
        last = format!("{:?}", run.map(|run| run.message));
    }
    let end = calm.last().unwrap();
    let end = nothing_is_lost(&rows(&store).await, end);
    store.close().await;
    end.map(|()| failed).map_err(|what| format!("after two calm runs ({last}): {what}"))
}

/// All seeds, or those of the variable: one, or a range such as `60..300`.
pub(crate) fn seeds() -> Range<u64> {
    let Some(given) = std::env::var_os("SEED") else { return 0..SEEDS };
    let given = given.to_str().unwrap();
    match given.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => given.parse().map(|seed: u64| seed..seed + 1).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_answered_no_row_is_wrong_and_none_is_lost() {
    let calm = Arc::new(calm().await);
    let seeds = seeds();
    let runs = (seeds.end - seeds.start) * u64::try_from(STEPS).unwrap();
    let (mut failed, mut broken) = (0, Vec::new());
    let mut lives = futures::stream::iter(seeds)
        .map(|seed| {
            let calm = Arc::clone(&calm);
            async move { (seed, tokio::spawn(async move { live(seed, &calm).await }).await) }
        })
        .buffer_unordered(2);
    while let Some((seed, life)) = lives.next().await {
        match life {
            Ok(Ok(runs)) => failed += runs,
            Ok(Err(what)) => broken.push(format!("SEED={seed}: {what}")),
            Err(panic) => broken.push(format!("SEED={seed}: {panic}")),
        }
    }
    println!("runs: {runs}, of which failed: {failed}");
    assert!(broken.is_empty(), "{} seeds:\n{}", broken.len(), broken.join("\n"));
}

#[tokio::test]
async fn a_list_whose_pages_lead_in_a_circle_fails_and_is_whole_the_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let (store, github) = (store(folder.path()).await, StandIn::start(beginning()).await);
    let query = "state=closed&sort=created&direction=asc&per_page=100";
    let second = Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
    // Another address of the first page, so that the circle is seen only one page later.
    let back = format!("<{{base}}/repos/acme/widgets-0/issues?{query}&page=1>; rel=\"next\"");
    let first = run(&github, &store, 0).await.unwrap();
    assert_eq!(first.phase, Phase::Succeeded, "{}", first.message);
    // The page as it is, with its own ETag, which leads wrong.
    let asked = "SELECT etag, numbers FROM sync_etags WHERE url LIKE '%state=closed%page=2%'";
    let known = store.query(asked).await.unwrap().1[0].clone();
    store.close().await;
    let folder = tempfile::tempdir().unwrap();
    let store = self::store(folder.path()).await;
    let numbers: Vec<u64> = serde_json::from_str(&known[1]).unwrap();
    let items: Vec<_> = numbers
        .iter()
        .map(|number| serde_json::json!({"number": number, "state": "closed"}))
        .collect();
    let fault = Fault::json(StatusCode::OK, &items.into())
        .with_header("etag", &known[0])
        .with_header("link", &back);
    github.inject(second.with("page", "2"), 0, None, fault);
    let circle = run(&github, &store, 0).await.unwrap();
    assert!(circle.message.contains("circle"), "{}", circle.message);
    github.clear_faults();
    let healed = run(&github, &store, 0).await.unwrap();
    assert_eq!(healed.phase, Phase::Succeeded, "{}", healed.message);
    store.close().await;
}

#[tokio::test]
async fn an_item_without_a_number_holds_the_cursor_until_it_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, github) = (store(folder.path()).await, StandIn::start(beginning()).await);
    let page = Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
    let body = br#"[{"id":1},{"id":2,"number":3,"state":"closed"}]"#.to_vec();
    let fault = Fault::Status { status: StatusCode::OK, headers: Vec::new(), body };
    github.inject(page.without("page"), 0, Some(1), fault);
    let first = run(&github, &store, 0).await.unwrap();
    assert_eq!(first.phase, Phase::PartiallySucceeded, "{}", first.message);
    let cursor = "SELECT since FROM sync_cursors WHERE resource = 'issues.closed' \
                  AND repository_id = 700000001";
    let unmoved = store.query(cursor).await.unwrap().1;
    run(&github, &store, 0).await.unwrap();
    assert_ne!(store.query(cursor).await.unwrap().1, unmoved, "it moves with a whole pass");
    let all = "SELECT (SELECT count(*) FROM issues) + (SELECT count(*) FROM pull_requests)";
    assert_eq!(store.query(all).await.unwrap().1, [[ISSUES.to_string()]]);
    store.close().await;
}
