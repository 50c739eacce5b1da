//! What runs ask, and what the stand-in answers, held against GitHub's own description of its API.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use chrono::TimeDelta;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use secrecy::SecretString;
use serde_json::json;
use singletrack::api::{Phase, RunType};
use singletrack::github::{Access, BaseUrl};
use singletrack::process::clock::Clock;
use singletrack::store::Sqlite;
use singletrack::sync::{Conclusion, Parts, RulesConfig};

use crate::auth;
use crate::stand_in::{Fault, Matcher, World};
use crate::support::{APP_KEY, Attempt, Exchange, Judged, TOKEN, judged};
use crate::sync::{store, sync_as};

/// The stand-in with this world, or the end of the test where there is no referee.
macro_rules! judged {
    ($world:expr) => {
        match judged($world).await {
            Some(github) => github,
            None => return,
        }
    };
}

pub(crate) fn world(repositories: usize, issues: usize) -> World {
    let mut world = World::generate(11, repositories, issues);
    world.token = Some(TOKEN.to_owned());
    world
}

fn access(github: &Judged) -> Access {
    let base = BaseUrl::parse(github.base_url(), false).unwrap();
    Access::with_token(base, SecretString::from(TOKEN))
}

/// One run over all repositories, with all that it asked.
async fn sync(github: &Judged, store: &Sqlite) -> (Conclusion, Vec<Exchange>) {
    let before = github.exchanges().len();
    let run = sync_as(github, store, &access(github), &Clock::default()).await.unwrap().0;
    (run, github.exchanges().split_off(before))
}

/// Asks by hand, and gives the status.
async fn ask(github: &Judged, method: Method, path: &str, body: &'static str) -> u16 {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", github.base_url()))
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request).await.unwrap().map(Body::new).status().as_u16()
}

pub(crate) async fn get(github: &Judged, path: &str) -> u16 {
    ask(github, Method::GET, path, "").await
}

pub(crate) fn has(asked: &[Exchange], part: &str, status: u16) -> bool {
    asked.iter().any(|one| one.asked.contains(part) && one.status == status)
}

