//! Repositories that have another name, take that of another, or are found with their owner.

use std::sync::Arc;

use http::StatusCode;
use singletrack::api::{Phase, RepositoryPhase};
use singletrack::process::clock::Clock;
use singletrack::store::Sqlite;
use singletrack::sync::Renamed;

use crate::stand_in::{Fault, Matcher, StandIn};
use crate::support::{Attempt, Came};
use crate::sync::{start, store};

async fn rows(store: &Sqlite, sql: &str) -> Vec<Vec<String>> {
    store.query(sql).await.unwrap().1
}

const REPOSITORY: &str = "acme/widgets-0";

#[tokio::test]
async fn a_renamed_repository_keeps_its_row_its_issues_and_its_cursors() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 150, false).await, store(folder.path()).await);
    let attempt = || Attempt::over(&github).tracking(&[REPOSITORY]);
    attempt().run(&store).await;
    github.world(|world| world.rename_repository(REPOSITORY, "elsewhere/gadgets"));
    let Came { conclusion, achieved } = attempt().run(&store).await;
    assert_eq!((conclusion.phase, conclusion.result.created), (Phase::Succeeded, 0));
    let renamed = Renamed { from: REPOSITORY.into(), to: "elsewhere/gadgets".into() };
    assert_eq!(achieved.renamed, [renamed]);
    let names = "SELECT full_name, tracked FROM repositories";
    assert_eq!(rows(&store, names).await, [["elsewhere/gadgets", "1"]]);
    let cursors = "SELECT count(*) FROM sync_cursors WHERE since IS NOT NULL";
    assert_eq!(rows(&store, cursors).await, [["1"]]);
    assert!(attempt().run(&store).await.achieved.renamed.is_empty(), "it is told once");
    store.close().await;
}

#[tokio::test]
async fn a_renamed_repository_that_cannot_be_read_once_stays_tracked_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(2, 10, false).await, store(folder.path()).await);
    let attempt = || Attempt::over(&github).tracking(&[REPOSITORY, "acme/widgets-1"]);
    attempt().run(&store).await;
    github.world(|world| world.rename_repository(REPOSITORY, "elsewhere/gadgets"));
    attempt().run(&store).await;
    let no = Fault::message(StatusCode::FORBIDDEN, "not now");
    github.inject(Matcher::get(&format!("/repos/{REPOSITORY}")), 0, Some(1), no);
    let run = attempt().run(&store).await.conclusion;
    assert_eq!(run.phase, Phase::PartiallySucceeded, "{}", run.message);
    let said = "SELECT tracked, sync_error LIKE '%not now%' FROM repositories \
                WHERE full_name = 'elsewhere/gadgets'";
    assert_eq!(rows(&store, said).await, [["1", "1"]]);
    store.close().await;
}

#[tokio::test]
async fn a_name_that_another_repository_has_now_merges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 40, false).await, store(folder.path()).await);
    let attempt = || Attempt::over(&github).tracking(&[REPOSITORY]);
    attempt().run(&store).await;
    let old = rows(&store, "SELECT id FROM repositories").await[0][0].clone();
    github.world(|world| {
        world.rename_repository(REPOSITORY, "acme/former");
        world.add_repository(REPOSITORY).open_issue(1, "of the new one");
    });
    let run = attempt().run(&store).await.conclusion;
    assert_eq!(run.phase, Phase::Succeeded, "{}", run.message);
    let names = format!("SELECT full_name, tracked FROM repositories WHERE id = {old}");
    assert_eq!(rows(&store, &names).await, [["acme/former", "0"]], "where it is now, not tracked");
    let issues = "SELECT title FROM issues i JOIN repositories r ON r.id = i.repository_id \
                  WHERE r.full_name = 'acme/widgets-0'";
    assert_eq!(rows(&store, issues).await, [["of the new one"]]);

    // The one of the new name is deleted and made again: its row cannot be looked up any more.
    github.world(|world| {
        world.delete_repository(REPOSITORY);
        world.add_repository(REPOSITORY);
    });
    attempt().run(&store).await;
    let tracked = "SELECT count(*), sum(tracked) FROM repositories";
    assert_eq!(rows(&store, tracked).await, [["3", "1"]]);
    store.close().await;
}

