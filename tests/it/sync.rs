//! One run after the other against the stand-in: what is asked, and what is written.

use std::path::Path;

use http::StatusCode;
use singletrack::api::Phase;
use singletrack::github::Access;
use singletrack::process::clock::Clock;
use singletrack::store::{RepositoryRecord, Sqlite, Store, TABLES};
use singletrack::sync::{Broken, Conclusion};

use crate::stand_in::{Fault, Matcher, StandIn, World};
use crate::support::{Attempt, TOKEN};

/// One run over all repositories of the stand-in.
pub(crate) async fn sync(github: &StandIn, store: &Sqlite) -> Conclusion {
    Attempt::over(github).run(store).await.conclusion
}

/// One run over all repositories of the stand-in, with this access and on this clock.
pub(crate) async fn sync_as(
    github: &StandIn,
    store: &Sqlite,
    access: &Access,
    clock: &Clock,
) -> Result<(Conclusion, Vec<RepositoryRecord>), Broken> {
    let (access, clock) = (access.clone(), clock.clone());
    let attempt = Attempt { access, clock, ..Attempt::over(github) };
    let came = attempt.try_run(store).await?;
    Ok((came.conclusion, came.achieved.records))
}

pub(crate) async fn store(folder: &Path) -> Sqlite {
    let store = Sqlite::at(&folder.join("store.db"));
    store.prepare("test").await.unwrap();
    store
}

pub(crate) async fn start(repositories: usize, issues: usize, cursor_links: bool) -> StandIn {
    let mut world = World::generate(11, repositories, issues);
    world.token = Some(TOKEN.to_owned());
    world.cursor_links = cursor_links;
    StandIn::start(world).await
}

/// Whether the table holds copies, and not what the operator tells of itself.
pub(crate) fn is_data(table: &str) -> bool {
    !table.starts_with("sync_") && table != "schema_info"
}

/// Every row of the data tables.
pub(crate) async fn data(store: &Sqlite) -> Vec<Vec<Vec<String>>> {
    let mut tables = Vec::new();
    for (table, _) in TABLES.iter().filter(|(name, _)| is_data(name)) {
        tables.push(store.query(&format!("SELECT * FROM {table}")).await.unwrap().1);
    }
    tables
}

#[tokio::test]
async fn all_issues_are_stored_and_from_the_third_run_on_nothing_is_transferred_or_written() {
    for cursor_links in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (github, store) = (start(2, 730, cursor_links).await, store(folder.path()).await);
        let first = sync(&github, &store).await;
        assert_eq!((first.phase, first.result.created), (Phase::Succeeded, 1460));
        let rows = store.query("SELECT count(*) FROM issues").await.unwrap().1[0][0].clone();
        let pulls =
            store.query("SELECT count(*) FROM pull_requests").await.unwrap().1[0][0].clone();
        let total: i64 = rows.parse::<i64>().unwrap() + pulls.parse::<i64>().unwrap();
        assert_eq!(total, 1460);

        sync(&github, &store).await;
        let before = data(&store).await;
        for _ in 0..2 {
            github.clear_requests();
            let again = sync(&github, &store).await;
            assert_eq!((again.phase, again.result.changed), (Phase::Succeeded, 0));
            let asked = github.requests();
            assert!(!asked.is_empty());
            for request in asked {
                assert_eq!(request.status, Some(304), "{}", request.path_and_query);
            }
            assert_eq!(again.result.api.requests, again.result.api.not_modified);
            assert_eq!(data(&store).await, before, "a data row was written");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn what_changes_is_updated_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 250, false).await, store(folder.path()).await);
    sync(&github, &store).await;
    let open = "SELECT min(number) FROM issues WHERE state = 'open'";
    let number = store.query(open).await.unwrap().1[0][0].parse().unwrap();
    github.world(|world| {
        world.repository_mut("acme/widgets-0").close_issue(number);
        world.repository_mut("acme/widgets-0").open_issue(9001, "a new one");
    });
    let second = sync(&github, &store).await;
    assert_eq!((second.result.created, second.result.updated), (1, 1));
    let row = format!("SELECT state, status, stored_by FROM issues WHERE number = {number}");
    assert_eq!(store.query(&row).await.unwrap().1, [["closed", "done", "2"]]);
    let stamped = "SELECT count(*) FROM issues WHERE stored_by = 2";
    assert_eq!(store.query(stamped).await.unwrap().1, [["2"]]);
    store.close().await;
}

