//! Ways into a PostgreSQL: TLS, passwords that change, readers, and servers that go away.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use singletrack::lease::RunNumber;
use singletrack::store::{
    Address, Database, Error, PRIVATE, PRIVATE_VIEWS, Postgres, Store, TABLES, Text, VIEWS, chain,
};
use sqlx::{Connection, PgConnection};
use url::Url;

use crate::store_contract::{OWNER, new_run, repository, tenure};
use crate::support::{Server, address, awaited, database, dump, rows, shared};

#[track_caller]
fn not_reached<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::NotReached { .. }) && error.is_passing(), "{error:?}");
    let text = chain(&error);
    assert!(text.contains(words), "{text}");
}

#[tokio::test]
async fn readers_see_what_is_public_and_a_role_that_is_missing_is_named() {
    let database = database().await;
    let role = format!("reader{}", database.url().path().trim_start_matches("/singletrack"));
    let address = Address { reader_roles: vec![role.clone()], ..database.address() };
    let store = Postgres::at(address).unwrap();
    let missing = store.prepare(OWNER).await.unwrap_err();
    assert!(matches!(&missing, Error::NoRole { role: named } if *named == role), "{missing:?}");
    database.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'reads'")).await;
    store.prepare(OWNER).await.unwrap();
    let mut url = database.url().clone();
    url.set_username(&role).unwrap();
    url.set_password(Some("reads")).unwrap();
    let mut reader = PgConnection::connect(url.as_str()).await.unwrap();
    let mut select = async |table: &str| {
        let sql = sqlx::AssertSqlSafe(format!("SELECT * FROM singletrack.{table}"));
        sqlx::raw_sql(sql).execute(&mut reader).await
    };
    for (name, _) in TABLES.iter().chain(&VIEWS) {
        select(name).await.expect(name);
    }
    for table in PRIVATE.iter().chain(&PRIVATE_VIEWS).chain(&["_sqlx_migrations"]) {
        let denied = select(table).await.unwrap_err().to_string();
        assert!(denied.contains("permission denied"), "{table}: {denied}");
    }
    database.execute("CREATE TABLE later (id bigint)").await;
    select("later").await.expect("what comes later is public as well");
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_role_needs_its_schema_or_the_right_to_create_it() {
    let database = database().await;
    let role = format!("owner{}", database.url().path().trim_start_matches("/singletrack"));
    database.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'owns'")).await;
    let mut url = database.url().clone();
    url.set_username(&role).unwrap();
    url.set_password(Some("owns")).unwrap();
    let store = Postgres::at(Address { schema: "tracks".into(), ..address(&url) }).unwrap();
    not_reached(store.prepare(OWNER).await, "CREATE SCHEMA");
    database.execute("CREATE SCHEMA tracks").await;
    not_reached(store.prepare(OWNER).await, "CREATE SCHEMA");
    database.execute(&format!("ALTER SCHEMA tracks OWNER TO {role}")).await;
    store.prepare(OWNER).await.unwrap();
    let tables = "SELECT DISTINCT table_schema FROM information_schema.tables \
                  WHERE table_name LIKE 'sync%'";
    assert_eq!(rows(&Database::Postgres(store.clone()), tables).await, [["tracks"]]);
    store.close().await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_password_that_was_changed_counts_without_a_restart() {
    let database = database().await;
    let role = format!("writer{}", database.url().path().trim_start_matches("/singletrack"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "first'€ \n").unwrap();
    let create = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'first''€ '; GRANT CREATE ON DATABASE {} TO {role}",
        database.url().path().trim_start_matches('/')
    );
    database.execute(&create).await;
    let mut url = database.url().clone();
    url.set_username(&role).unwrap();
    url.set_password(Some("ignored")).unwrap();
    let password = Some(Text::File(file.clone()));
    let store = Postgres::at(Address { password, ..address(&url) }).unwrap();
    store.prepare(OWNER).await.unwrap();

    let cut = format!(
        "ALTER ROLE {role} PASSWORD 'second'; \
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    database.execute(&cut).await;
    not_reached(store.ticket(RunNumber(0)).await, "database.passwordFile");
    // While a Secret is replaced, its file may be away.
    std::fs::remove_file(&file).unwrap();
    not_reached(store.ticket(RunNumber(0)).await, "database.passwordFile");
    std::fs::write(&file, "second\n").unwrap();
    assert_eq!(store.ticket(RunNumber(0)).await.unwrap(), RunNumber(1));
    assert!(!format!("{store:?}").contains("second"));
    store.close().await;
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority_only() {
    let server = shared().await;
    let database = server.database().await;
    let tls = |host: &str, query: &str, ca: Option<&Path>| {
        let mut url: Url = database.url().clone();
        url.set_host(Some(host)).unwrap();
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        Postgres::at(Address { ca: ca.map(Into::into), ..address(&url) })
    };
    let ca = server.ca();
    let good = tls("localhost", "", Some(&ca)).unwrap();
    good.prepare(OWNER).await.unwrap();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(rows(&Database::Postgres(good), encrypted).await, [["1"]]);
    let other = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/ca.pem"));
    for (host, query, ca) in [
        ("localhost", "", Some(other)),
        ("localhost", "sslmode=verify-full", None),
        // The certificate is for another name.
        ("127.0.0.1", "", Some(&*ca)),
    ] {
        let store = tls(host, query, ca).unwrap();
        not_reached(store.newest().await, "database.caFile");
    }
    tls("127.0.0.1", "sslmode=verify-ca", Some(&ca)).unwrap().newest().await.unwrap();
    let unchecked = tls("localhost", "sslmode=require", Some(&ca)).unwrap_err().to_string();
    assert!(unchecked.contains("sslmode=verify-full"), "{unchecked}");
}

#[tokio::test]
async fn a_server_that_goes_away_is_a_passing_trouble() {
    let server = Server::start().await;
    let database = server.database().await;
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    store.activate(&tenure(1), &new_run("uid-1")).await.unwrap();
    let reader = Database::Postgres(database.store());
    let before = dump(&reader).await;
    server.crash();
    let lost = store.put_repository(&tenure(1), &repository(1), None).await.unwrap_err();
    assert!(lost.is_passing(), "{lost:?}");
    server.start_again();
    assert_eq!(dump(&reader).await, before);
    awaited("a write", store.put_repository(&tenure(1), &repository(1), None)).await.unwrap();

    // One that was made read-only, as a replica is.
    let name = database.url().path().trim_start_matches('/');
    let stop = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    database.execute(&stop).await;
    server.crash();
    server.start_again();
    let refused = store.put_repository(&tenure(1), &repository(2), None).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }) && refused.is_passing(), "{refused:?}");
    assert_eq!(store.newest().await.unwrap(), RunNumber(1), "it can be read");
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said() {
    let database = database().await;
    let mut url = database.url().clone();
    url.set_path("nowhere");
    let nowhere = Postgres::at(address(&url)).unwrap();
    not_reached(nowhere.newest().await, "CREATE DATABASE");
    let mut url = database.url().clone();
    url.set_password(Some("marked")).unwrap();
    let wrong = Postgres::at(address(&url)).unwrap();
    let error = wrong.newest().await.unwrap_err();
    assert!(!format!("{error:?} {wrong:?} {}", chain(&error)).contains("marked"));
    not_reached::<()>(Err(error), "database.passwordFile");
    for (url, words) in [
        ("mysql://u:marked@h/d", "postgres://USER@HOST"),
        ("postgres://u:mark#ed@h/d", "percent-encoded"),
        // As if the password began with what ends a host.
        ("postgres://u:/marked@h/d", "percent-encoded"),
        ("postgres://u:1?marked@h/d", "percent-encoded"),
        ("postgres://u:1#marked@h/d", "percent-encoded"),
        ("postgres://u:marked@h/d?sslmod=require", "\"sslmod\""),
        ("postgres://u:marked@h/d?sslmode=x", "postgres://USER@HOST"),
        ("marked", "postgres://USER@HOST"),
    ] {
        let address = Address::at(Text::Given(SecretString::from(url)));
        assert!(!format!("{address:?}").contains("mark"));
        let error = Postgres::at(address).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("mark"), "{error}");
    }
    for schema in ["", "Upper", "a\"b", "pg_own", "1a"] {
        let error = Postgres::at(Address { schema: schema.into(), ..database.address() });
        assert!(error.unwrap_err().to_string().contains("database.schema"), "{schema}");
    }
}

#[tokio::test]
async fn questions_change_nothing_and_are_answered_in_all_types() {
    let database = database().await;
    let store = database.store();
    store.prepare(OWNER).await.unwrap();
    let answer = store
        .ask(
            "SELECT 1::bigint AS n, true AS b, 1.5 AS f, '{\"a\": [1]}'::jsonb AS j, \
             'x'::bytea AS y, timestamptz '2026-01-02 03:04:05+00' AS t, \
             timestamptz '2026-01-02 03:04:05.5+00' AS u, interval '1 day' AS i, NULL AS z",
        )
        .await
        .unwrap();
    assert_eq!(answer.columns, ["n", "b", "f", "j", "y", "t", "u", "i", "z"]);
    let expected = serde_json::json!([[
        1,
        true,
        1.5,
        "{\"a\": [1]}",
        "x'78'",
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.500000Z",
        "1 day",
        null
    ]]);
    assert_eq!(serde_json::json!(answer.rows), expected);
    let none = store.ask("SELECT number FROM issues WHERE false").await.unwrap();
    assert_eq!((none.columns, none.rows.len()), (vec!["number".to_owned()], 0));
    let reader = Database::Postgres(database.store());
    let before = dump(&reader).await;
    for sql in [
        "DELETE FROM sync_store",
        "SELECT 1; COMMIT; DELETE FROM sync_store",
        "COMMIT; DELETE FROM sync_store",
        "SET TRANSACTION READ WRITE; DELETE FROM sync_store",
        "WITH gone AS (DELETE FROM sync_store RETURNING 1) SELECT * FROM gone",
    ] {
        store.ask(sql).await.unwrap_err();
    }
    assert_eq!(dump(&reader).await, before);
    tokio::time::timeout(Duration::from_secs(60), store.close()).await.unwrap();
}