#[tokio::test]
async fn one_that_had_the_name_before_is_looked_for_until_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(1, 10, false).await, store(folder.path()).await);
    let attempt = || Attempt::over(&github).tracking(&[REPOSITORY]);
    attempt().run(&store).await;
    let old = rows(&store, "SELECT id FROM repositories").await[0][0].clone();
    github.world(|world| {
        world.rename_repository(REPOSITORY, "acme/former");
        world.add_repository(REPOSITORY);
    });
    let looked_up = || Matcher::get(&format!("/repositories/{old}"));
    github.inject(looked_up(), 0, Some(6), Fault::html(StatusCode::BAD_GATEWAY));
    // On a clock that jumps over the pauses between tries.
    let clock = Clock::starting_at(Clock::default().now());
    let run = Attempt { clock, ..attempt() }.run(&store).await.conclusion;
    assert_eq!(run.phase, Phase::Failed, "{}", run.message);
    assert_eq!(attempt().run(&store).await.conclusion.phase, Phase::Succeeded);
    let names = "SELECT full_name, tracked FROM repositories ORDER BY full_name";
    assert_eq!(rows(&store, names).await, [["acme/former", "0"], [REPOSITORY, "1"]]);

    // One that may not be looked up keeps nobody from reading the next.
    let old = rows(&store, "SELECT id FROM repositories WHERE tracked = 1").await[0][0].clone();
    github.world(|world| {
        world.rename_repository(REPOSITORY, "acme/later");
        world.add_repository(REPOSITORY);
    });
    let no = Fault::message(StatusCode::FORBIDDEN, "Repository access blocked");
    github.inject(Matcher::get(&format!("/repositories/{old}")), 0, None, no);
    assert_eq!(attempt().run(&store).await.conclusion.phase, Phase::Succeeded);
    let tracked = "SELECT count(*), sum(tracked) FROM repositories";
    assert_eq!(rows(&store, tracked).await, [["3", "1"]]);
    store.close().await;
}

#[tokio::test]
async fn repositories_are_found_with_their_owner_and_forgotten_ones_keep_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(3, 10, false).await, store(folder.path()).await);
    let discovery = Arc::default();
    let attempt = || Attempt {
        discovery: Arc::clone(&discovery),
        ..Attempt::over(&github).tracking(&["ACME/*"])
    };
    let run = attempt().run(&store).await.conclusion;
    assert_eq!((run.phase, run.result.repositories), (Phase::Succeeded, 3), "{}", run.message);
    github.clear_requests();
    attempt().run(&store).await;
    attempt().run(&store).await;
    let lists = |github: &StandIn| {
        let asked = github.requests().into_iter();
        asked.filter(|r| r.path_and_query.contains("/repos?")).collect::<Vec<_>>()
    };
    assert!(lists(&github).iter().all(|request| request.status == Some(304)));
    github.world(|world| {
        world.add_repository("acme/new");
        world.delete_repository("acme/widgets-2");
    });
    let run = attempt().run(&store).await.conclusion;
    assert_eq!((run.phase, run.result.repositories), (Phase::Succeeded, 3), "{}", run.message);
    let untracked = "SELECT full_name FROM repositories WHERE tracked = 0";
    assert_eq!(rows(&store, untracked).await, [["acme/widgets-2"]]);
    let kept = "SELECT count(*) > 0 FROM issues i JOIN repositories r ON r.id = i.repository_id \
                WHERE r.full_name = 'acme/widgets-2'";
    assert_eq!(rows(&store, kept).await, [["1"]]);

    let nobody = Attempt::over(&github).tracking(&["nobody/*", "acme/new"]).run(&store).await;
    assert_eq!(nobody.conclusion.phase, Phase::PartiallySucceeded);
    let failed = &nobody.achieved.records[1];
    assert_eq!((failed.name.as_str(), failed.phase), ("nobody/*", RepositoryPhase::Failed));
    let still = "SELECT count(*) FROM repositories WHERE tracked = 1";
    assert_eq!(rows(&store, still).await, [["3"]], "nothing is forgotten on half a list");
    store.close().await;
}

#[tokio::test]
async fn a_repository_beyond_a_full_page_of_its_owners_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(0, 0, false).await, store(folder.path()).await);
    github.world(|world| {
        for number in 100..200 {
            world.add_repository(&format!("acme/widgets-{number}"));
        }
    });
    let discovery = Arc::default();
    let attempt = || Attempt {
        discovery: Arc::clone(&discovery),
        ..Attempt::over(&github).tracking(&["acme/*"])
    };
    assert_eq!(attempt().run(&store).await.conclusion.result.repositories, 100);
    github.world(|world| {
        world.add_repository("acme/widgets-200");
    });
    assert_eq!(attempt().run(&store).await.conclusion.result.repositories, 101);
    store.close().await;
}
