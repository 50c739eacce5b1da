//! Plans: a story is told once undisturbed, and then once for each of its writes at the API server
//! and each moment of that write, with the operator killed there and another one going on.
//!
//! The plans are made from what the undisturbed story has shown, not by hand. Each ends with the same
//! rows as the undisturbed one, and with a history that breaks no rule. `PLANS=all` tells all of
//! them (`make plans`), `PLAN='Plan { … }'`, as a failure names it, one; else some are drawn by `SEED`.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequestSpec};

use crate::history::{Floor, Recorder, Times};
use crate::requests::{github, holder};
use crate::support::{
    Dump, Home, Moment, Namespace, Operator, Pod, Proxy, data, dump, operator, poll,
};

const TIMES: Times =
    Times { stale_after: Duration::from_secs(12), heartbeat: Duration::from_millis(400) };

/// How many plans are drawn when nobody says which.
const DRAWN: usize = 40;

/// How many are told at once: each is two processes and a proxy.
const AT_ONCE: usize = 6;

/// What people ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// One manual request.
    Manual,
    /// A scheduled one with automation data.
    Scheduled,
    /// Three that are answered by one run or two.
    Coalesced,
    /// One that is deleted when it has ended.
    Deleted,
}

impl Story {
    const ALL: [Self; 4] = [Self::Manual, Self::Scheduled, Self::Coalesced, Self::Deleted];

    fn requests(self) -> Vec<(&'static str, SyncRequestSpec)> {
        let of = SyncRequestSpec::of;
        let coalesce = || SyncRequestSpec {
            concurrency_policy: ConcurrencyPolicy::Coalesce,
            ..of(RunType::Manual)
        };
        match self {
            Self::Manual => vec![("a", of(RunType::Manual))],
            Self::Scheduled => {
                vec![("a", SyncRequestSpec { automation: true, ..of(RunType::Scheduled) })]
            }
            Self::Coalesced => vec![("a", coalesce()), ("b", coalesce()), ("c", coalesce())],
            Self::Deleted => {
                let ttl = Some(0);
                vec![(
                    "a",
                    SyncRequestSpec { ttl_seconds_after_finished: ttl, ..of(RunType::Manual) },
                )]
            }
        }
    }
}

/// Where an operator is killed, and who goes on.
#[derive(Clone, Copy, Debug)]
struct Plan {
    story: Story,
    write: usize,
    moment: Moment,
    /// Whether the same pod comes back, or another one goes on.
    same_pod: bool,
}

/// What has come of a story.
struct Told {
    rows: Dump,
    writes: Vec<String>,
    /// Whether the operator was killed; it is not when the story has fewer writes this time.
    killed: bool,
}

async fn tell(story: Story, plan: Option<Plan>) -> Told {
    let space = Namespace::new("plan").await;
    let home = Home::sqlite();
    let github = github(1, 6).await;
    let proxy = Proxy::start(&space).await;
    let start = |pod: &str, kubeconfig: Option<&std::path::Path>| -> Operator {
        let starter = home.keep(operator(&space, &github, home.folder())).pod(&Pod::named(pod));
        let starter = starter.times(TIMES.stale_after, TIMES.heartbeat);
        match kubeconfig {
            Some(path) => starter.env("KUBECONFIG", &path.to_string_lossy()).start(),
            None => starter.start(),
        }
    };
    if let Some(plan) = plan {
        proxy.set_trap(plan.write, plan.moment);
    }
    let mut first = start("one", Some(&proxy.kubeconfig(home.folder())));
    // Also when the trap has sprung already: preparing it takes no write at the API server.
    let reader = home.open();
    let prepared = async || reader.ask("SELECT active FROM sync_fence").await.is_ok().then_some(());
    poll("the store is prepared", prepared).await;
    reader.close().await;
    let recorder = Recorder::start(&space, &home).await;
    for (name, spec) in story.requests() {
        space.create(name, spec).await;
    }
    let over = async || {
        for (name, _) in story.requests() {
            ended(&space, story, name).await;
        }
    };
    // Whoever goes on gives the lock back. A dead one keeps it until somebody asks for the next run.
    let all_over = async |dead: &str| {
        over().await;
        let is_free = |lease: &Lease| holder(lease).is_empty() || holder(lease) == dead;
        space.lease_when("nobody alive holds it", is_free).await;
    };
    let (mut next, mut dead) = (None, String::new());
    tokio::select! {
        () = proxy.sprung(), if plan.is_some() => {
            first.kill();
            let lease = space.leases().get_opt("singletrack").await.expect("an answer");
            dead = lease.as_ref().map(holder).unwrap_or_default();
            let same = plan.is_some_and(|plan| plan.same_pod);
            next = Some(start(if same { "one" } else { "two" }, None));
        }
        () = all_over("") => {}
    }
    all_over(&dead).await;
    drop(first);
    let killed = next.is_some();
    drop(next);
    let history = recorder.end(&home, TIMES).await;
    history.check(Floor { runs: 1, rows: 1, ..Floor::default() });
    Told { rows: data(dump(&home.open()).await), writes: proxy.writes(), killed }
}

