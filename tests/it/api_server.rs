//! An API server that is gone, busy, or heard of late.

use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use singletrack::api::Phase;

use crate::requests::{github, holder, open_issues};
use crate::support::{Action, Namespace, Proxy, Rule, awaited, operator, phase_of};

#[tokio::test]
async fn an_operator_that_is_stopped_without_an_api_server_ends() {
    let space = Namespace::new("cut-off").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let page = github.hold(open_issues());
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let mut operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    space.manual("it").await;
    awaited("a page is held", page.arrived()).await;
    space.in_phase("it", Phase::Running).await;
    proxy.rule(Rule::every("/", Action::Answer(StatusCode::INTERNAL_SERVER_ERROR, String::new())));
    assert!(operator.terminate().await.success());
    let asked = proxy.count("GET /apis/coordination");
    assert!(asked < 100, "it asked for the Lease {asked} times, without a pause");
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again_by_whoever_knows_why_and_not_by_the_client() {
    let space = Namespace::new("busy").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    operator.ready().await;
    proxy.watched("/syncrequests").await;
    let busy = || Action::Answer(StatusCode::SERVICE_UNAVAILABLE, String::new());
    let listed = Rule { times: 1, ..Rule::every("/syncrequests?", busy()) };
    proxy.rule(listed);
    proxy.expire_watches();
    operator.says("failed to perform initial object list").await;
    let written = Rule { times: 2, ..Rule::every("/syncrequests/it/status", busy()) };
    proxy.rule(Rule { body: "\"phase\":\"Running\"", ..written });
    space.manual("it").await;
    assert_eq!(phase_of(&space.finished("it").await), Phase::Succeeded);
    let log = operator.log();
    let refused = |line: &&str| line.contains("failed to write the status") && line.contains("503");
    assert_eq!(log.lines().filter(refused).count(), 2, "the client has repeated a call by itself");
}

#[tokio::test]
async fn an_end_that_the_watch_of_the_lease_has_not_shown_is_not_looked_for_again_and_again() {
    let space = Namespace::new("unheard").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let page = github.hold(open_issues());
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let _operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .times(Duration::from_secs(60), Duration::from_millis(200))
        .start();
    space.manual("it").await;
    awaited("a page is held", page.arrived()).await;
    // Its own renewal is the last that it hears of.
    let before = proxy.calls();
    proxy.called_after(before, "answered PUT").await;
    proxy.freeze_watches(true);
    page.open();
    space.finished("it").await;
    space.lease_when("is free", |lease| holder(lease).is_empty()).await;
    let before = proxy.count("GET /apis/coordination");
    for _ in 0..100 {
        space.get("it").await;
    }
    let asked = proxy.count("GET /apis/coordination") - before;
    assert!(asked < 5, "it asked for the Lease {asked} times for nothing");
}

#[tokio::test]
async fn a_lease_that_may_not_be_written_is_tried_again_with_pauses() {
    let space = Namespace::new("refused").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let page = github.hold(open_issues());
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let _operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    let refused = |body| Rule {
        method: Some(Method::PUT),
        body,
        ..Rule::every("/leases/singletrack", Action::Answer(StatusCode::FORBIDDEN, String::new()))
    };
    // How often it was tried, and how often it may be with half a second between two tries.
    let tries = async || {
        proxy.taken("/leases/singletrack").await;
        let began = Instant::now();
        let before = proxy.count("PUT /apis/coordination");
        for _ in 0..100 {
            space.get("it").await;
        }
        let tried = proxy.count("PUT /apis/coordination") - before;
        (tried, usize::try_from(began.elapsed().as_millis() / 500 + 1).unwrap())
    };
    proxy.rule(refused("request-name"));
    space.manual("it").await;
    let (granted, may) = tries().await;
    assert!(granted <= may, "it was tried {granted} times to take the Lease, not {may}");
    proxy.clear();
    awaited("a page is held", page.arrived()).await;
    proxy.rule(refused(""));
    page.open();
    space.finished("it").await;
    let (freed, may) = tries().await;
    assert!(freed <= may, "it was tried {freed} times to free the Lease, not {may}");
    proxy.clear();
    space.lease_when("is free", |lease| holder(lease).is_empty()).await;
}

#[tokio::test]
async fn a_list_that_gets_no_answer_is_asked_for_again() {
    let space = Namespace::new("unanswered").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    operator.ready().await;
    proxy.watched("/syncrequests").await;
    // The watch ends, and what is asked for next is lost without a word.
    proxy.rule(Rule { times: 1, ..Rule::every("/syncrequests?", Action::DropCall) });
    proxy.expire_watches();
    proxy.taken("/syncrequests?").await;
    space.manual("it").await;
    assert_eq!(phase_of(&space.finished("it").await), Phase::Succeeded);
}
