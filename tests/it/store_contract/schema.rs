//! The contract: which operators may use the tables.

use singletrack::store::Error;

use super::{OWNER, Place, active, prepared, repository};

const NOTED: &str = "SELECT version, min_reader, min_writer, operator_version FROM schema_info";

pub(super) async fn the_version_of_the_tables_is_noted_once(place: &dyn Place) {
    let store = prepared(place).await;
    let newest = place.rows("SELECT max(version) FROM _sqlx_migrations").await;
    let expected = [[newest[0][0].as_str(), "1", "1", env!("CARGO_PKG_VERSION")]];
    assert_eq!(place.rows(NOTED).await, expected);
    // What an older operator has noted is replaced.
    place.execute("UPDATE schema_info SET version = 0, operator_version = '0.0.1'").await;
    store.prepare(OWNER).await.unwrap();
    assert_eq!(place.rows(NOTED).await, expected);
    let migrated_at = "SELECT migrated_at FROM schema_info";
    place.execute("UPDATE schema_info SET migrated_at = '2023-01-01T00:00:00Z'").await;
    store.prepare(OWNER).await.unwrap();
    assert_eq!(place.rows(migrated_at).await, [["2023-01-01T00:00:00Z"]]);
}

pub(super) async fn columns_that_are_added_while_an_operator_reads_are_not_looked_at(
    place: &dyn Place,
) {
    let store = prepared(place).await;
    let run = active(&*store, 1).await;
    store.put_repository(&run, &repository(1), None).await.unwrap();
    let read = async || {
        let newest = store.history(1).await.unwrap().remove(0);
        let uid = newest.uid.unwrap_or_default();
        store.answer_of(&uid).await.unwrap();
        store.cursor(1, "issues", "").await.unwrap();
        store.run_of(&uid).await.unwrap().map(|run| run.number)
    };
    let before = read().await;
    for table in ["sync_runs", "sync_run_repositories", "sync_cursors"] {
        place.execute(&format!("ALTER TABLE {table} ADD COLUMN later integer")).await;
    }
    assert_eq!(read().await, before);
}

pub(super) async fn an_older_operator_writes_newer_tables_until_they_forbid_it(place: &dyn Place) {
    prepared(place).await;
    place
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
             execution_time) SELECT 9999, description, success, checksum, execution_time \
             FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    place.execute("UPDATE schema_info SET version = 9999, operator_version = '9.9.9'").await;
    let store = prepared(place).await;
    assert_eq!(place.rows(NOTED).await, [["9999", "1", "1", "9.9.9"]], "it stays as it is");
    let run = active(&*store, 1).await;
    store.put_repository(&run, &repository(1), None).await.unwrap();

    place.execute("UPDATE schema_info SET min_writer = 9998").await;
    let before = place.dump().await;
    let store = place.open().await;
    for refused in [store.prepare(OWNER).await, store.adopt(OWNER).await.map(|_| ())] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Outdated { needed: 9998, .. }), "{error:?}");
        assert!(error.to_string().contains("9.9.9"), "{error}");
    }
    assert_eq!(place.dump().await, before);
}
