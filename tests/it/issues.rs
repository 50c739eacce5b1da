//! Issues and repositories that vanish, move, come back, or cannot be read.

use http::StatusCode;
use singletrack::api::Phase;
use singletrack::process::clock::Clock;
use singletrack::store::Sqlite;

use crate::stand_in::{Fault, Matcher, StandIn};
use crate::support::Attempt;
use crate::sync::{data, start, store, sync};

async fn rows(store: &Sqlite, sql: &str) -> Vec<Vec<String>> {
    store.query(sql).await.unwrap().1
}

/// The numbers of the open issues of a repository of the stand-in, pull requests left out.
fn open_numbers(github: &StandIn, name: &str) -> Vec<u64> {
    github.world(|world| {
        let issues = world.repository(name).issues();
        let open =
            issues.filter(|issue| !issue.is_pull_request() && issue.state.as_str() == "open");
        open.map(|issue| issue.number).collect()
    })
}

const REPOSITORY: &str = "acme/widgets-0";

#[tokio::test]
async fn what_is_deleted_or_transferred_leaves_a_tombstone_and_what_comes_back_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(2, 150, false).await, store(folder.path()).await);
    sync(&github, &store).await;
    let open = open_numbers(&github, REPOSITORY);
    let (deleted, lost, moved) = (open[0], open[1], open[2]);
    let new = github.world(|world| {
        world.repository_mut(REPOSITORY).delete_issue(deleted);
        world.repository_mut(REPOSITORY).lose_issue(lost);
        world.transfer_issue(REPOSITORY, moved, "acme/widgets-1")
    });
    let run = sync(&github, &store).await;
    assert_eq!((run.phase, run.result.removed), (Phase::Succeeded, 3), "{}", run.message);
    let gone = "SELECT number, removed_reason, removed_to, title IS NOT NULL FROM issues \
                WHERE removed_at IS NOT NULL ORDER BY number";
    let mut expected = [
        vec![deleted.to_string(), "deleted".into(), String::new(), "1".into()],
        vec![lost.to_string(), "deleted".into(), String::new(), "1".into()],
        vec![moved.to_string(), "transferred".into(), format!("acme/widgets-1#{new}"), "1".into()],
    ];
    expected.sort_by_key(|row| row[0].parse::<u64>().unwrap());
    assert_eq!(rows(&store, gone).await, expected);
    let there = format!("SELECT count(*) FROM issues WHERE number = {new} AND removed_at IS NULL");
    assert_eq!(rows(&store, &there).await, [["1"]], "written where it is now, and only there");

    // Once is enough: nothing is asked for again, and nothing written.
    let before = data(&store).await;
    sync(&github, &store).await;
    github.clear_requests();
    sync(&github, &store).await;
    assert!(github.requests().iter().all(|request| request.status == Some(304)));
    assert_eq!(data(&store).await, before);

    github.world(|world| {
        world.repository_mut(REPOSITORY).open_issue(lost, "it is back");
    });
    sync(&github, &store).await;
    let back = format!("SELECT removed_at, title FROM issues WHERE number = {lost}");
    assert_eq!(rows(&store, &back).await[0], ["", "it is back"]);
    store.close().await;
}

#[tokio::test]
async fn too_many_that_vanish_at_once_are_not_believed_unless_the_request_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 150, false).await, store(folder.path()).await);
    sync(&github, &store).await;
    let open = open_numbers(&github, REPOSITORY);
    github.world(|world| {
        world.repository_mut(REPOSITORY).delete_issue(open[0]);
        for number in &open[1..] {
            world.repository_mut(REPOSITORY).lose_issue(*number);
        }
    });
    github.clear_requests();
    let run = sync(&github, &store).await;
    assert_eq!((run.phase, run.result.removed), (Phase::PartiallySucceeded, 1), "{}", run.message);
    assert!(run.message.contains("full: true"), "{}", run.message);
    let asked = github.requests().iter().filter(|r| r.status == Some(404)).count();
    assert_eq!(asked, 21, "it stops asking when it has seen enough");
    let suspect = "SELECT suspect_since IS NOT NULL, sync_error IS NOT NULL FROM repositories";
    assert_eq!(rows(&store, suspect).await, [["1", "1"]]);

    let full = Attempt { full: true, ..Attempt::over(&github) }.run(&store).await;
    assert_eq!(full.conclusion.phase, Phase::Succeeded, "{}", full.conclusion.message);
    assert_eq!(full.conclusion.result.removed, i64::try_from(open.len() - 1).unwrap());
    assert_eq!(rows(&store, suspect).await, [["0", "0"]]);
    store.close().await;
}

