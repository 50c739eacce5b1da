//! An operator whose tables were brought up to date by a newer one.

use singletrack::api::Phase;

use crate::requests::{github, holder};
use crate::support::{Home, Namespace, operator, phase_of};

/// A migration of a newer operator, which lets this one go on.
async fn migrate(home: &Home) {
    home.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, description, success, checksum, execution_time \
         FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    home.execute("UPDATE schema_info SET version = 9999, operator_version = '9.9.9'").await;
}

async fn set_min_writer(home: &Home, version: i64) {
    home.execute(&format!("UPDATE schema_info SET min_writer = {version}")).await;
}

#[tokio::test]
async fn an_older_operator_runs_on_newer_tables_until_they_forbid_it_on_sqlite() {
    older_operator(&Home::sqlite()).await;
}

#[tokio::test]
async fn an_older_operator_runs_on_newer_tables_until_they_forbid_it_on_postgres() {
    older_operator(&Home::postgres().await).await;
}

async fn older_operator(home: &Home) {
    let space = Namespace::new("older").await;
    let github = github(1, 5).await;
    let start = || home.keep(operator(&space, &github, home.folder())).start();
    let mut first = start();
    first.ready().await;
    assert!(first.terminate().await.success());

    migrate(home).await;
    let mut operator = start();
    operator.ready().await;
    space.manual("allowed").await;
    assert_eq!(phase_of(&space.finished("allowed").await), Phase::Succeeded);

    // A newer one comes while this one runs, and then before it starts.
    for waits in ["while-it-runs", "before-it-starts"] {
        space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
        if waits == "before-it-starts" {
            assert!(operator.terminate().await.success());
        }
        set_min_writer(home, 9998).await;
        if waits == "before-it-starts" {
            operator = start();
        }
        space.manual(waits).await;
        let refused = |status: u16, text: &str| status == 503 && text.contains("use a newer one");
        let said = operator.ready_when(refused).await;
        assert!(said.contains("store: ") && said.contains("9.9.9"), "{said}");
        // Before the database was looked at, another message may stand there.
        let told = space.request_when(waits, "is told why it waits", |request| {
            let status = request.status.as_ref();
            status.is_some_and(|status| {
                status.reason.as_deref() == Some("StoreUnavailable")
                    && status.message.as_deref().is_some_and(|why| why.contains("9.9.9"))
            })
        });
        assert_eq!(phase_of(&told.await), Phase::Queued);
        set_min_writer(home, 1).await;
        assert_eq!(phase_of(&space.finished(waits).await), Phase::Succeeded);
        operator.ready().await;
    }
    let runs = home.history().await;
    let names: Vec<_> = runs.iter().filter_map(|run| run.name.as_deref()).collect();
    assert_eq!(names, ["allowed", "while-it-runs", "before-it-starts"]);
}