#[tokio::test]
async fn the_first_runs_are_legal_and_so_are_those_in_which_nothing_is_new() {
    for (cursor_links, link) in [(false, "/issues?state=open&"), (true, "after=")] {
        let mut world = world(2, 530);
        world.cursor_links = cursor_links;
        let github = judged!(world);
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let (first, asked) = sync(&github, &store).await;
        assert_eq!((first.phase, first.result.created), (Phase::Succeeded, 1060));
        assert!(has(&asked, "GET /repositories/", 200) && has(&asked, link, 200), "{asked:?}");
        let (_, second) = sync(&github, &store).await;
        assert!(has(&second, "&since=", 200), "{second:?}");
        let (third, asked) = sync(&github, &store).await;
        assert_eq!((third.phase, third.result.changed), (Phase::Succeeded, 0));
        assert!(asked.iter().all(|one| one.status == 304), "{asked:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn what_changes_vanishes_or_moves_is_asked_for_legally() {
    let github = judged!(world(3, 60));
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    sync(&github, &store).await;
    let moved = github.world(|world| {
        let repository = world.repository_mut("acme/widgets-0");
        let open = repository.issues().filter(|one| one.closed_at.is_none());
        let open: Vec<u64> = open.map(|one| one.number).collect();
        repository.close_issue(open[0]);
        repository.delete_issue(open[1]);
        repository.lose_issue(open[2]);
        repository.open_issue(9001, "a new one");
        world.transfer_issue("acme/widgets-0", open[3], "acme/widgets-1");
        [open[1], open[2], open[3]]
    });
    let (run, _) = sync(&github, &store).await;
    assert_eq!(run.phase, Phase::Succeeded, "{}", run.message);
    for (number, status) in moved.into_iter().zip([410, 404, 301]) {
        let path = format!("/repos/acme/widgets-0/issues/{number}");
        assert_eq!(get(&github, &path).await, status);
    }
    store.close().await;
}

#[tokio::test]
async fn repositories_that_move_close_their_issues_or_vanish_are_asked_for_legally() {
    let github = judged!(world(4, 30));
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let sync_former = async || {
        let names = ["acme/widgets-0", "acme/widgets-1", "acme/widgets-2", "acme/widgets-3"];
        for name in names {
            get(&github, &format!("/repos/{name}")).await;
            get(&github, &format!("/repos/{name}/issues?state=all")).await;
        }
    };
    sync(&github, &store).await;
    github.world(|world| {
        world.rename_repository("acme/widgets-0", "acme/gadgets");
        world.rename_repository("acme/widgets-1", "other/widgets");
        world.repository_mut("acme/widgets-2").has_issues = false;
        world.repository_mut("acme/widgets-2").archived = true;
        world.delete_repository("acme/widgets-3");
    });
    sync_former().await;
    let (run, asked) = sync(&github, &store).await;
    assert_eq!(run.phase, Phase::Succeeded, "{}", run.message);
    assert!(has(&asked, "/issues", 410), "{asked:?}");
    assert!(has(&github.exchanges(), "GET /repos/acme/widgets-0", 301));
    assert!(has(&github.exchanges(), "GET /repos/acme/widgets-3/issues", 404));
    store.close().await;
}

#[tokio::test]
async fn an_app_asks_for_its_tokens_legally() {
    let mut of_app = auth::world(2, 130);
    of_app.add_repository("other/things").open_issue(1, "unseen");
    let github = judged!(of_app);
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let app = auth::app(APP_KEY, None);
    let access = auth::access(github.base_url(), Arc::new(move || Ok(app.clone())));
    let run = async |minutes| {
        let now = auth::start() + TimeDelta::minutes(minutes);
        github.world(|world| world.set_now(Some(now)));
        sync_as(&github, &store, &access, &Clock::starting_at(now)).await.unwrap().0
    };
    assert_eq!(run(0).await.phase, Phase::PartiallySucceeded);
    github.world(|world| world.app.as_mut().unwrap().revoke_tokens());
    github.world(|world| world.app.as_mut().unwrap().install("other"));
    assert_eq!(run(70).await.phase, Phase::Succeeded);
    let asked = github.exchanges();
    assert!(has(&asked, "POST /app/installations/11/access_tokens", 201), "{asked:?}");
    assert!(has(&asked, "/orgs/other/installation", 404), "{asked:?}");
    store.close().await;
}

#[tokio::test]
async fn limits_are_told_and_waited_for_legally() {
    let mut world = world(1, 130);
    world.set_now(Some(auth::start()));
    let github = judged!(world);
    let page = || Matcher::get("/repos/acme/widgets-0/issues");
    let limit = |status| Fault::secondary_limit(status).with_header("retry-after", "60");
    github.inject(page().with("state", "open"), 0, Some(1), limit(StatusCode::FORBIDDEN));
    github.inject(page().with("state", "closed"), 0, Some(1), limit(StatusCode::TOO_MANY_REQUESTS));
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let clock = Clock::starting_at(auth::start());
    let run = sync_as(&github, &store, &access(&github), &clock).await.unwrap().0;
    assert_eq!((run.phase, run.result.created), (Phase::Succeeded, 130));
    assert!(has(&github.exchanges(), "state=open", 403));
    assert!(has(&github.exchanges(), "state=closed", 429));
    github.world(|world| world.quota.exhaust(auth::start() + TimeDelta::minutes(5)));
    assert_eq!(get(&github, "/repos/acme/widgets-0").await, 403);
    assert_eq!(get(&github, "/rate_limit").await, 200);
    store.close().await;
}

#[tokio::test]
async fn owners_and_labels_are_answered_legally() {
    let mut world = world(2, 3);
    world.add_repository("octavia/notes").fork = true;
    world.make_person("octavia");
    let github = judged!(world);
    let list = "per_page=100&type=";
    assert_eq!(get(&github, &format!("/orgs/acme/repos?{list}all")).await, 200);
    assert_eq!(get(&github, &format!("/orgs/octavia/repos?{list}all")).await, 404);
    assert_eq!(get(&github, &format!("/users/octavia/repos?{list}owner")).await, 200);
    let id = github.world(|world| world.repository("acme/widgets-0").owner_id());
    assert_eq!(get(&github, &format!("/organizations/{id}/repos?page=1")).await, 200);
    assert_eq!(get(&github, "/installation/repositories").await, 200);
    let labels = "/repos/acme/widgets-0/issues/1/labels";
    let added = r#"{"labels":["agent/ready","area/parser"]}"#;
    assert_eq!(ask(&github, Method::POST, labels, added).await, 200);
    assert_eq!(get(&github, labels).await, 200);
    let one = format!("{labels}/area%2Fparser");
    assert_eq!(ask(&github, Method::DELETE, &one, "").await, 200);
    assert_eq!(ask(&github, Method::DELETE, &one, "").await, 404);
}

#[tokio::test]
async fn owners_are_looked_through_legally() {
    let mut world = world(2, 130);
    world.add_repository("octavia/notes").open_issue(1, "of a person");
    world.make_person("octavia");
    let github = judged!(world);
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let attempt = || Attempt { access: access(&github), ..Attempt::over(&github) };
    for full in [false, true] {
        let found = attempt().tracking(&["acme/*", "octavia/*", "nobody/*"]);
        let run = Attempt { full, ..found }.run(&store).await.conclusion;
        assert_eq!((run.phase, run.result.failed), (Phase::PartiallySucceeded, 1));
    }
    let asked = github.exchanges();
    assert!(has(&asked, "GET /orgs/acme/repos", 200), "{asked:?}");
    assert!(has(&asked, "GET /orgs/octavia/repos", 404), "{asked:?}");
    assert!(has(&asked, "GET /users/octavia/repos", 200), "{asked:?}");
    // A name that others have taken: who had it before is looked up by number.
    github.world(|world| {
        world.rename_repository("acme/widgets-0", "acme/gadgets");
        world.add_repository("acme/widgets-0");
    });
    attempt().tracking(&["acme/widgets-0"]).run(&store).await;
    let by_number = |one: &Exchange| one.asked.starts_with("GET /repositories/");
    assert!(github.exchanges().iter().any(by_number));
    store.close().await;
}

#[tokio::test]
async fn labels_are_written_and_long_pages_halved_legally() {
    let mut world = world(1, 130);
    let number = world.repository("acme/widgets-0").next_number();
    let repository = world.repository_mut("acme/widgets-0");
    repository.open_issue(number, "done").set_labels(&["status/in progress/100%"]);
    repository.close_issue(number);
    let github = judged!(world);
    let whole = Matcher::get("/repos/acme/widgets-0/issues").with("per_page", "100");
    let ill = Fault::message(StatusCode::BAD_GATEWAY, "Server Error");
    github.inject(whole.with("state", "open"), 0, None, ill);
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let rules = RulesConfig { write_back: true, ..RulesConfig::default() };
    let (access, clock) = (access(&github), Clock::starting_at(auth::start()));
    let parts = Parts::of(RunType::Scheduled, false);
    let attempt = Attempt { access, clock, rules, parts, ..Attempt::over(&github) };
    let run = attempt.run(&store).await.conclusion;
    assert_eq!(run.phase, Phase::Succeeded, "{}", run.message);
    let asked = github.exchanges();
    assert!(has(&asked, "state=open&sort=created&direction=asc&per_page=50", 200), "{asked:?}");
    for method in ["POST", "DELETE"] {
        let call = format!("{method} /repos/acme/widgets-0/issues/{number}/labels");
        assert!(has(&asked, &call, 200), "{asked:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_wrong_request_is_objected_to() {
    let github = judged!(world(1, 3));
    for (path, told) in [
        ("/repos/acme/widgets-0/issues?state=bogus", "state"),
        ("/repos/acme/widgets-0/issues?since=yesterday", "since"),
        ("/repos/acme/widgets-0/issues?per_page=1000", "per_page"),
        ("/repos/acme/widgets-0/issues?sort_by=created", "sort_by"),
        ("/repos/acme/widgets-0/issues/one", "issue_number"),
        ("/repos/acme/widgets-0/problems", "NO_PATH_MATCHED"),
    ] {
        get(&github, path).await;
        let seen = github.take();
        assert!(seen.len() == 1 && seen[0].objection.contains(told), "{path}: {seen:?}");
    }
    let labels = "/repos/acme/widgets-0/issues/1/labels";
    ask(&github, Method::POST, labels, r#"{"labels":7}"#).await;
    let seen = github.take();
    assert!(seen[0].objection.contains("labels"), "{seen:?}");
}

/// The proxy says nothing about answers whose description it cannot read.
#[tokio::test]
async fn no_answer_is_beyond_the_referee() {
    let github = judged!(World::empty());
    for call in github.description().calls() {
        github.inject(Matcher::any(), 0, Some(1), Fault::json(call.success, &json!(7)));
        ask(&github, call.method, &call.path_and_query, "").await;
        let seen = github.take();
        assert!(seen.len() == 1 && seen[0].objection.contains("Response body"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_wrong_answer_is_objected_to() {
    let github = judged!(world(1, 1));
    let path = "/repos/acme/widgets-0/issues/1";
    let issue = |field: &str, value| {
        github.world(|world| {
            let issue = world.repository_mut("acme/widgets-0").issue_mut(1).unwrap();
            issue.patch = [(field.to_owned(), value)].into_iter().collect();
        });
    };
    for (field, value) in [
        ("user", json!("octavia")),
        ("number", json!("1")),
        ("created_at", json!("yesterday")),
        ("title", json!(null)),
        ("labels", json!({})),
    ] {
        issue(field, value);
        assert_eq!(get(&github, path).await, 500);
        let seen = github.take();
        assert!(seen.len() == 1 && seen[0].objection.contains(field), "{field}: {seen:?}");
    }
    let teapot = Fault::message(StatusCode::IM_A_TEAPOT, "short and stout");
    github.inject(Matcher::get(path), 0, Some(1), teapot);
    get(&github, path).await;
    assert!(github.take()[0].objection.contains("status code"));
}