#[tokio::test]
async fn what_comes_after_a_full_last_page_is_found_although_that_page_is_unchanged() {
    for cursor_links in [false, true] {
        let mut world = World::empty();
        (world.token, world.cursor_links) = (Some(TOKEN.to_owned()), cursor_links);
        let repository = world.add_repository("acme/widgets");
        for number in 1..=100 {
            repository.open_issue(number, "one of a full page");
        }
        let folder = tempfile::tempdir().unwrap();
        let (github, store) = (StandIn::start(world).await, store(folder.path()).await);
        sync(&github, &store).await;
        github.world(|world| {
            world.repository_mut("acme/widgets").open_issue(101, "the first of the next");
        });
        let second = sync(&github, &store).await;
        assert_eq!((second.phase, second.result.created), (Phase::Succeeded, 1));
        store.close().await;
    }
}

#[tokio::test]
async fn a_server_that_is_ill_for_a_while_costs_nothing_but_time() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 250, false).await, store(folder.path()).await);
    let page = || Matcher::get("/repos/acme/widgets-0/issues");
    github.inject(page().with("state", "open"), 0, Some(1), Fault::html(StatusCode::BAD_GATEWAY));
    github.inject(page().with("page", "2"), 0, Some(1), Fault::CutBody { after: 500 });
    github.inject(page().with("state", "closed"), 0, Some(1), Fault::Reset);
    let run = sync(&github, &store).await;
    assert_eq!((run.phase, run.result.created), (Phase::Succeeded, 250));
    assert!(run.result.api.retried >= 3, "{:?}", run.result.api);
    store.close().await;
}

#[tokio::test]
async fn a_page_that_never_comes_whole_fails_the_repository_and_moves_no_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 250, false).await, store(folder.path()).await);
    let bomb =
        Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed").with("page", "2");
    github.inject(bomb, 0, Some(1), Fault::GzipBomb { bytes: 80 << 20 });
    let run = sync(&github, &store).await;
    assert_eq!(run.phase, Phase::Failed);
    assert!(run.message.contains("not read"), "{}", run.message);
    let cursors = "SELECT resource FROM sync_cursors WHERE complete_at IS NOT NULL";
    assert_eq!(store.query(cursors).await.unwrap().1, [["issues.open"]]);
    let healed = sync(&github, &store).await;
    assert_eq!(healed.phase, Phase::Succeeded);
    let all = "SELECT (SELECT count(*) FROM issues) + (SELECT count(*) FROM pull_requests)";
    assert_eq!(store.query(all).await.unwrap().1, [["250"]]);
    store.close().await;
}

#[tokio::test]
async fn an_item_that_is_nested_too_deep_for_the_database_is_set_aside_like_another() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 30, false).await, store(folder.path()).await);
    let deep =
        format!("[{{\"title\":\"no number\",\"x\":{}{}}}]", "[".repeat(3000), "]".repeat(3000));
    let open = Matcher::get("/repos/acme/widgets-0/issues").with("state", "open");
    let fault = Fault::Status { status: StatusCode::OK, headers: vec![], body: deep.into_bytes() };
    github.inject(open, 0, Some(1), fault);
    let run = sync(&github, &store).await;
    assert_eq!(run.phase, Phase::PartiallySucceeded, "{}", run.message);
    assert_eq!(run.result.quarantined, 1);
    store.close().await;
}

#[tokio::test]
async fn a_row_that_the_database_refuses_is_set_aside_and_the_pass_is_complete_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let github = start(1, 0, false).await;
    github.world(|world| {
        let repository = world.repository_mut("acme/widgets-0");
        let id = repository.open_issue(1, "open").id;
        repository.open_issue(2, "of the same id").id = id;
        repository.open_issue(3, "fine");
        repository.close_issue(2);
        repository.close_issue(3);
    });
    let store = store(folder.path()).await;
    let run = sync(&github, &store).await;
    assert_eq!((run.phase, run.result.quarantined), (Phase::PartiallySucceeded, 1));
    let numbers = "SELECT number FROM issues ORDER BY number";
    assert_eq!(store.query(numbers).await.unwrap().1, [["1"], ["3"]]);
    let cursors = "SELECT resource FROM sync_cursors WHERE since IS NOT NULL";
    assert_eq!(store.query(cursors).await.unwrap().1, [["issues.closed"]]);
    store.close().await;
}

#[tokio::test]
async fn the_tables_of_another_operator_are_not_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("CREATE TABLE sync_store (owner TEXT NOT NULL)").execute(&pool).await.unwrap();
    sqlx::query("INSERT INTO sync_store VALUES ('other')").execute(&pool).await.unwrap();
    pool.close().await;
    let store = Sqlite::at(&path);
    let refused = store.prepare("test").await.unwrap_err();
    assert!(refused.to_string().contains("owner \"other\""), "{refused}");
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    assert_eq!(store.query(tables).await.unwrap().1, [["sync_store"]]);
    store.close().await;
}