#[tokio::test]
async fn a_repository_that_vanishes_while_it_is_read_loses_no_issue() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 30, false).await, store(folder.path()).await);
    sync(&github, &store).await;
    let lost = open_numbers(&github, REPOSITORY)[0];
    github.world(|world| {
        world.repository_mut(REPOSITORY).lose_issue(lost);
    });
    // The second look at the repository, which comes after the issue's own 404.
    let path = format!("/repos/{REPOSITORY}");
    let gone = Fault::message(StatusCode::NOT_FOUND, "Not Found");
    github.inject(Matcher::get(&path), 1, Some(1), gone);
    let run = sync(&github, &store).await;
    assert_eq!((run.phase, run.result.removed), (Phase::Failed, 0), "{}", run.message);
    assert_eq!(sync(&github, &store).await.result.removed, 1);
    store.close().await;
}

#[tokio::test]
async fn a_dry_run_says_exactly_what_the_next_run_then_does() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(2, 150, false).await, store(folder.path()).await);
    let dry = || Attempt { dry: true, ..Attempt::over(&github) };
    let said = dry().run(&store).await.conclusion.result;
    assert!(data(&store).await.iter().all(Vec::is_empty));
    let done = sync(&github, &store).await.result;
    assert_eq!((said.created, said.updated), (done.created, 0));

    let open = open_numbers(&github, REPOSITORY);
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        repository.close_issue(open[0]);
        repository.delete_issue(open[1]);
        repository.open_issue(9000, "a new one");
    });
    let everything = async || {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' \
                      AND name NOT IN ('sync_runs', 'sync_run_repositories', 'sync_fence', \
                      'sync_tickets')";
        let mut all = Vec::new();
        for table in rows(&store, tables).await.into_iter().flatten() {
            all.push(rows(&store, &format!("SELECT * FROM {table}")).await);
        }
        all
    };
    let before = everything().await;
    let said = dry().run(&store).await.conclusion.result;
    assert_eq!(everything().await, before, "a dry run has written something");
    let done = sync(&github, &store).await.result;
    assert_eq!((said.created, said.updated, said.removed), (1, 1, 1));
    assert_eq!((done.created, done.updated, done.removed), (1, 1, 1));
    assert_eq!(said.unchanged, done.unchanged);
    store.close().await;
}

#[tokio::test]
async fn an_item_that_was_set_aside_is_asked_for_until_it_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 30, false).await, store(folder.path()).await);
    github.world(|world| {
        let long_ago = world.now() - chrono::TimeDelta::days(30);
        let issue = world.repository_mut(REPOSITORY).open_issue(7, "fine at last");
        issue.close(long_ago);
        issue.updated_at = long_ago;
        issue.patch.insert("state".into(), serde_json::json!([]));
    });
    let aside = "SELECT item_key FROM sync_quarantine";
    // From the second run on it is in no list, as the cursor has moved past it.
    for _ in 0..3 {
        let run = sync(&github, &store).await;
        assert_eq!((run.phase, run.result.quarantined), (Phase::PartiallySucceeded, 1));
        assert_eq!(rows(&store, aside).await, [["7"]]);
    }
    github.world(|world| {
        world.repository_mut(REPOSITORY).issue_mut(7).unwrap().patch.clear();
    });
    let run = sync(&github, &store).await;
    assert_eq!((run.phase, run.result.created), (Phase::Succeeded, 1), "{}", run.message);
    assert!(rows(&store, aside).await.is_empty());
    let title = "SELECT title FROM issues WHERE number = 7";
    assert_eq!(rows(&store, title).await, [["fine at last"]]);
    store.close().await;
}

#[tokio::test]
async fn a_pass_that_was_cut_short_goes_on_where_it_stopped() {
    for full in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (github, store) = (start(1, 1500, false).await, store(folder.path()).await);
        let attempt = |request: &str| Attempt {
            full,
            request: Some(request.into()),
            ..Attempt::over(&github)
        };
        let closed = || Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
        let gate = github.hold(closed().with("page", "6"));
        let first = attempt("it");
        let stop = first.stop.clone();
        let (broken, ()) = tokio::join!(first.try_run(&store), async {
            gate.arrived().await;
            stop.cancel();
        });
        assert!(broken.is_err());
        gate.open();
        github.clear_requests();
        let done = attempt("it").run(&store).await.conclusion;
        assert_eq!(done.phase, Phase::Succeeded, "{}", done.message);
        let asked = asked_pages(&github, "closed");
        assert!(*asked.first().unwrap() >= 4, "at most two are under way: {asked:?}");
        assert!(asked_one_by_one(&github).is_empty(), "what was met before the cut is not missing");
        let total = "SELECT (SELECT count(*) FROM issues) + (SELECT count(*) FROM pull_requests)";
        assert_eq!(rows(&store, total).await, [["1500"]]);
        let cursor = "SELECT count(*) FROM sync_cursors WHERE resource = 'issues.closed' \
                      AND since IS NOT NULL AND next_url IS NULL";
        assert_eq!(rows(&store, cursor).await, [["1"]]);
        store.close().await;
    }
}

