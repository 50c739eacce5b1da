//! The automation sync against the stand-in: what is stored, what is asked for, what is left out.

use http::StatusCode;
use serde_json::json;
use singletrack::api::{Phase, RepositoryPhase, RunType};
use singletrack::process::clock::Clock;
use singletrack::store::Sqlite;
use singletrack::sync::Parts;

use crate::stand_in::{Fault, Feature, Matcher, Sizes, StandIn, World};
use crate::support::{Attempt, Came, TOKEN};
use crate::sync::{data, store};

pub(crate) const REPOSITORY: &str = "acme/widgets-0";

pub(crate) async fn start(sizes: Sizes) -> StandIn {
    let mut world = World::generate_with(11, 1, 30, sizes);
    world.token = Some(TOKEN.to_owned());
    StandIn::start(world).await
}

pub(crate) fn automation(github: &StandIn) -> Attempt {
    Attempt { parts: Parts::of(RunType::Automation, false), ..Attempt::over(github) }
}

pub(crate) async fn rows(store: &Sqlite, sql: &str) -> Vec<Vec<String>> {
    store.query(sql).await.unwrap().1
}

pub(crate) async fn count(store: &Sqlite, table: &str) -> usize {
    rows(store, &format!("SELECT count(*) FROM {table}")).await[0][0].parse().unwrap()
}

/// How often paths with this in them were asked for since they were last cleared.
fn asked(github: &StandIn, part: &str) -> usize {
    github.requests().iter().filter(|request| request.path_and_query.contains(part)).count()
}

#[track_caller]
pub(crate) fn succeeded(came: &Came) {
    assert_eq!(came.conclusion.phase, Phase::Succeeded, "{}", came.conclusion.message);
}

#[tokio::test]
async fn all_is_stored_and_what_is_unchanged_is_neither_transferred_nor_written() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = Sizes { runs: 130, ..Sizes::default() };
    let (github, store) = (start(sizes).await, store(folder.path()).await);
    succeeded(&automation(&github).run(&store).await);
    let jobs = github.world(|world| {
        world.repository(REPOSITORY).runs().map(|run| run.jobs.len()).sum::<usize>()
    });
    let pulls = github.world(|world| {
        world.repository(REPOSITORY).issues().filter(|issue| issue.is_pull_request()).count()
    });
    for (table, expected) in [
        ("workflows", sizes.workflows),
        ("workflow_runs", 130),
        ("workflow_jobs", jobs),
        ("releases", sizes.releases),
        ("pull_requests", pulls),
        ("packages", sizes.packages),
        ("commits", 1),
        ("issues", 0),
    ] {
        assert_eq!(count(&store, table).await, expected, "{table}");
    }
    let newest = "SELECT r.latest_commit_sha = c.sha FROM repositories r JOIN commits c \
                  ON c.repository_id = r.id";
    assert_eq!(rows(&store, newest).await, [["1"]]);
    let tags = "SELECT count(*) FROM packages WHERE latest_tag IS NOT NULL";
    assert_ne!(rows(&store, tags).await, [["0"]]);

    let before = data(&store).await;
    for _ in 0..2 {
        github.clear_requests();
        let again = automation(&github).run(&store).await;
        succeeded(&again);
        assert_eq!(again.conclusion.result.changed, 0, "{}", again.conclusion.message);
        for request in github.requests() {
            assert_eq!(request.status, Some(304), "{}", request.path_and_query);
        }
        assert_eq!(asked(&github, "/actions/runs"), 1, "one page of finished runs is enough");
        assert_eq!(asked(&github, "/pulls"), 1);
        assert_eq!(asked(&github, "package_type="), 6);
        assert_eq!(data(&store).await, before);
    }
    store.close().await;
}

