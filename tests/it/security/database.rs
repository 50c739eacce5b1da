//! A database that others can write to as well, and rows whose content is hostile.

use singletrack::lease::RunNumber;
use singletrack::store::{Database, Error, IssueRow, Sqlite, Store};

use crate::store_contract::{OWNER, active, issue, page, repository, tenure};
use crate::support::{database, rows};

/// Tables of our names in a schema that anybody may write to are nobody's fence.
#[tokio::test]
async fn a_fence_that_another_role_has_planted_is_not_looked_at() {
    let database = database().await;
    let role = format!("planter{}", std::process::id());
    let plant = |schema: &str| {
        format!(
            "CREATE TABLE {schema}.sync_fence (LIKE singletrack.sync_fence); \
             INSERT INTO {schema}.sync_fence (active, holder) VALUES (999999, 'planted'); \
             CREATE TABLE {schema}.sync_tickets (LIKE singletrack.sync_tickets); \
             INSERT INTO {schema}.sync_tickets (seq) VALUES (999999); \
             CREATE TABLE {schema}.sync_store (LIKE singletrack.sync_store); \
             INSERT INTO {schema}.sync_store (owner) VALUES ('planted')"
        )
    };
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    // Also one that a careless search path of the role would find first.
    database
        .execute(&format!(
            "CREATE ROLE {role}; GRANT {role} TO CURRENT_USER; \
             GRANT CREATE ON SCHEMA public TO {role}; \
             GRANT SELECT ON ALL TABLES IN SCHEMA singletrack TO {role}; \
             GRANT USAGE ON SCHEMA singletrack TO {role}; \
             CREATE SCHEMA planted AUTHORIZATION {role}; \
             SET ROLE {role}; {}; {}; RESET ROLE; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path TO planted, public', \
             current_database()); END $$",
            plant("public"),
            plant("planted"),
        ))
        .await;
    let store = database.store();
    store.prepare(OWNER).await.expect("the owner is read in our schema");
    let number = store.ticket(RunNumber(0)).await.unwrap();
    assert_eq!(number, RunNumber(1));
    let first = active(&store, 1).await;
    store.put_repository(&first, &repository(1), None).await.unwrap();
    active(&store, 2).await;
    let late = store.put_repository(&first, &repository(2), None).await;
    assert!(matches!(late, Err(Error::Superseded { .. })), "{late:?}");
    let reader = Database::Postgres(database.store());
    for schema in ["public", "planted"] {
        let all = format!(
            "SELECT f.active, f.holder, t.seq, s.owner FROM {schema}.sync_fence f, \
             {schema}.sync_tickets t, {schema}.sync_store s"
        );
        let planted = ["999999", "planted", "999999", "planted"];
        assert_eq!(rows(&reader, &all).await, [planted], "{schema}");
    }
    database
        .execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM {role}; DROP OWNED BY {role}; DROP ROLE {role}"
        ))
        .await;
}

/// Texts that would be something else in SQL.
const HOSTILE: [&str; 7] = [
    "'); DROP TABLE issues; --",
    "\"; DELETE FROM sync_fence; --",
    "' OR '1'='1",
    "$1 ?1 :name @x %s {} \\' \\",
    "/* */ -- ; \n ; \r\n",
    "\u{202e}\u{feff}\u{1b}[2J",
    "$$; DROP SCHEMA singletrack CASCADE; $$",
];

async fn keeps_it_as_it_is(store: &dyn Store, place: &Database) {
    store.prepare(OWNER).await.unwrap();
    let run = active(store, 1).await;
    store.put_repository(&run, &repository(1), None).await.unwrap();
    let million = "x'".repeat(1 << 19);
    let texts: Vec<&str> = HOSTILE.into_iter().chain([million.as_str()]).collect();
    let hostile = |(number, text): (i64, &&str)| IssueRow {
        labels: vec![(*text).to_owned()],
        body: Some((*text).to_owned()),
        ..issue(1, number, text)
    };
    let issues: Vec<_> = (1..).zip(&texts).map(hostile).collect();
    store.put_page(&run, &page(1, issues)).await.unwrap();
    for (number, text) in (1..).zip(&texts) {
        let sql = format!("SELECT title, body FROM issues WHERE number = {number}");
        let kept = rows(place, &sql).await;
        assert_eq!(kept.len(), 1, "{text:.40}");
        assert!(kept[0].iter().all(|it| it == text), "{text:.40} was kept as {:.40}", kept[0][0]);
    }
    let fence = rows(place, "SELECT active FROM sync_fence").await;
    assert_eq!(fence, [["1"]]);
    store.put_repository(&tenure(1), &repository(2), None).await.unwrap();
}

#[tokio::test]
async fn hostile_text_is_only_text_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    let reader = Database::Sqlite(Sqlite::at(&file));
    keeps_it_as_it_is(&Sqlite::at(&file), &reader).await;
    reader.close().await;
}

#[tokio::test]
async fn hostile_text_is_only_text_on_a_server() {
    let database = database().await;
    let reader = Database::Postgres(database.store());
    keeps_it_as_it_is(&database.store(), &reader).await;
}
