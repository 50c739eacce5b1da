//! Several operators on one PostgreSQL: the fence, and transactions that wait for each other.

use std::sync::Arc;

use futures::future::join_all;
use singletrack::lease::RunNumber;
use singletrack::store::{Database, Error, NewRun, RepositoryRow, Store, Untrack, chain};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use url::Url;

use crate::store_contract::{OWNER, new_run, repository, tenure};
use crate::support::{awaited, database, poll, rows};

fn run(number: i64) -> NewRun {
    new_run(&format!("uid-{number}"))
}

#[tokio::test]
async fn replicas_that_start_at_once_on_an_empty_database_all_come_up() {
    let database = database().await;
    let replicas: Vec<_> = (0..6).map(|_| database.store()).collect();
    for result in join_all(replicas.iter().map(|replica| replica.prepare(OWNER))).await {
        result.unwrap();
    }
    // The same when there is something to bring up to date.
    database.execute("DELETE FROM schema_info; DELETE FROM sync_store").await;
    for result in join_all(replicas.iter().map(|replica| replica.prepare(OWNER))).await {
        result.unwrap();
    }
    let reader = Database::Postgres(database.store());
    for table in ["sync_store", "schema_info", "sync_fence", "sync_tickets"] {
        let found = rows(&reader, &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(found, [["1"]], "{table}");
    }
}

#[tokio::test]
async fn replicas_draw_different_numbers_and_only_the_newest_writes() {
    let database = database().await;
    let replicas: Vec<_> = (0..3).map(|_| database.store()).collect();
    replicas[0].prepare(OWNER).await.unwrap();
    let tickets = (0..30).map(|n| replicas[n % 3].ticket(RunNumber(0)));
    let mut drawn: Vec<_> = join_all(tickets).await.into_iter().map(Result::unwrap).collect();
    drawn.sort();
    assert_eq!(drawn, (1..=30).map(RunNumber).collect::<Vec<_>>());

    let activations = (1..=9).map(|n| {
        let store = replicas[usize::try_from(n).unwrap() % 3].clone();
        async move { (n, store.activate(&tenure(n), &run(n)).await) }
    });
    let mut highest = 0;
    for (number, result) in join_all(activations).await {
        match result {
            Ok(_) => highest = highest.max(number),
            Err(Error::Superseded { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(highest, 9, "the newest is never shut out");
    for number in 1..9 {
        let late = replicas[0].put_repository(&tenure(number), &repository(1), None).await;
        assert!(matches!(late, Err(Error::Superseded { .. })), "{late:?}");
    }
    replicas[1].put_repository(&tenure(9), &repository(1), None).await.unwrap();
}

/// Waits until as many transactions of this database wait for a lock.
pub(crate) async fn waiting(reader: &Database, count: usize) {
    let sql = "SELECT pid FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let what = format!("{count} transactions wait");
    poll(&what, async || (rows(reader, sql).await.len() == count).then_some(())).await;
}

/// A connection past the store that has begun a transaction with this statement.
pub(crate) async fn begun(url: &Url, sql: &str) -> PgConnection {
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    let begin = format!("SET search_path TO singletrack; BEGIN; {sql}");
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn an_activation_waits_for_a_write_that_is_under_way_and_a_ticket_does_not() {
    let database = database().await;
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    store.activate(&tenure(1), &run(1)).await.unwrap();
    store.put_repository(&tenure(1), &repository(1), None).await.unwrap();
    let reader = Database::Postgres(database.store());
    // A write of the run has read the fence and is held up by another one's row lock.
    let mut other = begun(database.url(), "SELECT * FROM repositories FOR UPDATE").await;
    let (writer, activator) = (store.clone(), store.clone());
    let renamed = RepositoryRow { name: "renamed".into(), ..repository(1) };
    let writing =
        tokio::spawn(async move { writer.put_repository(&tenure(1), &renamed, None).await });
    waiting(&reader, 1).await;
    let activating = tokio::spawn(async move { activator.activate(&tenure(2), &run(2)).await });
    waiting(&reader, 2).await;
    let drawn = awaited("a ticket", store.ticket(RunNumber(0))).await.unwrap();
    assert_eq!(drawn, RunNumber(2));
    assert!(!writing.is_finished() && !activating.is_finished());
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    awaited("the write", writing).await.unwrap().unwrap();
    let activated = awaited("the activation", activating).await.unwrap().unwrap();
    assert_eq!(activated.interrupted, [RunNumber(1)]);
    assert_eq!(rows(&reader, "SELECT name FROM repositories").await, [["renamed"]]);
}

#[tokio::test]
async fn a_write_that_has_begun_before_an_activation_ends_waits_and_is_refused() {
    let database = database().await;
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    store.activate(&tenure(1), &run(1)).await.unwrap();
    let reader = Database::Postgres(database.store());
    let activation = "UPDATE sync_fence SET active = 2, holder = 'another'";
    let mut other = begun(database.url(), activation).await;
    let writer = store.clone();
    let writing =
        tokio::spawn(async move { writer.put_repository(&tenure(1), &repository(1), None).await });
    waiting(&reader, 1).await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    let refused = awaited("the write", writing).await.unwrap();
    assert!(matches!(refused, Err(Error::Superseded { .. })), "{refused:?}");
}

/// A holder that was stopped inside a transaction: PostgreSQL frees the fence by itself.
#[tokio::test]
async fn a_transaction_that_says_no_more_frees_the_fence_by_itself() {
    let database = database().await;
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    store.activate(&tenure(1), &run(1)).await.unwrap();
    let (gone, reader) = (database.store(), Database::Postgres(database.store()));
    // Held up by another one's row lock, it has told the server how long it may take.
    let mut other = begun(database.url(), "SELECT * FROM sync_runs FOR UPDATE").await;
    let writing =
        tokio::spawn(async move { gone.put_repository(&tenure(1), &repository(1), None).await });
    waiting(&reader, 1).await;
    let activator = store.clone();
    let activating = tokio::spawn(async move { activator.activate(&tenure(2), &run(2)).await });
    let ended = awaited("the write", writing).await.unwrap().unwrap_err();
    assert!(chain(&ended).contains("statement timeout"), "{ended:?}");
    assert!(ended.is_passing());
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    awaited("the activation", activating).await.unwrap().unwrap();
}

#[tokio::test]
async fn transactions_that_lock_each_other_out_are_tried_again() {
    let database = database().await;
    let store = Arc::new(database.store());
    store.prepare(OWNER).await.unwrap();
    store.activate(&tenure(1), &run(1)).await.unwrap();
    for id in [1, 2] {
        store.put_repository(&tenure(1), &repository(id), None).await.unwrap();
    }
    // Another one locks the second row and waits for the first, so that the store's transaction is
    // in a deadlock, which PostgreSQL ends after a second by breaking it off.
    let mut other =
        begun(database.url(), "SELECT 1 FROM repositories WHERE id = 2 FOR UPDATE").await;
    sqlx::raw_sql("SET LOCAL deadlock_timeout = '60s'").execute(&mut other).await.unwrap();
    let untracking = {
        let store = Arc::clone(&store);
        let which = Untrack::Only(vec![1, 2]);
        tokio::spawn(async move { store.untrack(&tenure(1), &which).await })
    };
    let reader = Database::Postgres(database.store());
    waiting(&reader, 1).await;
    let first = sqlx::raw_sql("SELECT 1 FROM repositories WHERE id = 1 FOR UPDATE");
    awaited("the other", first.execute(&mut other)).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    awaited("the store", untracking).await.unwrap().unwrap();
    let tracked = rows(&reader, "SELECT count(*) FROM repositories WHERE tracked").await;
    assert_eq!(tracked, [["0"]]);
}