#[tokio::test]
async fn a_run_is_asked_for_until_it_has_finished_and_each_attempt_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let (early, gone) = github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        (repository.start_run(workflow), repository.start_run(workflow))
    });
    succeeded(&automation(&github).run(&store).await);
    let state = async |id: u64| {
        let sql = format!(
            "SELECT status, run_attempt, removed_at IS NOT NULL, (SELECT group_concat(status) \
             FROM workflow_jobs WHERE run_id = r.id) FROM workflow_runs r WHERE id = {id}"
        );
        rows(&store, &sql).await.remove(0)
    };
    assert_eq!(state(early).await, ["in_progress", "1", "0", "in_progress"]);
    // More than a page of finished runs comes before it in the list.
    add_runs(&github, 120);
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        repository.finish_run(early, "failure");
        repository.delete_run(gone);
    });
    succeeded(&automation(&github).run(&store).await);
    assert_eq!(state(early).await, ["completed", "1", "0", "completed"]);
    assert_eq!(state(gone).await[2], "1", "what was deleted keeps its row");

    github.world(|world| world.repository_mut(REPOSITORY).rerun(early));
    let full = Attempt { full: true, ..automation(&github) };
    succeeded(&full.run(&store).await);
    let attempts = state(early).await;
    assert_eq!(attempts[1], "2");
    assert!(attempts[3].contains("completed,"), "the jobs of both attempts: {attempts:?}");
    github.clear_requests();
    succeeded(&automation(&github).run(&store).await);
    assert_eq!(asked(&github, &gone.to_string()), 0, "nobody asks for what is gone");
    store.close().await;
}

/// Runs that have finished, on top of those that are there.
pub(crate) fn add_runs(github: &StandIn, count: usize) {
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        for _ in 0..count {
            let run = repository.start_run(workflow);
            repository.finish_run(run, "success");
        }
    });
}

#[tokio::test]
async fn a_pass_that_was_cut_short_leaves_no_hole_however_much_later_the_next_one_is() {
    for hours in [0, 2] {
        let folder = tempfile::tempdir().unwrap();
        let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
        let mut now = Clock::default().now();
        for _ in 0..2 {
            // The second time all on the first page is known when the next pass begins, and what
            // comes after it is not.
            add_runs(&github, 250);
            let there = count(&store, "workflow_runs").await;
            let second_page = Matcher::any().path_contains("/actions/runs").with("page", "2");
            let fault = Fault::message(StatusCode::FORBIDDEN, "Resource not accessible");
            github.inject(second_page, 0, None, fault);
            let clock = Clock::starting_at(now);
            let cut = Attempt { clock, ..automation(&github) }.run(&store).await;
            assert_eq!(cut.achieved.records[0].phase, RepositoryPhase::Failed);
            assert_eq!(count(&store, "workflow_runs").await, there + 100);
            assert_ne!(count(&store, "releases").await, 0, "what else there is was read");
            github.clear_faults();
            now += chrono::TimeDelta::hours(hours);
            let clock = Clock::starting_at(now);
            succeeded(&Attempt { clock, ..automation(&github) }.run(&store).await);
            let all = github.world(|world| world.repository(REPOSITORY).runs().count());
            assert_eq!(count(&store, "workflow_runs").await, all, "{hours} hours later");
            now += chrono::TimeDelta::minutes(1);
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_pull_request_is_read_again_when_it_has_changed_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::generate_with(11, 1, 0, Sizes::default());
    world.token = Some(TOKEN.to_owned());
    let github = StandIn::start(world).await;
    let store = store(folder.path()).await;
    let long_ago = chrono::DateTime::from_timestamp(1_767_225_600, 0);
    let numbers: Vec<u64> = github.world(|world| {
        world.set_now(long_ago);
        let repository = world.repository_mut(REPOSITORY);
        let numbers = (0..230).map(|n| repository.open_pull_request(&format!("pull {n}")));
        numbers.collect()
    });
    github.world(|world| world.set_now(None));
    succeeded(&automation(&github).run(&store).await);
    github.world(|world| world.repository_mut(REPOSITORY).merge_pull_request(numbers[0]));
    github.clear_requests();
    let run = automation(&github).run(&store).await;
    assert_eq!(run.conclusion.result.updated, 1, "{}", run.conclusion.message);
    assert_eq!(asked(&github, "/pulls"), 1, "the rest is older than the cursor");
    let merged = "SELECT number, state, merged, source FROM pull_requests WHERE merged = 1";
    assert_eq!(rows(&store, merged).await, [[&numbers[0].to_string(), "closed", "1", "pulls"]]);
    assert_eq!(count(&store, "pull_requests").await, 230);
    store.close().await;
}

#[tokio::test]
async fn a_scheduled_run_with_automation_does_both_and_the_sources_agree() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let both = || Attempt { parts: Parts::of(RunType::Scheduled, true), ..Attempt::over(&github) };
    succeeded(&both().run(&store).await);
    assert_ne!(count(&store, "issues").await, 0);
    assert_ne!(count(&store, "workflow_runs").await, 0);
    succeeded(&both().run(&store).await);
    let before = data(&store).await;
    let full = Attempt { full: true, ..both() }.run(&store).await;
    assert_eq!(full.conclusion.result.changed, 0, "{}", full.conclusion.message);
    assert_eq!(data(&store).await, before, "both lists tell the same of a pull request");
    store.close().await;
}

#[tokio::test]
async fn what_is_not_shown_is_said_and_keeps_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    github.world(|world| {
        world.refuse_packages("acme");
        world.repository_mut(REPOSITORY).refuse(Feature::Actions);
    });
    github.clear_requests();
    let run = automation(&github).run(&store).await;
    let record = &run.achieved.records[0];
    assert_eq!(record.reason.as_deref(), Some("Forbidden"), "{record:?}");
    assert!(record.error.as_deref().unwrap().contains("/actions/workflows"), "{record:?}");
    assert_ne!(count(&store, "releases").await, 0);
    assert_eq!(run.achieved.records.len(), 1, "no packages is no failure");
    assert!(run.conclusion.message.contains("no packages of acme"), "{}", run.conclusion.message);
    assert_eq!(asked(&github, "package_type="), 1, "the first refusal is enough");
    github.world(|world| {
        world.repository_mut(REPOSITORY).allow(Feature::Actions);
        world.allow_packages("acme");
    });
    succeeded(&automation(&github).run(&store).await);
    assert_ne!(count(&store, "packages").await, 0);
    store.close().await;
}

