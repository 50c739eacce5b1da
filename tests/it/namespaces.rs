//! An operator that watches more namespaces than its own.

use std::path::{Path, PathBuf};

use singletrack::api::Phase;
use singletrack::cli::NEEDED;

use crate::coalesce::{paused, resume};
use crate::requests::github;
use crate::support::{Account, Namespace, Starter, may, operator, poll, rule};

/// A configuration that names these namespaces beside the operator's own.
pub(crate) fn watching(folder: &Path, others: &[&Namespace]) -> PathBuf {
    let names: Vec<_> = others.iter().map(|other| other.name.as_str()).collect();
    let file = folder.join("config.yaml");
    std::fs::write(&file, format!("watch: {{namespaces: [{}]}}", names.join(", "))).unwrap();
    file
}

pub(crate) fn with(starter: Starter, config: &Path) -> Starter {
    starter.env("SINGLETRACK_CONFIG", &config.to_string_lossy())
}

#[tokio::test]
async fn requests_of_the_named_namespaces_run_and_of_others_do_not() {
    let own = Namespace::new("own").await;
    let (one, two) = (Namespace::new("one").await, Namespace::new("two").await);
    let stranger = Namespace::new("stranger").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 3).await;
    // One that is there before the operator is, and others that come while it watches.
    one.manual("before").await;
    stranger.manual("not-ours").await;
    let config = watching(folder.path(), &[&one, &two, &own]);
    let operator = with(operator(&own, &github, folder.path()), &config).start();
    operator.ready().await;
    for (space, name) in [(&one, "before"), (&own, "mine"), (&two, "while"), (&one, "again")] {
        if name != "before" {
            space.manual(name).await;
        }
        let request = space.finished(name).await;
        assert_eq!(request.phase(), Phase::Succeeded, "{name}");
        space.event(name, "Completed").await;
    }
    assert_eq!(stranger.get("not-ours").await.phase(), Phase::Pending);
}

/// The rules of a Role that allows all that the operator does.
fn needed() -> Vec<serde_json::Value> {
    let rule = |(group, resource, sub, verbs): &(&str, &str, &str, &[&str])| {
        let slash = if sub.is_empty() { "" } else { "/" };
        rule(group, &[&format!("{resource}{slash}{sub}")], verbs)
    };
    NEEDED.iter().map(rule).collect()
}

#[tokio::test]
async fn a_named_namespace_without_rights_is_told_and_holds_no_other_up() {
    let own = Namespace::new("own").await;
    let closed = Namespace::new("closed").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 3).await;
    let account = Account::new(&own, "operator", &needed()).await;
    let config = watching(folder.path(), &[&closed]);
    let starter = with(operator(&own, &github, folder.path()), &config);
    let kubeconfig = account.kubeconfig(folder.path());
    let operator = starter.env("KUBECONFIG", &kubeconfig.to_string_lossy()).start();
    own.manual("mine").await;
    assert_eq!(own.finished("mine").await.phase(), Phase::Succeeded);
    let missing = format!("patch syncrequests/status in namespace {}", closed.name);
    operator.says(&missing).await;
}

#[tokio::test]
async fn a_namespace_that_loses_its_rights_holds_no_other_up_and_goes_on_when_it_has_them_again() {
    let own = Namespace::new("own").await;
    let closed = Namespace::new("closed").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 3).await;
    let account = Account::new(&own, "operator", &needed()).await;
    let there = account.also_in(&closed, &needed()).await;
    paused(&own).await;
    let config = watching(folder.path(), &[&closed]);
    let kubeconfig = account.kubeconfig(folder.path());
    let starter = with(operator(&own, &github, folder.path()), &config);
    let operator = starter.env("KUBECONFIG", &kubeconfig.to_string_lossy()).start();
    // The head of the queue is one that cannot be read any more when its turn comes.
    for (space, name) in [(&closed, "theirs"), (&own, "mine")] {
        space.manual(name).await;
        space.in_phase(name, Phase::Queued).await;
    }
    there.may(&[]).await;
    poll("the right is gone", async || {
        let requests = ("singletrack.dev", "syncrequests", "");
        (!may((&own, "operator"), &closed.name, requests, "get").await).then_some(())
    })
    .await;
    resume(&own).await;
    assert_eq!(own.finished("mine").await.phase(), Phase::Succeeded);
    own.manual("again").await;
    assert_eq!(own.finished("again").await.phase(), Phase::Succeeded);
    assert_eq!(closed.get("theirs").await.phase(), Phase::Queued);
    let told = format!("cannot read the requests of namespace {}", closed.name);
    assert_eq!(operator.own_log().matches(&told).count(), 1, "it is told once");
    there.may(&needed()).await;
    assert_eq!(closed.finished("theirs").await.phase(), Phase::Succeeded);
}

#[tokio::test]
async fn a_namespace_cannot_be_named_where_all_are_watched() {
    let space = Namespace::new("some").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 1).await;
    let config = watching(folder.path(), &[&space]);
    let starter = with(operator(&space, &github, folder.path()), &config);
    let mut operator = starter.env("SINGLETRACK_ALL_NAMESPACES", "true").start();
    operator.says("take one of them out").await;
    operator.kill();
}
