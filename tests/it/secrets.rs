//! Secrets are in nothing that is put out, at any level, also when everything goes wrong.

use std::path::Path;

use http::StatusCode;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use singletrack::api::SyncRequest;
use singletrack::store::{Database, Sqlite};

use crate::requests::github;
use crate::stand_in::{App, Fault, Matcher, StandIn};
use crate::support::{APP_KEY, APP_PUBLIC_KEY, Namespace, Operator, database, dump, operator};

const TOKEN: &str = "ghp_marked3141592653";

/// Everything that a cluster, a scraper, a log collector or a database user can see.
async fn put_out(space: &Namespace, operator: &Operator, store: &Database) -> String {
    let mut all = vec![operator.log(), operator.metrics().await];
    let requests: Api<SyncRequest> = space.requests();
    let leases: Api<Lease> = space.leases();
    let events: Api<Event> = Api::namespaced(space.client.clone(), &space.name);
    let any = ListParams::default();
    all.push(serde_json::to_string(&requests.list(&any).await.unwrap()).unwrap());
    all.push(serde_json::to_string(&leases.list(&any).await.unwrap()).unwrap());
    all.push(serde_json::to_string(&events.list(&any).await.unwrap()).unwrap());
    all.push(format!("{:?}", dump(store).await));
    store.close().await;
    all.concat()
}

fn in_folder(folder: &Path) -> Database {
    Database::Sqlite(Sqlite::read_only(&folder.join("store.db")))
}

#[track_caller]
fn holds_none(all: &str, secrets: &[&str]) {
    assert!(all.contains("TRACE"), "the log is not at its loudest");
    for secret in secrets {
        let shown = all.lines().find(|line| line.contains(secret));
        assert_eq!(shown.map(str::len), None, "{secret:.6}… is shown");
    }
}

/// Runs that go wrong in several ways, until one goes well.
async fn go_wrong_and_well(space: &Namespace, github: &StandIn) {
    let repository = |n: usize| Matcher::get(&format!("/repos/acme/widgets-{n}"));
    github.inject(
        repository(0),
        0,
        Some(1),
        Fault::message(StatusCode::UNAUTHORIZED, "Bad credentials"),
    );
    github.inject(repository(1), 0, Some(2), Fault::message(StatusCode::FORBIDDEN, "no"));
    let links = Matcher::get("/repos/acme/widgets-2/issues");
    let foreign = Fault::message(StatusCode::OK, "x").with_header("link", "<https://a.test/>");
    github.inject(links, 0, Some(1), foreign);
    for name in ["wrong", "still-wrong", "well"] {
        space.manual(name).await;
        space.finished(name).await;
    }
}

#[tokio::test]
async fn a_token_is_shown_nowhere() {
    let space = Namespace::new("secrets").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 5).await;
    github.world(|world| world.token = Some(TOKEN.to_owned()));
    let operator = operator(&space, &github, folder.path())
        .env("GITHUB_TOKEN", TOKEN)
        .env("SINGLETRACK_LOG", "trace")
        .env("SINGLETRACK_RETRY_AFTER", "100ms")
        .start();
    go_wrong_and_well(&space, &github).await;
    let all = put_out(&space, &operator, &in_folder(folder.path())).await;
    holds_none(&all, &[TOKEN, "Bearer"]);
}

#[tokio::test]
async fn the_key_and_the_tokens_of_an_app_are_shown_nowhere() {
    let space = Namespace::new("appsecrets").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 5).await;
    github.world(|world| {
        let mut app = App::new(7, Some(APP_PUBLIC_KEY.as_bytes().to_vec()));
        app.install("acme");
        world.app = Some(app);
        world.token = None;
    });
    let key = folder.path().join("key.pem");
    std::fs::write(&key, APP_KEY).unwrap();
    let operator = operator(&space, &github, folder.path())
        .without_env("GITHUB_TOKEN")
        .env("SINGLETRACK_GITHUB_APP_ID", "7")
        .env("SINGLETRACK_GITHUB_APP_KEY_FILE", key.to_str().unwrap())
        .env("SINGLETRACK_LOG", "trace")
        .env("SINGLETRACK_RETRY_AFTER", "100ms")
        .start();
    go_wrong_and_well(&space, &github).await;
    std::fs::write(
        &key,
        "-----BEGIN RSA PRIVATE KEY-----\nbWFya2Vk\n-----END RSA PRIVATE KEY-----",
    )
    .unwrap();
    space.manual("broken-key").await;
    let broken = space.finished("broken-key").await.status.unwrap();
    assert!(broken.message.unwrap().contains("private key"));
    let all = put_out(&space, &operator, &in_folder(folder.path())).await;
    // The third is how every JWT begins, the last the broken key.
    let line = APP_KEY.lines().nth(1).unwrap();
    holds_none(&all, &[line, "ghs_", "eyJ", "Bearer", "bWFya2Vk"]);
}

#[tokio::test]
async fn the_password_of_the_database_is_shown_nowhere() {
    let space = Namespace::new("dbsecrets").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 5).await;
    let database = database().await;
    let mut url = database.url().clone();
    let password = url.password().unwrap().to_owned();
    let file = folder.path().join("password");
    std::fs::write(&file, "marked5926535").unwrap();
    url.set_password(Some("marked8979323")).unwrap();
    let operator = operator(&space, &github, folder.path())
        .on(&url)
        .env("SINGLETRACK_DATABASE_PASSWORD_FILE", file.to_str().unwrap())
        .env("SINGLETRACK_LOG", "trace")
        .env("SINGLETRACK_RETRY_AFTER", "100ms")
        .start();
    operator.says("password authentication failed").await;
    std::fs::write(&file, &password).unwrap();
    go_wrong_and_well(&space, &github).await;
    let all = put_out(&space, &operator, &Database::Postgres(database.store())).await;
    holds_none(&all, &[&password, "marked5926535", "marked8979323"]);
}
