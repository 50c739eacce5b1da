//! The automation sync: what the limits and the age of runs leave out, and what they must not.

use std::time::Duration;

use http::StatusCode;
use singletrack::process::clock::Clock;
use singletrack::store::Retention;
use singletrack::sync::ReadLimits;

use crate::automation::{REPOSITORY, add_runs, automation, count, rows, start, succeeded};
use crate::stand_in::{Fault, Matcher, Sizes, StandIn, World};
use crate::support::{Attempt, TOKEN};
use crate::sync::store;

#[tokio::test]
async fn what_the_limits_cut_off_is_said_until_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = Sizes { runs: 250, releases: 9, ..Sizes::default() };
    let (github, store) = (start(sizes).await, store(folder.path()).await);
    let pull_requests = Some(2);
    let limits = ReadLimits { workflow_runs: 100, releases: 5, pull_requests };
    let limited = || Attempt { limits, ..automation(&github) };
    for _ in 0..2 {
        let run = limited().run(&store).await;
        succeeded(&run);
        assert!(run.conclusion.message.contains("truncated: acme/widgets-0"), "every time");
        let record = &run.achieved.records[0];
        assert_eq!((record.complete, record.truncated), (false, true));
    }
    for (table, expected) in [("workflow_runs", 100), ("releases", 5), ("pull_requests", 2)] {
        assert_eq!(count(&store, table).await, expected, "{table}");
    }
    let horizon = "SELECT datetime(horizon) = (SELECT datetime(min(created_at)) FROM workflow_runs) \
                   FROM sync_cursors WHERE resource = 'runs'";
    assert_eq!(rows(&store, horizon).await, [["1"]]);
    // Also after a run in which the page was as it was.
    let horizon = horizon.replace("workflow_runs", "releases").replace("'runs'", "'releases'");
    assert_eq!(rows(&store, &horizon).await, [["1"]]);

    let full = Attempt { full: true, ..automation(&github) }.run(&store).await;
    assert!(!full.conclusion.message.contains("truncated"), "{}", full.conclusion.message);
    assert_eq!(count(&store, "workflow_runs").await, 250);
    let after = automation(&github).run(&store).await;
    assert!(!after.achieved.records[0].truncated);
    store.close().await;
}

#[tokio::test]
async fn a_list_that_begins_again_in_smaller_pages_is_not_cut_off_early() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = Sizes { releases: 120, ..Sizes::default() };
    let mut world = World::generate_with(11, 1, 0, sizes);
    world.token = Some(TOKEN.to_owned());
    let (github, store) = (StandIn::start(world).await, store(folder.path()).await);
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        for n in 0..120 {
            repository.open_pull_request(&format!("pull {n}"));
        }
    });
    for list in ["pulls", "releases"] {
        let second = Matcher::get(&format!("/repos/{REPOSITORY}/{list}")).with("page", "2");
        let too_much = Fault::html(StatusCode::BAD_GATEWAY);
        github.inject(second.with("per_page", "100"), 0, None, too_much);
    }
    let limits = ReadLimits { releases: 120, pull_requests: Some(120), ..ReadLimits::default() };
    succeeded(&Attempt { limits, ..automation(&github) }.run(&store).await);
    assert_eq!(count(&store, "pull_requests").await, 120);
    assert_eq!(count(&store, "releases").await, 120);
    store.close().await;
}

#[tokio::test]
async fn more_new_runs_than_the_limit_are_said_to_be_a_hole() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let limits = ReadLimits { workflow_runs: 100, ..ReadLimits::default() };
    let limited = || Attempt { limits, ..automation(&github) };
    let first = limited().run(&store).await;
    assert!(!first.achieved.records[0].truncated);
    add_runs(&github, 150);
    for _ in 0..2 {
        assert!(limited().run(&store).await.achieved.records[0].truncated);
    }
    store.close().await;
}

#[tokio::test]
async fn what_is_too_old_to_be_kept_is_not_stored_only_to_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let times = github.world(|world| {
        let runs = world.repository(REPOSITORY).runs();
        let mut times: Vec<_> = runs.map(|run| run.updated_at).collect();
        times.sort();
        times
    });
    let middle = times[times.len() / 2];
    let kept = times.iter().filter(|at| **at >= middle).count();
    let clock = Clock::starting_at(middle + chrono::TimeDelta::days(30));
    let day = Duration::from_secs(24 * 3600);
    let retention = Retention { workflow_runs: Some(day * 30), ..Retention::default() };
    for _ in 0..3 {
        let clock = clock.clone();
        let run = Attempt { clock, retention, ..automation(&github) }.run(&store).await;
        succeeded(&run);
        assert_eq!(count(&store, "workflow_runs").await, kept);
    }
    store.close().await;
}