#[tokio::test]
async fn what_github_has_no_more_is_marked_and_an_empty_repository_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    succeeded(&automation(&github).run(&store).await);
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        let release = repository.releases().next().unwrap().id;
        repository.delete_workflow(workflow);
        repository.delete_release(release);
        repository.make_empty();
        let package = world.packages()[0].clone();
        world.delete_package("acme", &package.kind, &package.name);
    });
    let run = automation(&github).run(&store).await;
    succeeded(&run);
    assert_eq!(run.conclusion.result.removed, 3, "{}", run.conclusion.message);
    for table in ["workflows", "releases", "packages"] {
        let gone = format!("SELECT count(*) FROM {table} WHERE removed_at IS NOT NULL");
        assert_eq!(rows(&store, &gone).await, [["1"]], "{table}");
    }
    let newest = "SELECT latest_commit_sha IS NULL FROM repositories";
    assert_eq!(rows(&store, newest).await, [["1"]]);
    store.close().await;
}

#[tokio::test]
async fn the_newest_commit_is_known_again_after_it_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let newest = "SELECT latest_commit_sha FROM repositories";
    succeeded(&automation(&github).run(&store).await);
    let known = rows(&store, newest).await;
    // As of an empty repository.
    let none = Fault::message(StatusCode::CONFLICT, "Git Repository is empty.");
    github.inject(Matcher::get(&format!("/repos/{REPOSITORY}/commits")), 0, Some(1), none);
    succeeded(&automation(&github).run(&store).await);
    assert_ne!(rows(&store, newest).await, known);
    succeeded(&automation(&github).run(&store).await);
    assert_eq!(rows(&store, newest).await, known);
    store.close().await;
}