/// Waits until the request has ended well, or is gone where that is its end.
async fn ended(space: &Namespace, story: Story, name: &str) {
    if story == Story::Deleted {
        let gone = async || space.requests().get_opt(name).await.expect("an answer").is_none();
        return poll("it is gone", async || gone().await.then_some(())).await;
    }
    let request = space.finished(name).await;
    assert_eq!(request.phase(), Phase::Succeeded, "{:?}", request.status);
}

/// All plans of the stories, from what each has shown undisturbed.
async fn learned() -> Vec<(Plan, Dump)> {
    let mut plans = Vec::new();
    for story in Story::ALL {
        let told = tell(story, None).await;
        println!("{story:?}: {} writes: {}", told.writes.len(), told.writes.join(", "));
        for write in 0..told.writes.len() {
            for moment in Moment::ALL {
                for same_pod in [true, false] {
                    plans.push((Plan { story, write, moment, same_pod }, told.rows.clone()));
                }
            }
        }
    }
    plans
}

/// Those that are to be told now.
fn chosen(mut plans: Vec<(Plan, Dump)>) -> Vec<(Plan, Dump)> {
    let setting = |name: &str| std::env::var_os(name).and_then(|it| it.into_string().ok());
    if let Some(one) = setting("PLAN") {
        plans.retain(|(plan, _)| format!("{plan:?}") == one);
        assert!(!plans.is_empty(), "there is no such plan: {one}");
        return plans;
    }
    if setting("PLANS").is_some() {
        return plans;
    }
    let mut seed: u64 = setting("SEED").and_then(|it| it.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let mut drawn = Vec::new();
    while drawn.len() < DRAWN && !plans.is_empty() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(seed >> 33).expect("it fits") % plans.len();
        drawn.push(plans.swap_remove(at));
    }
    drawn
}

#[tokio::test]
async fn an_operator_that_is_killed_at_a_write_leaves_nothing_undone() {
    let plans = chosen(learned().await);
    let count = plans.len();
    let told = stream::iter(plans).map(async |(plan, rows)| {
        let told = AssertUnwindSafe(tell(plan.story, Some(plan))).catch_unwind().await;
        match told {
            Ok(told) if told.rows == rows => Ok(told.killed),
            Ok(told) => Err(format!("PLAN='{plan:?}': other rows: {:?}", told.rows)),
            Err(_) => Err(format!("PLAN='{plan:?}': see above")),
        }
    });
    let told: Vec<Result<bool, String>> = told.buffer_unordered(AT_ONCE).collect().await;
    let failed: Vec<_> = told.iter().filter_map(|it| it.as_ref().err().cloned()).collect();
    assert!(failed.is_empty(), "{} of {count} plans:\n{}", failed.len(), failed.join("\n"));
    let killed: Vec<bool> = told.into_iter().flatten().collect();
    let killed = killed.into_iter().filter(|killed| *killed).count();
    println!("{count} plans told, {killed} with a kill");
    assert!(killed * 10 >= count * 8, "{killed} of {count} plans have met their write");
}
