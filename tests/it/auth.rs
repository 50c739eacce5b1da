//! Who asks GitHub: Apps and their tokens, and secrets that change while a run goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use futures::future::join_all;
use http::StatusCode;
use secrecy::SecretString;
use singletrack::api::{Phase, RepositoryPhase};
use singletrack::github::{
    Access, App, AppKey, BaseUrl, Credentials, DEFAULT_FLOOR, Error, Network, ReadCredentials,
    Source,
};
use singletrack::process::clock::Clock;
use singletrack::sync::Broken;

use crate::stand_in::{self, Fault, Matcher, StandIn, World};
use crate::support::{APP_KEY, APP_PUBLIC_KEY, TOKEN, awaited};
use crate::sync::{store, sync_as};

const PKCS8_KEY: &str = include_str!("../keys/app-pkcs8.pem");
const OTHER_KEY: &str = include_str!("../keys/server-key.pem");

pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

/// A world whose clock stands, and whose App 7 is installed for acme, as installation 11.
pub(crate) fn world(repositories: usize, issues: usize) -> World {
    let mut world = World::generate(11, repositories, issues);
    world.set_now(Some(start()));
    let lines = APP_PUBLIC_KEY.lines().filter(|line| !line.starts_with('-'));
    let key = BASE64_STANDARD.decode(lines.collect::<String>()).unwrap();
    let mut app = stand_in::App::new(7, Some(key));
    assert_eq!(app.install("acme"), 11);
    world.app = Some(app);
    world
}

async fn github(repositories: usize, issues: usize) -> StandIn {
    StandIn::start(world(repositories, issues)).await
}

pub(crate) fn app(key: &str, installation: Option<u64>) -> Credentials {
    let key = AppKey::from_pem(SecretString::from(key)).unwrap();
    Credentials::App(App { id: 7, key, installation })
}

pub(crate) fn access(base: &str, credentials: ReadCredentials) -> Access {
    let base = BaseUrl::parse(base, false).unwrap();
    Access { base, credentials, network: Network::default(), quota_floor: DEFAULT_FLOOR }
}

fn app_access(github: &StandIn, key: &str, installation: Option<u64>) -> Access {
    let app = app(key, installation);
    access(&github.base_url(), Arc::new(move || Ok(app.clone())))
}

/// A client, and the clock that it follows.
fn source(access: &Access) -> (Source, Clock) {
    let clock = Clock::starting_at(start());
    (Source::connect(access, clock.clone()).unwrap(), clock)
}

fn minted(github: &StandIn) -> usize {
    github.world(|world| world.app.as_ref().unwrap().minted())
}

fn statuses(github: &StandIn) -> Vec<u16> {
    github.requests().iter().map(|request| request.status.unwrap()).collect()
}

