//! Repositories that fail, each in a way of its own, among many that do not.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::json;
use singletrack::api::{Phase, RepositoryPhase};
use singletrack::lease::RunNumber;
use singletrack::process::clock::Clock;
use singletrack::store::{RepositoryRecord, Sqlite, Store, chain};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::stand_in::{Fault, Matcher, StandIn, World};
use crate::support::{Attempt, Came, TOKEN};
use crate::sync::store;

fn name(n: usize) -> String {
    format!("acme/widgets-{n}")
}

fn issues(n: usize) -> Matcher {
    Matcher::get(&format!("/repos/{}/issues", name(n)))
}

/// Makes the first ten repositories fail, each in another way, and says what each message must name.
fn break_ten(github: &StandIn) -> Vec<&'static str> {
    let repository = |n: usize| Matcher::get(&format!("/repos/{}", name(n)));
    let always = |matcher, fault| github.inject(matcher, 0, None, fault);
    let ok = StatusCode::OK;
    always(repository(0), Fault::message(StatusCode::NOT_FOUND, "Not Found"));
    always(repository(1), Fault::message(StatusCode::FORBIDDEN, "Resource not accessible"));
    let blocked = Fault::message(StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS, "Repository blocked");
    always(issues(2), blocked);
    always(issues(3), Fault::html(StatusCode::BAD_GATEWAY));
    always(issues(4).with("state", "closed"), Fault::CutBody { after: 300 });
    always(issues(5), Fault::GzipBomb { bytes: 80 << 20 });
    always(issues(6), Fault::json(ok, &json!({"message": "not a list"})));
    let foreign = Fault::json(ok, &json!([]))
        .with_header("link", "<https://evil.test/issues?page=2>; rel=\"next\"");
    always(issues(7), foreign);
    let base = github.base_url();
    let circle = format!("{base}/repos/{}/issues?page=9", name(8));
    always(issues(8), Fault::redirect(StatusCode::MOVED_PERMANENTLY, &circle));
    github.world(|world| {
        let repository = world.repository_mut(&name(9));
        let all: Vec<u64> = repository.issues().map(|issue| issue.number).collect();
        for number in all {
            repository.lose_issue(number);
        }
    });
    vec![
        "404",
        "Resource not accessible",
        "Repository blocked",
        "502",
        "failed 6 times",
        "more than",
        "a list of issues",
        "evil.test",
        "moved more than",
        "too many to be true",
    ]
}

async fn counts(store: &Sqlite) -> Vec<Vec<String>> {
    let sql = "SELECT r.full_name, count(i.number), max(i.stored_by) FROM repositories r \
               LEFT JOIN issues i ON i.repository_id = r.id GROUP BY r.id ORDER BY r.id";
    store.query(sql).await.unwrap().1
}

/// On a clock that jumps over the pauses between tries.
async fn run(github: &StandIn, store: &Sqlite) -> Came {
    let clock = Clock::starting_at(Clock::default().now());
    Attempt { clock, ..Attempt::over(github) }.run(store).await
}

#[tokio::test]
async fn ten_of_sixty_fail_in_ten_ways_and_the_next_run_mends_what_has_healed() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::generate(5, 60, 30);
    // Enough open issues to be suspect when they vanish.
    for number in 1000..1030 {
        world.repository_mut(&name(9)).open_issue(number, "will vanish");
    }
    world.token = Some(TOKEN.to_owned());
    let github = StandIn::start(world).await;
    let store = store(folder.path()).await;
    // The one that is to lose its issues must have been read before.
    Attempt::over(&github).tracking(&[&name(9)]).run(&store).await;
    let words = break_ten(&github);

    let Came { conclusion, achieved } = run(&github, &store).await;
    assert_eq!(conclusion.phase, Phase::PartiallySucceeded);
    assert_eq!(achieved.records.len(), 60);
    let records: BTreeMap<&str, &RepositoryRecord> =
        achieved.records.iter().map(|record| (record.name.as_str(), record)).collect();
    for (n, word) in words.iter().enumerate() {
        let record = records[name(n).as_str()];
        let phase = if n == 9 { RepositoryPhase::Suspect } else { RepositoryPhase::Failed };
        assert_eq!(record.phase, phase, "{record:?}");
        let error = record.error.as_deref().unwrap();
        assert!(error.contains(word), "{n}: {error}");
        println!("{}: {error}", record.name);
    }
    for n in 10..60 {
        let record = records[name(n).as_str()];
        assert_eq!(record.phase, RepositoryPhase::Succeeded, "{record:?}");
        assert!(record.complete && record.counts.created == 30, "{record:?}");
    }

    // All heal but the last, whose issues stay away.
    github.clear_faults();
    let before = counts(&store).await;
    let again = run(&github, &store).await;
    assert_eq!(again.conclusion.phase, Phase::PartiallySucceeded);
    assert_eq!(again.conclusion.result.failed, 0, "one is suspect");
    let healed: i64 = again.achieved.records.iter().map(|record| record.counts.created).sum();
    let changed: i64 = again.achieved.records.iter().map(|record| record.counts.updated).sum();
    assert!(healed > 0 && changed == 0, "{healed} {changed}");
    let after = counts(&store).await;
    let healed: Vec<String> = (0..9).map(name).collect();
    for row in before.iter().filter(|row| !healed.contains(&row[0])) {
        assert!(after.contains(row), "written without need: {row:?}");
    }
    let errors = "SELECT full_name FROM repositories WHERE sync_error IS NOT NULL";
    assert_eq!(store.query(errors).await.unwrap().1, [[name(9)]]);
    store.close().await;
}

#[tokio::test]
async fn a_repository_whose_own_row_is_refused_keeps_none_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (crate::sync::start(3, 5, false).await, store(folder.path()).await);
    let options = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let only = "CREATE UNIQUE INDEX only ON repositories (owner) WHERE name <> 'widgets-1'";
    sqlx::raw_sql(only).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let came = Attempt { parallel: 1, ..Attempt::over(&github) }.run(&store).await;
    assert_eq!(came.conclusion.phase, Phase::PartiallySucceeded, "{}", came.conclusion.message);
    let failed = came.achieved.records.iter().filter(|it| it.phase == RepositoryPhase::Failed);
    assert_eq!(failed.count(), 1);
    store.close().await;
}

/// As a full disk makes it do in the middle of a commit.
#[tokio::test]
async fn a_transaction_that_sqlite_rolls_back_by_itself_does_not_spoil_its_connection() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::at(&folder.path().join("store.db"));
    store.prepare("test").await.unwrap();
    let other = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
    let mut other = SqliteConnection::connect_with(&other).await.unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE ON sync_tickets \
                BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END";
    sqlx::raw_sql(full).execute(&mut other).await.unwrap();
    let refused = store.ticket(RunNumber(0)).await.unwrap_err();
    assert!(chain(&refused).contains("disk is full"), "{}", chain(&refused));
    sqlx::raw_sql("DROP TRIGGER full").execute(&mut other).await.unwrap();
    assert_eq!(store.ticket(RunNumber(0)).await.unwrap(), RunNumber(1));
    store.close().await;
}
