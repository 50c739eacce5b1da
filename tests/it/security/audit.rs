//! What the API server has noted of who has asked for Secrets.

use std::time::Duration;

use http::StatusCode;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use singletrack::api::{Phase, RunType, SyncRequestSpec};
use singletrack::store::RunState;

use crate::chart::rights::{ACCOUNT, apply, kubeconfig};
use crate::chart::tool::Tools;
use crate::namespaces::{watching, with};
use crate::requests::{github, open_issues};
use crate::stand_in::{Fault, Matcher, StandIn};
use crate::support::{
    Command, Namespace, Operator, Pod, TOKEN, awaited, cluster, history, operator, phase_of, poll,
};

/// What has been asked about Secrets in the name of this user, as verb, namespace and name.
fn asked(user: &str) -> Vec<String> {
    let log = cluster().kubeconfig.with_file_name("kube-apiserver-audit.log");
    let log = std::fs::read_to_string(log).expect("the API server keeps an audit log");
    // Its last line may not be whole yet.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    let by_user = |line: &Value| {
        [&line["user"], &line["impersonatedUser"]].iter().any(|it| it["username"] == user)
    };
    let words = |line: Value| {
        let about = &line["objectRef"];
        let parts = [&line["verb"], &about["namespace"], &about["name"]];
        parts.map(|it| it.as_str().unwrap_or("*").to_owned()).join(" ")
    };
    lines.filter(by_user).map(words).collect()
}

/// Waits until the log has this of the user, which it may have a moment after the answer.
async fn noted(user: &str, line: &str) {
    let found = async || asked(user).iter().any(|it| it == line).then_some(());
    poll(&format!("the audit log has {line} of {user}"), found).await;
}

/// Creates a Secret which nobody has a reason to read, and waits until that is in the log.
async fn canary(space: &Namespace, name: &str) {
    let secret = json!({"metadata": {"name": name}, "stringData": {"token": "canary"}});
    let secret: Secret = serde_json::from_value(secret).unwrap();
    let secrets: Api<Secret> = Api::namespaced(space.client.clone(), &space.name);
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    noted("admin", &format!("create {} {name}", space.name)).await;
}

/// A run that goes well, one of another namespace, one that fails, and one that another replica takes
/// over and ends.
async fn live(
    (own, other): (&Namespace, &Namespace),
    github: &StandIn,
    start: impl Fn(&str) -> Operator,
) -> Operator {
    let mut first = start("first");
    first.ready().await;
    for (space, name) in [(own, "well"), (other, "theirs")] {
        space.manual(name).await;
        assert_eq!(phase_of(&space.finished(name).await), Phase::Succeeded, "{name}");
    }
    let no = Fault::message(StatusCode::FORBIDDEN, "no");
    github.inject(Matcher::get("/repos/acme/widgets-0"), 0, Some(1), no);
    let once = SyncRequestSpec { backoff_limit: 0, ..SyncRequestSpec::of(RunType::Manual) };
    own.create("wrong", once).await;
    assert_eq!(phase_of(&own.finished("wrong").await), Phase::Failed);
    let gate = github.hold(open_issues());
    own.manual("taken-over").await;
    awaited("a page is held", gate.arrived()).await;
    first.kill();
    let second = start("second");
    gate.open();
    assert_eq!(phase_of(&own.finished("taken-over").await), Phase::Succeeded);
    second
}

/// With the rights that the chart gives, and Secrets at all places where it could look for one. The
/// last that is asked in its name is ours: it shows that the log would have had the others.
#[tokio::test]
async fn the_audit_log_has_no_request_of_the_operator_for_a_secret() {
    let own = Namespace::new("audited").await;
    let (other, stranger) = (Namespace::new("alsoaudited").await, Namespace::new("aside").await);
    for (space, name) in [
        (&own, "github"),
        (&own, "singletrack"),
        (&other, "github"),
        (&other, "canary"),
        (&stranger, "canary"),
    ] {
        canary(space, name).await;
    }
    let tools = Tools::of(&cluster().kubeconfig);
    let values = format!("{{watch: {{namespaces: [{}]}}}}", other.name);
    apply(&tools, &tools.rendered(&own.name, &values), &ACCOUNT);
    let account = kubeconfig(&tools, &own);
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let config = watching(folder.path(), &[&other]);
    let start = |pod: &str| {
        with(operator(&own, &github, folder.path()), &config)
            .pod(&Pod::named(pod))
            .times(Duration::from_secs(600), Duration::from_millis(300))
            .env("KUBECONFIG", &account.to_string_lossy())
            .start()
    };
    let mut second = live((&own, &other), &github, start).await;
    let url = github.base_url();
    let args = ["doctor", "--github-url", &url, "--track", "acme/widgets-0"];
    Command::within(&own, &args)
        .env("KUBECONFIG", &account)
        .env("SINGLETRACK_DATABASE", folder.path().join("store.db"))
        .env("GITHUB_TOKEN", TOKEN)
        .said()
        .await
        .with(0, &["ok    permissions"]);
    assert!(second.terminate().await.success());
    let runs: Vec<_> = history(folder.path()).await.iter().map(|run| run.state).collect();
    let [done, cut] = [RunState::Succeeded, RunState::Interrupted];
    assert_eq!(runs, [done, done, RunState::Failed, cut, done]);

    let user = format!("system:serviceaccount:{}:x-singletrack", own.name);
    let asks = Tools::of(&account).kubectl(&["get", "secret", "github", "-n", &own.name], "");
    asks.with(1, &["forbidden"]);
    let line = format!("get {} github", own.name);
    noted(&user, &line).await;
    assert_eq!(asked(&user), [line]);
}
