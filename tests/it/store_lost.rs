//! The store is lost at each moment of a request's life, and comes back.

use std::time::Duration;

use http::Method;
use serde_json::json;
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::store::{Database, RunState, Store};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::coalesce::{paused, resume};
use crate::postgres::{begun, waiting};
use crate::requests::{github, holder, open_issues};
use crate::stand_in::StandIn;
use crate::support::{
    Namespace, Operator, PgDatabase, Pod, Proxy, Server, awaited, history, operator, phase_of,
    poll, rows, shared,
};

fn is_told(request: &SyncRequest) -> bool {
    let status = request.status.as_ref();
    status.is_some_and(|status| {
        status.phase == Phase::Queued && status.reason.as_deref() == Some("StoreUnavailable")
    })
}

async fn goes_back(space: &Namespace, name: &str) -> SyncRequest {
    space.request_when(name, "waits for the store", is_told).await
}

async fn succeeds(space: &Namespace, name: &str) {
    let request = space.finished(name).await;
    let status = request.status.as_ref().unwrap();
    assert_eq!((status.phase, status.attempts), (Phase::Succeeded, Some(1)), "{request:?}");
}

fn start(
    space: &Namespace,
    github: &StandIn,
    folder: &tempfile::TempDir,
    at: &PgDatabase,
) -> Operator {
    operator(space, github, folder.path()).on(at.url()).start()
}

/// How the runs have ended, oldest first.
async fn ends(database: &PgDatabase) -> Vec<RunState> {
    let store = database.store();
    let mut runs = store.history(100).await.unwrap();
    store.close().await;
    runs.reverse();
    runs.iter().map(|run| run.state).collect()
}

#[tokio::test]
async fn a_request_waits_for_a_store_that_is_read_only_before_its_run() {
    let space = Namespace::new("readonly").await;
    let (folder, github) = (tempfile::tempdir().unwrap(), github(1, 10).await);
    let database = shared().await.database().await;
    let operator = start(&space, &github, &folder, &database);
    operator.ready().await;
    database.set_read_only(true).await;
    space.manual("waits").await;
    let told = goes_back(&space, "waits").await.status.unwrap();
    assert!(told.message.unwrap().contains("read-only transaction"));
    assert_eq!((told.run_number, told.attempts), (None, None));
    operator.ready_when(|status, text| status == 503 && text.contains("store: ")).await;
    database.set_read_only(false).await;
    succeeds(&space, "waits").await;
    operator.ready().await;
    assert_eq!(ends(&database).await, [RunState::Succeeded]);
}

#[tokio::test]
async fn an_operator_with_nothing_to_run_tells_when_the_store_works_again() {
    let space = Namespace::new("well").await;
    let (folder, github) = (tempfile::tempdir().unwrap(), github(1, 10).await);
    let database = shared().await.database().await;
    let operator = start(&space, &github, &folder, &database);
    operator.ready().await;
    database.set_read_only(true).await;
    space.manual("gone").await;
    goes_back(&space, "gone").await;
    space.change("gone", json!({"cancel": true})).await;
    space.finished("gone").await;
    operator.ready_when(|status, text| status == 503 && text.contains("store: ")).await;
    database.set_read_only(false).await;
    operator.ready().await;
    assert!(ends(&database).await.is_empty());
}

#[tokio::test]
async fn a_store_that_turns_read_only_before_the_activation_frees_the_lock_until_it_is_back() {
    let space = Namespace::new("activate").await;
    let (folder, github) = (tempfile::tempdir().unwrap(), github(1, 10).await);
    let database = shared().await.database().await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .on(database.url())
        .start();
    operator.ready().await;
    let grant = proxy.hold(Method::PUT, "/leases/singletrack", "request-name");
    space.manual("waits").await;
    proxy.taken("/leases/singletrack").await;
    database.set_read_only(true).await;
    grant.send_replace(true);
    goes_back(&space, "waits").await;
    space
        .lease_when("the lock is free again", |lease| {
            let spec = lease.spec.as_ref().unwrap();
            holder(lease).is_empty() && spec.lease_transitions.unwrap_or(0) > 0
        })
        .await;
    assert!(ends(&database).await.is_empty());
    database.set_read_only(false).await;
    succeeds(&space, "waits").await;
    assert_eq!(ends(&database).await, [RunState::Succeeded]);
}

#[tokio::test]
async fn a_run_whose_store_turns_read_only_goes_back_to_the_queue_uncounted() {
    let space = Namespace::new("midrun").await;
    let (folder, github) = (tempfile::tempdir().unwrap(), github(1, 10).await);
    let database = shared().await.database().await;
    let operator = start(&space, &github, &folder, &database);
    operator.ready().await;
    let gate = github.hold(open_issues());
    space.manual("it").await;
    awaited("a page is held", gate.arrived()).await;
    database.set_read_only(true).await;
    gate.open();
    let told = goes_back(&space, "it").await.status.unwrap();
    assert_eq!((told.run_number, told.attempts), (Some(1), Some(0)));
    assert_eq!(ends(&database).await, [RunState::Running], "no end could be recorded");
    database.set_read_only(false).await;
    succeeds(&space, "it").await;
    assert_eq!(ends(&database).await, [RunState::Interrupted, RunState::Succeeded]);
}