#[tokio::test]
async fn a_person_has_packages_too() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    github.world(|world| world.make_person("acme"));
    let run = automation(&github);
    let discovery = run.discovery.clone();
    succeeded(&run.run(&store).await);
    assert_ne!(count(&store, "packages").await, 0);
    github.clear_requests();
    succeeded(&Attempt { discovery, ..automation(&github) }.run(&store).await);
    assert_eq!(asked(&github, "/orgs/"), 0, "it is known by now that acme is a person");
    store.close().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_asked_for_again_with_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let (run, job) = github.world(|world| {
        let run = world.repository(REPOSITORY).runs().next().unwrap();
        (run.id, run.jobs[0].id)
    });
    let bad = json!({"total_count": 1, "jobs": [{"id": job, "run_id": run, "name": ["no text"]}]});
    let path = format!("/repos/{REPOSITORY}/actions/runs/{run}/jobs");
    github.inject(Matcher::get(&path), 0, Some(1), Fault::json(StatusCode::OK, &bad));
    let first = automation(&github).run(&store).await;
    assert_eq!(first.conclusion.phase, Phase::PartiallySucceeded);
    let aside = "SELECT item_key FROM sync_quarantine";
    assert_eq!(rows(&store, aside).await, [[format!("run {run} job {job}")]]);
    let there = format!("SELECT count(*) FROM workflow_runs WHERE id = {run}");
    assert_eq!(rows(&store, &there).await, [["1"]], "the run itself is fine");
    succeeded(&automation(&github).run(&store).await);
    assert!(rows(&store, aside).await.is_empty());
    let there = format!("SELECT count(*) FROM workflow_jobs WHERE id = {job}");
    assert_eq!(rows(&store, &there).await, [["1"]]);
    store.close().await;
}

#[tokio::test]
async fn a_job_that_cannot_be_read_is_asked_for_again_also_beyond_the_pages_that_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let run = github.world(|world| {
        world.set_now(chrono::DateTime::from_timestamp(1_767_225_600, 0));
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        repository.start_run(workflow)
    });
    add_runs(&github, 120);
    github.world(|world| world.set_now(None));
    succeeded(&automation(&github).run(&store).await);
    let job = github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        repository.finish_run(run, "success");
        repository.run(run).unwrap().jobs[0].id
    });
    let bad = json!({"total_count": 1, "jobs": [{"id": job, "run_id": run, "name": ["no text"]}]});
    let path = format!("/repos/{REPOSITORY}/actions/runs/{run}/jobs");
    github.inject(Matcher::get(&path), 0, Some(1), Fault::json(StatusCode::OK, &bad));
    let first = automation(&github).run(&store).await;
    assert_eq!(first.conclusion.phase, Phase::PartiallySucceeded);
    succeeded(&automation(&github).run(&store).await);
    let status = format!("SELECT status FROM workflow_jobs WHERE id = {job}");
    assert_eq!(rows(&store, &status).await, [["completed"]]);
    assert!(rows(&store, "SELECT id FROM sync_quarantine").await.is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_404_that_other_answers_belie_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(Sizes::default()).await, store(folder.path()).await);
    let run = github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        repository.start_run(workflow)
    });
    succeeded(&automation(&github).run(&store).await);
    let read_at = "SELECT latest_commit_sha, (SELECT complete_at FROM sync_cursors \
                   WHERE resource = 'commits') FROM repositories";
    let before = rows(&store, read_at).await;
    assert!(!before[0][0].is_empty());
    // The run is on the first page, and the repository has a commit.
    for path in [format!("actions/runs/{run}"), "commits".to_owned()] {
        let fault = Fault::message(StatusCode::NOT_FOUND, "Not Found");
        github.inject(Matcher::get(&format!("/repos/{REPOSITORY}/{path}")), 0, None, fault);
    }
    succeeded(&automation(&github).run(&store).await);
    let gone = format!("SELECT removed_at FROM workflow_runs WHERE id = {run}");
    assert_eq!(rows(&store, &gone).await, [[""]]);
    assert_eq!(rows(&store, read_at).await, before, "what was not read is no fresher");
    store.close().await;
}