#[tokio::test]
async fn a_full_pass_of_another_request_and_one_of_long_ago_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 900, false).await, store(folder.path()).await);
    let attempt = |request: &str| Attempt {
        full: true,
        request: Some(request.into()),
        ..Attempt::over(&github)
    };
    let closed = || Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
    let cut = async |request: &str| {
        let gate = github.hold(closed().with("page", "4"));
        let it = attempt(request);
        let stop = it.stop.clone();
        let (broken, ()) = tokio::join!(it.try_run(&store), async {
            gate.arrived().await;
            stop.cancel();
        });
        assert!(broken.is_err());
        gate.open();
        github.clear_requests();
    };
    cut("one").await;
    attempt("another").run(&store).await;
    assert_eq!(asked_pages(&github, "closed").first(), Some(&1));
    cut("one again").await;
    let later = Clock::starting_at(Clock::default().now() + chrono::TimeDelta::hours(2));
    Attempt { clock: later, ..attempt("one again") }.run(&store).await;
    assert_eq!(asked_pages(&github, "closed").first(), Some(&1));
    store.close().await;
}

#[tokio::test]
async fn a_request_does_not_go_on_with_what_another_one_has_read_before_it_was_created() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 900, false).await, store(folder.path()).await);
    let numbers = open_numbers(&github, REPOSITORY);
    let open = Matcher::get("/repos/acme/widgets-0/issues").with("state", "open");
    let gate = github.hold(open.with("page", "3"));
    let first = Attempt::over(&github);
    let stop = first.stop.clone();
    let (broken, ()) = tokio::join!(first.try_run(&store), async {
        gate.arrived().await;
        stop.cancel();
    });
    assert!(broken.is_err());
    gate.open();
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        repository.edit_issue(numbers[0], |issue| issue.title = "changed in between".into());
    });
    let second = sync(&github, &store).await;
    assert_eq!(second.phase, Phase::Succeeded, "{}", second.message);
    let title = format!("SELECT title FROM issues WHERE number = {}", numbers[0]);
    assert_eq!(rows(&store, &title).await, [["changed in between"]]);
    store.close().await;
}

/// The numbers of the pages of this list that were asked for, in order.
fn asked_pages(github: &StandIn, state: &str) -> Vec<u64> {
    let asked = github.requests().into_iter().map(|request| request.path_and_query);
    let list = asked.filter(|path| path.contains(&format!("state={state}")));
    let page = |path: String| {
        let number =
            path.split("&page=").nth(1).map(|rest| rest.split('&').next().unwrap().parse());
        number.map_or(1, Result::unwrap)
    };
    list.map(page).collect()
}

/// The paths of the issues that were asked for one by one.
fn asked_one_by_one(github: &StandIn) -> Vec<String> {
    let asked = github.requests().into_iter().map(|request| request.path_and_query);
    asked.filter(|path| path.contains("/issues/")).collect()
}

#[tokio::test]
async fn a_pass_that_begins_again_in_smaller_pages_moves_the_cursor_for_what_it_changed_before() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 400, false).await, store(folder.path()).await);
    // On clocks of their own, which jump over the pauses between tries.
    let run = async |day: i64| {
        let now = Clock::default().now() + chrono::TimeDelta::days(day - 10);
        github.world(|world| world.set_now(Some(now)));
        let clock = Clock::starting_at(now);
        let came = Attempt { clock, full: true, ..Attempt::over(&github) }.run(&store).await;
        assert_eq!(came.conclusion.phase, Phase::Succeeded, "{}", came.conclusion.message);
        rows(&store, "SELECT since FROM sync_cursors WHERE resource = 'issues.closed'").await
    };
    let before = run(0).await;
    let first = "SELECT min(number) FROM issues WHERE state = 'closed'";
    let first = rows(&store, first).await[0][0].parse().unwrap();
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        repository.edit_issue(first, |issue| issue.title = "changed".into());
    });
    let closed = Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
    let second = closed.with("per_page", "100").with("page", "2");
    github.inject(second, 0, None, Fault::html(StatusCode::BAD_GATEWAY));
    let title = format!("SELECT title FROM issues WHERE number = {first}");
    assert_ne!(run(1).await, before, "the change was on the page before the one that failed");
    assert_eq!(rows(&store, &title).await, [["changed"]]);
    assert!(asked_pages(&github, "closed").contains(&3), "the list was read in smaller pages");
}
