//! Plans: a story is told once undisturbed, and then once for each fault at each place that it has
//! shown: no place is chosen by hand.
//!
//! - Crash: the operator is killed at a write at the API server, before it is made, unanswered or
//!   answered; the same pod comes back or another one goes on.
//! - Disk: the database's disk kills it at a write, is full, broken or slow.
//! - View: an operator sees late, or never, what others do meanwhile.
//! - Cell: somebody does something to a request at each moment of its life.
//!
//! Each ends with the same rows as the undisturbed story, with a history that breaks no rule, and
//! with as many writes as there must be: one that ends each request, no run too many, no Lease a
//! second time, no word of a takeover that was none.
//!
//! `PLANS=all` tells all of them (`make plans`), `PLAN='…'`, as a failure names it, one; else some
//! are drawn by `SEED`.

mod cell;
mod crash;
mod disk;
mod hand;
mod oracle;
mod stage;
mod story;
mod view;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};

use self::cell::{Deed, Moment};
use self::crash::Crash;
use self::disk::Fault;
use self::story::Story;
use self::view::View;
use crate::history::Times;
use crate::support::{Dump, setting};

/// So long that whoever waits for the whole duration is found.
const TIMES: Times =
    Times { stale_after: Duration::from_secs(60), heartbeat: Duration::from_millis(400) };

/// How many plans are drawn when nobody says which.
const DRAWN: usize = 40;

/// How many are told at once: each is two processes and a proxy.
const AT_ONCE: usize = 6;

/// Rows that say what GitHub has.
type Rows = Dump;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    Crash(Story, Crash),
    Disk(Story, Fault),
    View(View),
    Cell(Moment, Deed),
}

pub(crate) use disk::is_possible as has_strace;

/// What has come of a story.
struct Told {
    rows: Rows,
    writes: Vec<String>,
    /// Whether the fault has met it; it does not when the story has fewer writes this time.
    met: bool,
}

/// What the undisturbed stories have left behind.
type Undisturbed = BTreeMap<Story, Rows>;

/// All plans, from what each story has shown undisturbed.
async fn learned() -> (Vec<Plan>, Undisturbed) {
    let mut plans = Vec::new();
    let mut undisturbed = BTreeMap::new();
    // A plan that is asked for by its name needs no story but its own. It may be of a time when there
    // were a few writes more.
    let one = setting("PLAN").is_some();
    let more = if one { 9 } else { 0 };
    let asked = setting("PLAN").or(setting("PLANS")).filter(|it| it != "all");
    let is_asked = |what: &str| asked.as_ref().is_none_or(|it| it.contains(what));
    let is_needed = |story: &Story| *story == Story::Manual || is_asked(&format!("{story:?}"));
    let stories: Vec<Story> = Story::ALL.into_iter().filter(is_needed).collect();
    let told = stream::iter(stories).map(async |story| (story, crash::tell(story, None).await));
    let told: Vec<(Story, Told)> = told.buffered(AT_ONCE).collect().await;
    for (story, told) in told {
        println!("{story:?}: {} writes: {}", told.writes.len(), told.writes.join(", "));
        plans.extend(
            crash::crashes(told.writes.len() + more).into_iter().map(|it| Plan::Crash(story, it)),
        );
        undisturbed.insert(story, told.rows);
    }
    if !disk::is_possible() {
        println!("there is no strace that works: no plans for the disk");
    } else if is_asked("Disk") {
        for story in [Story::Manual, Story::Scheduled].into_iter().filter(is_needed) {
            let writes = disk::tell(story, None).await.writes.len();
            println!("{story:?}: {writes} writes on the disk");
            plans.extend(disk::faults(writes, one).into_iter().map(|it| Plan::Disk(story, it)));
        }
    }
    plans.extend(view::views().into_iter().map(Plan::View));
    plans.extend(cell::cells().into_iter().map(|(moment, deed)| Plan::Cell(moment, deed)));
    (plans, undisturbed)
}

/// Those that are to be told now.
fn chosen(mut plans: Vec<Plan>) -> Vec<Plan> {
    if let Some(one) = setting("PLAN") {
        plans.retain(|plan| format!("{plan:?}") == one);
        assert!(!plans.is_empty(), "there is no such plan: {one}");
        return plans;
    }
    match setting("PLANS").as_deref() {
        None => {}
        Some("all") => return plans,
        // A part of the name.
        Some(part) => {
            plans.retain(|plan| format!("{plan:?}").contains(part));
            return plans;
        }
    }
    drawn(plans, DRAWN)
}

/// So many of them, drawn by `SEED`.
pub(crate) fn drawn<T>(mut from: Vec<T>, count: usize) -> Vec<T> {
    let mut seed: u64 = setting("SEED").and_then(|it| it.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let mut drawn = Vec::new();
    while drawn.len() < count && !from.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(seed >> 33).expect("it fits") % from.len();
        drawn.push(from.swap_remove(at));
    }
    drawn
}

/// Tells a plan, and says whether its fault has met the story.
async fn tell(plan: Plan, undisturbed: &Undisturbed) -> Result<bool, String> {
    let told = async {
        match plan {
            Plan::Crash(story, it) => (story, crash::tell(story, Some(it)).await),
            Plan::Disk(story, it) => (story, disk::tell(story, Some(it)).await),
            // Somebody has had a manual run in the end.
            Plan::View(it) => (Story::Manual, view::tell(it).await),
            Plan::Cell(moment, deed) => (Story::Manual, cell::tell(moment, deed).await),
        }
    };
    match AssertUnwindSafe(told).catch_unwind().await {
        Ok((story, told)) if told.rows != undisturbed[&story] => {
            Err(format!("PLAN='{plan:?}': other rows: {:?}", told.rows))
        }
        Ok((_, told)) => Ok(told.met),
        Err(_) => Err(format!("PLAN='{plan:?}': see above")),
    }
}

#[tokio::test]
async fn a_fault_at_any_place_of_any_story_leaves_nothing_undone() {
    let began = tokio::time::Instant::now();
    let (plans, undisturbed) = learned().await;
    let plans = chosen(plans);
    let count = plans.len();
    let (mut met, mut failed) = (0, Vec::new());
    let mut told = stream::iter(plans)
        .map(async |plan| tell(plan, &undisturbed).await)
        .buffer_unordered(AT_ONCE)
        .enumerate();
    while let Some((at, told)) = told.next().await {
        match told {
            Ok(has) => met += usize::from(has),
            Err(why) => {
                println!("{why}");
                failed.push(why);
            }
        }
        if (at + 1) % 50 == 0 {
            println!("{} of {count} plans told, {} violations", at + 1, failed.len());
        }
    }
    println!(
        "{count} plans told, {met} met by their fault, {} violations, in {} s",
        failed.len(),
        began.elapsed().as_secs()
    );
    assert!(failed.is_empty(), "{} of {count} plans:\n{}", failed.len(), failed.join("\n"));
    assert!(met * 10 >= count * 8, "only {met} of {count} faults have met their story");
}