/// Asks for so many repositories at once, and expects all of them.
async fn get_all(source: &Source, repositories: usize) {
    let get = async |number| source.get(&format!("/repos/acme/widgets-{number}"), None).await;
    for answer in join_all((0..repositories).map(get)).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn eight_repositories_at_once_wait_for_one_token() {
    for installation in [None, Some(11)] {
        let github = github(8, 1).await;
        let (source, _) = source(&app_access(&github, APP_KEY, installation));
        get_all(&source, 8).await;
        assert_eq!(minted(&github), 1);
        let lookups = usize::from(installation.is_none());
        assert_eq!(github.requests().len(), 8 + 1 + lookups);
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_is_minted_once_for_all_who_were_refused() {
    let github = github(8, 1).await;
    let (source, _) = source(&app_access(&github, APP_KEY, None));
    get_all(&source, 8).await;
    github.world(|world| world.app.as_mut().unwrap().revoke_tokens());
    get_all(&source, 8).await;
    assert_eq!(minted(&github), 2);
}

#[tokio::test]
async fn a_page_that_is_refused_once_is_asked_again_with_a_new_token() {
    let github = github(1, 450).await;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let refused = Fault::message(StatusCode::UNAUTHORIZED, "Bad credentials");
    let second = Matcher::get("/repos/acme/widgets-0/issues").with("page", "2");
    github.inject(second, 0, Some(1), refused);
    let access = app_access(&github, APP_KEY, None);
    let clock = Clock::starting_at(start());
    let (run, _) = sync_as(&github, &store, &access, &clock).await.unwrap();
    assert_eq!((run.phase, run.result.created), (Phase::Succeeded, 450));
    assert_eq!(minted(&github), 2);
    store.close().await;
}

#[tokio::test]
async fn a_page_that_is_refused_twice_ends_the_run() {
    let github = github(1, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let refused = Fault::message(StatusCode::UNAUTHORIZED, "Bad credentials");
    github.inject(Matcher::get("/repos/acme/widgets-0"), 0, None, refused);
    let access = app_access(&github, APP_KEY, Some(11));
    let clock = Clock::starting_at(start());
    let broken = sync_as(&github, &store, &access, &clock).await.err().unwrap();
    assert!(matches!(broken, Broken::Unauthorized(Error::Unauthorized { .. })), "{broken:?}");
    assert_eq!(minted(&github), 2);
    assert_eq!(statuses(&github), [201, 401, 201, 401]);
    store.close().await;
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let github = github(1, 1).await;
    let (source, clock) = source(&app_access(&github, APP_KEY, None));
    for (minutes, tokens) in [(0, 1), (54, 1), (2, 2), (54, 2), (100, 3)] {
        clock.wait(Duration::from_secs(minutes * 60)).await;
        github.world(|world| world.set_now(Some(clock.now())));
        get_all(&source, 1).await;
        assert_eq!(minted(&github), tokens, "after {minutes} minutes more");
    }
    assert!(!statuses(&github).contains(&401));
}

#[tokio::test]
async fn a_token_that_ends_while_a_limit_is_waited_for_is_renewed_before_the_page_is_asked_again() {
    let github = github(1, 1).await;
    let (source, clock) = source(&app_access(&github, APP_KEY, None));
    get_all(&source, 1).await;
    let limit = Fault::secondary_limit(StatusCode::FORBIDDEN).with_header("retry-after", "7000");
    github.inject(Matcher::get("/repos/acme/widgets-0"), 0, Some(1), limit);
    let gate = github.hold(Matcher::method(http::Method::POST));
    let follow = async {
        gate.arrived().await;
        github.world(|world| world.set_now(Some(clock.now())));
        gate.open();
    };
    awaited("the page", async { tokio::join!(get_all(&source, 1), follow) }).await;
    assert_eq!(statuses(&github), [200, 201, 200, 403, 201, 200]);
}

#[tokio::test]
async fn an_owner_without_the_app_fails_alone_and_is_told_what_to_do() {
    let github = github(2, 3).await;
    github.world(|world| world.add_repository("other/things").open_issue(1, "unseen").number);
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let access = app_access(&github, APP_KEY, None);
    let clock = Clock::starting_at(start());
    let (run, records) = sync_as(&github, &store, &access, &clock).await.unwrap();
    assert_eq!((run.phase, run.result.created), (Phase::PartiallySucceeded, 6));
    let failed: Vec<_> =
        records.iter().filter(|one| one.phase == RepositoryPhase::Failed).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].reason.as_deref(), Some("NotInstalled"));
    let error = failed[0].error.as_deref().unwrap();
    assert!(error.contains("\"other\"") && error.contains("install it there"), "{error}");
    store.close().await;
}

#[tokio::test]
async fn an_installation_that_is_not_there_is_named() {
    let github = github(1, 1).await;
    let (source, _) = source(&app_access(&github, APP_KEY, Some(99)));
    let error = source.get("/repos/acme/widgets-0", None).await.unwrap_err();
    assert_eq!(error.reason(), "NotInstalled");
    assert!(error.to_string().contains("installation 99"), "{error}");
}

#[tokio::test]
async fn a_path_without_an_owner_is_asked_on_behalf_of_one() {
    let github = github(1, 1).await;
    let (source, _) = source(&app_access(&github, APP_KEY, None));
    let id = github.world(|world| world.repository("acme/widgets-0").id());
    let path = format!("/repositories/{id}/issues");
    assert_eq!(source.get(&path, None).await.unwrap_err().reason(), "NotInstalled");
    source.for_owner("Acme").get(&path, None).await.unwrap();
}

#[tokio::test]
async fn a_repository_that_was_renamed_is_followed_with_the_token_of_its_owner() {
    let github = github(1, 1).await;
    github.world(|world| world.rename_repository("acme/widgets-0", "acme/gadgets"));
    let (source, _) = source(&app_access(&github, APP_KEY, None));
    get_all(&source, 1).await;
    assert_eq!(statuses(&github), [200, 201, 301, 200]);
}

#[tokio::test]
async fn a_key_may_have_either_form_and_must_be_the_right_one() {
    for (key, works) in [(APP_KEY, true), (PKCS8_KEY, true), (OTHER_KEY, false)] {
        let github = github(1, 1).await;
        let (source, _) = source(&app_access(&github, key, None));
        let got = source.get("/repos/acme/widgets-0", None).await;
        let reason = got.map(|_| ()).map_err(|error| error.reason());
        assert_eq!(reason, if works { Ok(()) } else { Err("Unauthorized") });
    }
}

#[tokio::test]
async fn a_key_that_was_replaced_is_read_when_the_old_one_is_refused() {
    let github = github(1, 1).await;
    let key = Arc::new(Mutex::new(OTHER_KEY));
    let read: ReadCredentials = {
        let key = Arc::clone(&key);
        Arc::new(move || Ok(app(*key.lock().unwrap(), None)))
    };
    let (source, _) = source(&access(&github.base_url(), read));
    *key.lock().unwrap() = APP_KEY;
    get_all(&source, 1).await;
    assert_eq!(statuses(&github), [401, 200, 201, 200]);
}

#[tokio::test]
async fn everything_is_below_the_base_url_of_an_enterprise_server() {
    let github = github(1, 450).await;
    let base = format!("{}/api/v3", github.base_url());
    github.world(|world| world.set_base_url(&base));
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let app = app(APP_KEY, None);
    let access = access(&base, Arc::new(move || Ok(app.clone())));
    let clock = Clock::starting_at(start());
    let (run, _) = sync_as(&github, &store, &access, &clock).await.unwrap();
    assert_eq!((run.phase, run.result.created), (Phase::Succeeded, 450));
    for request in github.requests() {
        let path = &request.path_and_query;
        assert!(path.starts_with("/api/v3/") && request.token_ok, "{path}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_token_file_that_changes_while_a_run_goes_on_is_read_when_the_old_token_is_refused() {
    let mut world = World::generate(11, 1, 450);
    world.token = Some("ghp_old".to_owned());
    let github = StandIn::start(world).await;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let file = folder.path().join("token");
    std::fs::write(&file, "ghp_old").unwrap();
    let read: ReadCredentials = {
        let file = file.clone();
        Arc::new(move || {
            let text = std::fs::read_to_string(&file).map_err(|_| Error::MissingToken)?;
            Ok(Credentials::Token(SecretString::from(text)))
        })
    };
    let access = access(&github.base_url(), read);
    let clock = Clock::default();
    let gate = github.hold(Matcher::get("/repos/acme/widgets-0/issues").with("page", "2"));
    let change = async {
        gate.arrived().await;
        github.world(|world| world.token = Some("ghp_new".to_owned()));
        std::fs::write(&file, "ghp_new").unwrap();
        gate.open();
    };
    let run = sync_as(&github, &store, &access, &clock);
    let both = Box::pin(async { tokio::join!(run, change) });
    let (run, ()) = awaited("the run", both).await;
    let run = run.unwrap().0;
    assert_eq!((run.phase, run.result.created), (Phase::Succeeded, 450));
    assert_eq!(statuses(&github).iter().filter(|status| **status == 401).count(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_token_that_is_refused_and_has_not_changed_is_not_sent_again() {
    let mut world = World::generate(11, 1, 1);
    world.token = Some(TOKEN.to_owned());
    let github = StandIn::start(world).await;
    let base = BaseUrl::parse(&github.base_url(), false).unwrap();
    let access = Access::with_token(base, SecretString::from("ghp_wrong"));
    let (source, _) = source(&access);
    let error = source.get("/repos/acme/widgets-0", None).await.unwrap_err();
    assert_eq!(error.reason(), "Unauthorized");
    assert_eq!(statuses(&github), [401]);
}

#[tokio::test]
async fn no_secret_is_in_a_log_line_at_any_level() {
    let github = github(1, 3).await;
    github.world(|world| world.set_now(None));
    github.world(|world| world.token = Some("ghp_marked".to_owned()));
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/app-pkcs1.pem");
    let app = [("SINGLETRACK_GITHUB_APP_ID", "7"), ("SINGLETRACK_GITHUB_APP_KEY_FILE", key)];
    let token = [("GITHUB_TOKEN", "ghp_marked")];
    for variables in [&app[..], &token] {
        let (well, text) = local(&github, variables).await;
        assert!(well && text.contains("TRACE"), "{text}");
        // The second is how every JWT begins.
        for secret in ["ghs_", "eyJ", "marked", "Bearer ", APP_KEY.lines().nth(1).unwrap()] {
            let shown = text.lines().find(|line| line.contains(secret));
            assert_eq!(shown, None);
        }
    }
    assert_eq!(minted(&github), 1);
}

/// Makes one run with the program itself, and gives whether it went well and all that it said.
async fn local(github: &StandIn, variables: &[(&str, &str)]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_singletrack"));
    command
        .args(["local", "--track", "acme/widgets-0"])
        .env_clear()
        .env("SINGLETRACK_LOG", "trace")
        .env("SINGLETRACK_GITHUB_URL", github.base_url())
        .env("SINGLETRACK_DATABASE", folder.path().join("store.db"))
        .env("HTTP_PROXY", "http://user:marked@proxy.invalid:1")
        .env("no_proxy", "127.0.0.1")
        .envs(variables.iter().copied());
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).unwrap())
}
