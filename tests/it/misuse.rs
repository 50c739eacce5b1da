//! Bad input and broken surroundings: a clear message, nothing lost, and recovery without hands.

use http::{Method, StatusCode};
use singletrack::api::{Phase, RunType, SyncRequestSpec};

use crate::requests::github;
use crate::stand_in::{Fault, Matcher};
use crate::support::{Action, Namespace, Proxy, Rule, history, operator, phase_of};

#[tokio::test]
async fn without_a_token_a_request_fails_at_once() {
    let space = Namespace::new("notoken").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let _operator = operator(&space, &github, folder.path()).without_env("GITHUB_TOKEN").start();
    space.manual("hopeless").await;
    let status = space.finished("hopeless").await.status.unwrap();
    assert_eq!((status.phase, status.reason.as_deref()), (Phase::Failed, Some("MissingToken")));
    assert!(status.message.unwrap().contains("GITHUB_TOKEN"));
    assert!(github.requests().is_empty());
}

#[tokio::test]
async fn a_token_that_github_refuses_fails_the_request_and_is_shown_nowhere() {
    let space = Namespace::new("badtoken").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 5).await;
    let secret = "marked-token-3141592653";
    let operator = operator(&space, &github, folder.path())
        .env("GITHUB_TOKEN", secret)
        .env("SINGLETRACK_LOG", "trace")
        .start();
    space.manual("hopeless").await;
    let request = space.finished("hopeless").await;
    let status = request.status.clone().unwrap();
    assert_eq!((status.phase, status.reason.as_deref()), (Phase::Failed, Some("Unauthorized")));
    assert_eq!(history(folder.path()).await[0].reason.as_deref(), Some("Unauthorized"));
    let shown = serde_json::to_string(&request).unwrap() + &operator.log();
    assert!(!shown.contains(secret), "the token is shown");
}

#[tokio::test]
async fn a_name_that_is_not_tracked_fails_before_github_is_asked() {
    let space = Namespace::new("untracked").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let _operator = operator(&space, &github, folder.path()).start();
    let names = vec!["acme/WIDGETS-0".parse().unwrap(), "acme/other".parse().unwrap()];
    let spec =
        SyncRequestSpec { repositories: Some(names), ..SyncRequestSpec::of(RunType::Manual) };
    space.create("unknown", spec).await;
    let status = space.finished("unknown").await.status.unwrap();
    assert_eq!((status.phase, status.reason.as_deref()), (Phase::Failed, Some("NotTracked")));
    assert!(status.message.unwrap().contains("acme/other"));
    assert!(github.requests().is_empty());
}

#[tokio::test]
async fn an_event_whose_note_is_too_long_for_the_api_server_is_published_all_the_same() {
    let space = Namespace::new("notes").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let _operator = operator(&space, &github, folder.path()).start();
    let name = |n| format!("acme/{}{n}", "x".repeat(99)).parse().unwrap();
    let names = Some((0..10).map(name).collect());
    let spec = SyncRequestSpec { repositories: names, ..SyncRequestSpec::of(RunType::Manual) };
    space.create("unknown", spec).await;
    let event = space.event("unknown", "NotTracked").await;
    assert!(event.note.unwrap().starts_with("Failed: "));
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_keeps_the_request_and_recovers() {
    let space = Namespace::new("nodb").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let missing = folder.path().join("later");
    let operator = operator(&space, &github, &missing).log_in(folder.path()).start();
    space.manual("patient").await;
    operator
        .ready_when(|status, text| {
            status == 503 && text.contains("store: StoreUnavailable: the database")
        })
        .await;
    let waiting = space
        .request_when("patient", "waits for the store", |request| {
            let status = request.status.as_ref();
            status.and_then(|status| status.reason.as_deref()) == Some("StoreUnavailable")
        })
        .await;
    assert_eq!(phase_of(&waiting), Phase::Queued);
    std::fs::create_dir(&missing).unwrap();
    assert_eq!(phase_of(&space.finished("patient").await), Phase::Succeeded);
    operator.ready().await;
}

#[tokio::test]
async fn a_definition_that_is_too_old_is_named_with_what_to_do() {
    let space = Namespace::new("oldcrd").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let old = serde_json::json!({"components": {"schemas": {
        "dev.singletrack.v1alpha1.SyncRequest": {"properties": {"spec": {"properties": {}}}}
    }}});
    proxy.rule(Rule {
        method: Some(Method::GET),
        path: "/openapi/v3/apis/singletrack.dev/v1alpha1",
        body: "",
        action: Action::Answer(StatusCode::OK, old.to_string()),
        times: usize::MAX,
    });
    let operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    let said = operator
        .ready_when(|_, text| text.contains("schema: the SyncRequest definition is too old"))
        .await;
    assert!(said.contains("singletrack crd | kubectl apply"), "{said}");
    proxy.clear();
    operator.ready().await;
}

#[tokio::test]
async fn a_repository_that_fails_leaves_the_others_and_heals() {
    let space = Namespace::new("partly").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 20).await;
    let broken = Matcher::get("/repos/acme/widgets-1/issues");
    github.inject(broken, 0, Some(1), Fault::message(StatusCode::FORBIDDEN, "no access"));
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("first").await;
    let status = space.finished("first").await.status.unwrap();
    assert_eq!(status.phase, Phase::PartiallySucceeded);
    assert_eq!(status.reason.as_deref(), Some("SomeRepositoriesFailed"));
    let result = status.result.unwrap();
    assert_eq!((result.repositories, result.failed, result.created), (3, 1, 40));
    let failed = &status.repositories[0];
    assert_eq!(
        (failed.name.as_str(), failed.reason.as_deref()),
        ("acme/widgets-1", Some("Forbidden"))
    );
    assert!(failed.error.as_deref().unwrap().contains("no access"));

    space.manual("second").await;
    let status = space.finished("second").await.status.unwrap();
    assert_eq!(status.phase, Phase::Succeeded);
    assert_eq!(status.result.unwrap().created, 20);
}

#[tokio::test]
async fn a_token_file_that_is_missing_or_wrong_and_then_right_needs_no_restart() {
    let space = Namespace::new("tokenfile").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let file = folder.path().join("token");
    let operator = operator(&space, &github, folder.path())
        .without_env("GITHUB_TOKEN")
        .env("SINGLETRACK_GITHUB_TOKEN_FILE", &file.to_string_lossy())
        .start();
    operator.says("the operator has started").await;
    let reasons = [(None, "MissingToken"), (Some("wrong"), "Unauthorized")];
    for (at, (token, reason)) in reasons.into_iter().enumerate() {
        if let Some(token) = token {
            std::fs::write(&file, token).unwrap();
        }
        let name = format!("hopeless-{at}");
        space.manual(&name).await;
        let status = space.finished(&name).await.status.unwrap();
        assert_eq!((status.phase, status.reason.as_deref()), (Phase::Failed, Some(reason)));
    }
    std::fs::write(&file, crate::support::TOKEN).unwrap();
    space.manual("next").await;
    let status = space.finished("next").await.status.unwrap();
    assert_eq!(status.phase, Phase::Succeeded);
    assert_eq!(status.result.unwrap().created, 10, "as if nothing had been");
}