#[tokio::test]
async fn a_server_that_crashes_in_the_middle_of_a_write_costs_no_attempt() {
    let space = Namespace::new("crash").await;
    let (folder, github) = (tempfile::tempdir().unwrap(), github(1, 10).await);
    let server = Server::start().await;
    let database = server.database().await;
    let operator = start(&space, &github, &folder, &database);
    operator.ready().await;
    let gate = github.hold(open_issues());
    space.manual("it").await;
    awaited("a page is held", gate.arrived()).await;
    // The page's transaction waits for another one's lock when the server goes.
    let _other = begun(database.url(), "SELECT * FROM sync_fence FOR UPDATE").await;
    gate.open();
    waiting(&Database::Postgres(database.store()), 1).await;
    server.crash();
    server.start_again();
    let told = space.event("it", "StoreUnavailable").await;
    let note = told.note.unwrap();
    assert!(note.contains("the database was lost"), "{note}");
    succeeds(&space, "it").await;
    operator.ready().await;
    assert_eq!(ends(&database).await, [RunState::Interrupted, RunState::Succeeded]);
}

/// The end of a run is committed, and the answer never comes.
async fn lose_the_answer_of_an_end(database: &PgDatabase) {
    let name = database.url().path().trim_start_matches('/').to_owned();
    // This one commit alone waits for a replica that there is not.
    let sql = format!(
        "CREATE FUNCTION wait_for_replica() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM set_config('synchronous_commit', 'on', true); RETURN NEW; END $$; \
         CREATE TRIGGER wait AFTER UPDATE ON sync_runs FOR EACH ROW \
         WHEN (NEW.status = 'succeeded') EXECUTE FUNCTION wait_for_replica(); \
         ALTER DATABASE {name} SET synchronous_commit = local"
    );
    database.execute(&sql).await;
    // Connections that are there already have the old setting.
    database.set_read_only(false).await;
    database.alter_system("SET synchronous_standby_names = 'nobody'").await;
}

#[tokio::test]
async fn an_end_whose_answer_is_lost_is_told_from_the_history_and_not_run_again() {
    let space = Namespace::new("lostend").await;
    let (folder, github) = (tempfile::tempdir().unwrap(), github(1, 10).await);
    let server = Server::start().await;
    let database = server.database().await;
    database.store().prepare(&space.uid().await).await.unwrap();
    lose_the_answer_of_an_end(&database).await;
    paused(&space).await;
    let operator = start(&space, &github, &folder, &database);
    let coalesce = SyncRequestSpec {
        concurrency_policy: ConcurrencyPolicy::Coalesce,
        ..SyncRequestSpec::of(RunType::Manual)
    };
    operator.ready().await;
    space.manual("leader").await;
    space.create("follower", coalesce).await;
    for name in ["leader", "follower"] {
        space.in_phase(name, Phase::Queued).await;
    }
    resume(&space).await;
    let reader = Database::Postgres(database.store());
    let sql = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    poll("the end is committed", async || (rows(&reader, sql).await.len() == 1).then_some(()))
        .await;
    server.crash();
    server.start_again();
    database.alter_system("RESET synchronous_standby_names").await;
    space.event("leader", "StoreUnavailable").await;
    succeeds(&space, "leader").await;
    let follower = space.finished("follower").await.status.unwrap();
    assert_eq!(follower.satisfied_by.as_deref(), Some("leader"));
    let leader = space.get("leader").await.status.unwrap();
    assert_eq!((leader.run_number, leader.result.unwrap().created), (Some(1), 10));
    operator.ready().await;
    assert_eq!(ends(&database).await, [RunState::Succeeded]);
}

#[tokio::test]
async fn a_takeover_is_told_also_when_its_run_cannot_begin() {
    let space = Namespace::new("in-vain").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let (long, heartbeat) = (Duration::from_secs(1800), Duration::from_secs(1));
    let start = |pod| {
        operator(&space, &github, folder.path())
            .pod(&Pod::named(pod))
            .times(long, heartbeat)
            .start()
    };
    let mut killed = start("one");
    space.manual("only").await;
    awaited("a page is held", gate.arrived()).await;
    killed.kill();
    gate.open();
    let file = SqliteConnectOptions::new().filename(folder.path().join("store.db"));
    let mut store = SqliteConnection::connect_with(&file).await.unwrap();
    let refused = "CREATE TRIGGER refused BEFORE INSERT ON sync_runs \
                   BEGIN SELECT RAISE(ABORT, 'refused'); END";
    sqlx::raw_sql(refused).execute(&mut store).await.unwrap();
    let _next = start("two");
    let told = space.event("only", "TakenOver").await.note.unwrap();
    assert!(told.contains("replaced a holder (PodGone) and could not begin"), "{told}");
    sqlx::raw_sql("DROP TRIGGER refused").execute(&mut store).await.unwrap();
    assert_eq!(phase_of(&space.finished("only").await), Phase::Succeeded);
    let runs = history(folder.path()).await;
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Interrupted, RunState::Succeeded]);
}
