//! Labels that do not fit: written back to GitHub, or set right from it.

use http::{Method, StatusCode};
use singletrack::api::{Phase, RunType};
use singletrack::store::Sqlite;
use singletrack::sync::{Parts, RulesConfig};

use crate::stand_in::{Fault, Matcher, StandIn, World};
use crate::support::{Attempt, TOKEN};
use crate::sync::{store, sync};

const REPOSITORY: &str = "acme/widgets";

/// One repository with an issue of each kind.
async fn start() -> StandIn {
    let mut world = World::empty();
    world.token = Some(TOKEN.to_owned());
    let repository = world.add_repository(REPOSITORY);
    repository.open_issue(1, "open").set_labels(&["status/todo"]);
    repository.open_issue(2, "closed").set_labels(&["status/in progress/100%", "bug"]);
    repository.open_issue(3, "closed and done").set_labels(&["status/done"]);
    repository.close_issue(2);
    repository.close_issue(3);
    StandIn::start(world).await
}

fn labels(github: &StandIn, number: u64) -> Vec<String> {
    let mut labels: Vec<String> = github.world(|world| {
        let issue = world.repository(REPOSITORY).issue(number).unwrap();
        issue.labels.iter().map(|label| label.name.clone()).collect()
    });
    labels.sort();
    labels
}

fn writing(github: &StandIn) -> Attempt {
    let rules = RulesConfig { write_back: true, ..RulesConfig::default() };
    Attempt { rules, ..Attempt::over(github) }
}

fn writes(github: &StandIn) -> Vec<(Method, String)> {
    let asked = github.requests().into_iter().filter(|request| request.method != Method::GET);
    asked.map(|request| (request.method, request.path_and_query)).collect()
}

async fn stored(store: &Sqlite, number: u64) -> Vec<String> {
    let sql = format!("SELECT labels, github_labels, status FROM issues WHERE number = {number}");
    rows(store, &sql).await.remove(0)
}

async fn rows(store: &Sqlite, sql: &str) -> Vec<Vec<String>> {
    store.query(sql).await.unwrap().1
}

#[tokio::test]
async fn labels_are_written_back_only_when_asked_for_and_never_in_a_dry_run() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start().await, store(folder.path()).await);
    Attempt { dry: true, ..writing(&github) }.run(&store).await;
    sync(&github, &store).await;
    assert!(writes(&github).is_empty(), "off by default");
    assert_eq!(labels(&github, 2), ["bug", "status/in progress/100%"]);
    let both = [r#"["bug","status/done"]"#, r#"["bug","status/in progress/100%"]"#, "done"];
    assert_eq!(stored(&store, 2).await, both, "GitHub's own are kept beside ours");

    let run = Attempt { full: true, ..writing(&github) }.run(&store).await.conclusion;
    assert_eq!(run.phase, Phase::Succeeded, "{}", run.message);
    assert_eq!(labels(&github, 2), ["bug", "status/done"]);
    assert_eq!(labels(&github, 1), ["status/todo"], "only closed ones are touched");
    assert_eq!(writes(&github).len(), 2, "{:?}", writes(&github));
    writing(&github).run(&store).await;
    assert_eq!(stored(&store, 2).await[1], r#"["bug","status/done"]"#);
    assert_eq!(writes(&github).len(), 2, "what is right is not written again");
    store.close().await;
}

#[tokio::test]
async fn an_archived_repository_is_not_written_to_and_a_missing_right_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start().await, store(folder.path()).await);
    github.world(|world| world.repository_mut(REPOSITORY).archived = true);
    let run = writing(&github).run(&store).await.conclusion;
    assert_eq!((run.phase, writes(&github).len()), (Phase::Succeeded, 0), "{}", run.message);
    github.world(|world| world.repository_mut(REPOSITORY).archived = false);
    // The label is gone in the meantime, which is no error.
    let path = format!("/repos/{REPOSITORY}/issues/2/labels");
    let gone = Fault::message(StatusCode::NOT_FOUND, "Label does not exist");
    let delete = Matcher::method(Method::DELETE).path_starts_with(&path);
    github.inject(delete, 0, Some(1), gone);
    let no = Fault::message(StatusCode::FORBIDDEN, "Resource not accessible");
    github.inject(Matcher::post(&path), 0, Some(1), no);
    let run = Attempt { full: true, ..writing(&github) }.run(&store).await.conclusion;
    assert_eq!(run.phase, Phase::Failed);
    assert!(run.message.contains("Resource not accessible"), "{}", run.message);
    assert_eq!(stored(&store, 2).await[2], "done", "its row is stored all the same");
    store.close().await;
}

