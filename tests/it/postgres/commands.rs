//! The commands and the operator on a PostgreSQL.

use singletrack::api::Phase;
use singletrack::store::{Database, Store};

use crate::requests::github;
use crate::stand_in::StandIn;
use crate::support::{
    Command, Namespace, PgDatabase, Said, TOKEN, database, operator, phase_of, rows,
};

/// A run of `singletrack local` into the database.
async fn local(github: &StandIn, database: &PgDatabase) -> Said {
    let url = github.base_url();
    let args = ["local", "--track", "acme/widgets-0", "--github-url", &url];
    about(database, &args).env("GITHUB_TOKEN", TOKEN).said().await
}

fn about(database: &PgDatabase, args: &[&str]) -> Command {
    Command::new(args).env("SINGLETRACK_DATABASE_URL", database.url().as_str())
}

#[tokio::test]
async fn a_run_and_questions_about_it_need_no_cluster() {
    let (github, database) = (github(1, 12).await, database().await);
    local(&github, &database).await.with(0, &["Succeeded"]);
    local(&github, &database).await.with(0, &["Succeeded", "unchanged"]);
    let ask = async |args: &[&str]| {
        let args = [&["query"], args].concat();
        about(&database, &args).said().await
    };
    let runs = "SELECT run_number, status, dry_run FROM sync_runs ORDER BY run_number";
    let json = ask(&["-o", "json", runs]).await.with(0, &[]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let run = |number: i64| serde_json::json!({"run_number": number, "status": "succeeded", "dry_run": false});
    assert_eq!(json, serde_json::json!([run(1), run(2)]));
    let csv = ask(&["-o", "csv", runs]).await;
    assert_eq!(csv.out, "run_number,status,dry_run\r\n1,succeeded,false\r\n2,succeeded,false\r\n");
    ask(&["SELECT * FROM issues WHERE false"]).await.with(0, &["number  id", "github_labels"]);
    ask(&["DELETE FROM issues"]).await.with(1, &["read-only", "begin with SELECT"]);
    ask(&["SELECT * FROM nothing"]).await.with(1, &["nothing", "information_schema.tables"]);
    let reader = Database::Postgres(database.store());
    let issues = rows(&reader, "SELECT count(*) FROM issues").await;
    assert_ne!(issues, [["0"]]);
    about(&database, &["backup", "x.db"]).said().await.with(1, &["pg_dump --schema=singletrack"]);
    about(&database, &["adopt", "--local"]).said().await.with(0, &["belongs to", "already"]);
    database.execute("UPDATE sync_store SET owner = 'another'").await;
    about(&database, &["adopt", "--local", "-y"]).said().await.with(0, &["before: another"]);
    assert_eq!(rows(&reader, "SELECT owner FROM sync_store").await, [["local"]]);
}

#[tokio::test]
async fn an_operator_works_through_a_pooler_and_the_doctor_finds_it_well() {
    let space = Namespace::new("postgres").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(2, 30).await;
    let server = crate::support::shared().await;
    let database = server.database().await;
    let url = database.pooled_url().expect("pgbouncer is there (tests/postgres/build)");
    let doctor = async || {
        let args = ["doctor", "--github-url", &github.base_url(), "--track", "acme/widgets-0"];
        let command = Command::within(&space, &args).env("GITHUB_TOKEN", TOKEN);
        command.env("SINGLETRACK_DATABASE", url.as_str()).said().await
    };
    let new = doctor().await.out;
    assert!(new.contains("schema singletrack is not there yet: the operator creates it"), "{new}");
    let operator = operator(&space, &github, folder.path()).on(&url).start();
    operator.ready().await;
    space.manual("first").await;
    assert_eq!(phase_of(&space.finished("first").await), Phase::Succeeded);
    let said = doctor().await.with(0, &["its tables are of version", "it is this operator's"]);
    assert!(!format!("{said:?}").contains(url.password().unwrap()), "the password is not shown");
    assert_eq!(database.store().history(10).await.unwrap().len(), 1);
    let name = url.path().trim_start_matches('/');
    let stop = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    database.execute(&stop).await;
    let args = ["doctor", "--github-url", &github.base_url(), "--track", "acme/widgets-0"];
    let doctor = Command::within(&space, &args).env("GITHUB_TOKEN", TOKEN);
    let said = doctor.env("SINGLETRACK_DATABASE", database.url().as_str()).said().await;
    said.with(1, &["is read-only"]);
}