#[tokio::test]
async fn what_could_not_be_written_back_is_written_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start().await, store(folder.path()).await);
    // Longer ago than the next run's list reaches.
    github.world(|world| {
        let long_ago = world.now() - chrono::TimeDelta::hours(1);
        for number in [2, 3] {
            world.repository_mut(REPOSITORY).issue_mut(number).unwrap().updated_at = long_ago;
        }
        // Nothing is to be taken off, so that the one call that fails is the only one.
        world.repository_mut(REPOSITORY).issue_mut(2).unwrap().set_labels(&["bug"]);
    });
    let no = Fault::message(StatusCode::FORBIDDEN, "not now");
    let post = Matcher::post(&format!("/repos/{REPOSITORY}/issues/2/labels"));
    github.inject(post, 0, Some(1), no);
    assert_eq!(writing(&github).run(&store).await.conclusion.phase, Phase::Failed);
    assert_eq!(stored(&store, 2).await[2], "done");
    let run = writing(&github).run(&store).await.conclusion;
    assert_eq!(run.phase, Phase::Succeeded, "{}", run.message);
    assert_eq!(labels(&github, 2), ["bug", "status/done"]);
    store.close().await;
}

#[tokio::test]
async fn a_page_whose_labels_are_written_counts_once_and_moves_the_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start().await, store(folder.path()).await);
    let run = writing(&github).run(&store).await.conclusion;
    assert_eq!((run.result.created, run.result.unchanged), (3, 0), "{}", run.message);
    let cursor = "SELECT count(*) FROM sync_cursors WHERE resource = 'issues.closed' \
                  AND since IS NOT NULL";
    assert_eq!(rows(&store, cursor).await, [["1"]]);
    store.close().await;
}

#[tokio::test]
async fn an_issue_that_is_gone_when_its_labels_are_written_ends_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start().await, store(folder.path()).await);
    github.world(|world| {
        for number in 4..=120 {
            world.repository_mut(REPOSITORY).open_issue(number, "on the next page");
            world.repository_mut(REPOSITORY).close_issue(number);
        }
    });
    let post = Matcher::post(&format!("/repos/{REPOSITORY}/issues/2/labels"));
    let gone = Fault::message(StatusCode::GONE, "This issue was deleted");
    github.inject(post, 0, Some(1), gone);
    let run = writing(&github).run(&store).await.conclusion;
    assert_eq!((run.phase, run.result.created), (Phase::Succeeded, 120), "{}", run.message);
    store.close().await;
}

#[tokio::test]
async fn a_scheduled_run_sets_right_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start().await, store(folder.path()).await);
    sync(&github, &store).await;
    sync(&github, &store).await;
    // As an older version, or somebody by hand, has left it.
    let path = folder.path().join("store.db");
    let pool = sqlx::SqlitePool::connect(path.to_str().unwrap()).await.unwrap();
    let wrong = "UPDATE issues SET labels = '[\"status/todo\"]', status = 'todo' WHERE number = 3";
    sqlx::query(wrong).execute(&pool).await.unwrap();
    pool.close().await;
    sync(&github, &store).await;
    assert_eq!(stored(&store, 3).await[2], "todo", "a manual run does not look");
    let scheduled =
        || Attempt { parts: Parts::of(RunType::Scheduled, false), ..Attempt::over(&github) };
    let run = scheduled().run(&store).await.conclusion;
    assert_eq!((run.phase, run.result.updated), (Phase::Succeeded, 1));
    let right = [r#"["status/done"]"#, r#"["status/done"]"#, "done"];
    assert_eq!(stored(&store, 3).await, right);

    // An open issue that people have labelled as done is asked for, and costs nothing later.
    github.world(|world| {
        world.repository_mut(REPOSITORY).edit_issue(1, |issue| issue.set_labels(&["status/done"]));
    });
    scheduled().run(&store).await;
    assert_eq!(stored(&store, 1).await[2], "done");
    github.clear_requests();
    scheduled().run(&store).await;
    assert!(github.requests().iter().all(|request| request.status == Some(304)));
    store.close().await;
}

#[tokio::test]
async fn other_rules_make_the_rows_anew_although_nothing_has_changed_on_github() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start().await, store(folder.path()).await);
    sync(&github, &store).await;
    sync(&github, &store).await;
    let rules = RulesConfig { statuses: vec!["in-progress".into()], ..RulesConfig::default() };
    assert_eq!(stored(&store, 1).await[2], "todo");
    Attempt { rules, ..Attempt::over(&github) }.run(&store).await;
    assert_eq!(stored(&store, 1).await[2], "backlog", "the label is not a known status any more");
    store.close().await;
}
