//! Many requests for the same end with one run, whenever the operator is killed.

use std::path::Path;

use futures::StreamExt;
use futures::future::join_all;
use http::{Method, StatusCode};
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::lease::{set_paused, vacant};
use singletrack::store::RunState;
use tokio::sync::watch;

use crate::requests::{github, open_issues};
use crate::stand_in::{Fault, Issue, Matcher};
use crate::support::{
    Action, Command, Namespace, Proxy, Rule, awaited, history, operator, phase_of, poll,
};

fn spec(policy: ConcurrencyPolicy) -> SyncRequestSpec {
    SyncRequestSpec { concurrency_policy: policy, ..SyncRequestSpec::of(RunType::Manual) }
}

/// A Lease on which nothing starts, so that all requests can queue first.
pub(crate) async fn paused(space: &Namespace) {
    let lease = set_paused(&vacant("singletrack"), true);
    space.leases().create(&PostParams::default(), &lease).await.unwrap();
}

pub(crate) async fn resume(space: &Namespace) {
    let lease = set_paused(&space.leases().get("singletrack").await.unwrap(), false);
    space.leases().replace("singletrack", &PostParams::default(), &lease).await.unwrap();
}

/// Creates a leader, and then so many requests that may be answered along with it.
async fn create(space: &Namespace, followers: usize) {
    space.create("leader", spec(ConcurrencyPolicy::Queue)).await;
    let requests: Api<SyncRequest> = space.requests();
    futures::stream::iter(0..followers)
        .map(|n| {
            let metadata = ObjectMeta { name: Some(format!("f{n}")), ..ObjectMeta::default() };
            let spec = spec(ConcurrencyPolicy::Coalesce);
            let request = SyncRequest { metadata, spec, status: None };
            let requests = requests.clone();
            async move { requests.create(&PostParams::default(), &request).await.unwrap() }
        })
        .buffer_unordered(16)
        .for_each(async |_| ())
        .await;
}

/// How many requests are in this phase.
async fn count(space: &Namespace, phase: Phase) -> usize {
    let some = ListParams::default().fields(&format!("status.phase={}", phase.as_str())).limit(1);
    let list = space.requests().list_metadata(&some).await.unwrap();
    let rest = list.metadata.remaining_item_count.unwrap_or(0);
    // A list with a selector does not tell how many remain.
    match (list.items.len(), list.metadata.continue_.as_deref(), rest) {
        (found, None | Some(""), _) => found,
        _ => {
            let all = ListParams::default().fields(&format!("status.phase={}", phase.as_str()));
            space.requests().list_metadata(&all).await.unwrap().items.len()
        }
    }
}

async fn count_reaches(space: &Namespace, phase: Phase, least: usize) {
    poll(&format!("{least} are {}", phase.as_str()), async || {
        (count(space, phase).await >= least).then_some(())
    })
    .await;
}

/// All have ended with the one run that was made.
async fn one_run_for_all(space: &Namespace, folder: &Path, followers: usize) {
    count_reaches(space, Phase::Succeeded, followers + 1).await;
    let all = space.requests().list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), followers + 1);
    let runs = history(folder).await;
    let done: Vec<_> = runs.iter().filter(|run| run.state == RunState::Succeeded).collect();
    assert_eq!(done.len(), 1, "{runs:?}");
    for request in all.items {
        let status = request.status.as_ref().unwrap();
        assert_eq!(status.run_number, Some(done[0].number.0), "{request:?}");
        assert!(status.completion_time.is_some());
        if request.metadata.name.as_deref() != Some("leader") {
            assert_eq!(status.satisfied_by.as_deref(), Some("leader"));
            assert!(status.message.as_ref().unwrap().starts_with("answered by run"));
        }
    }
}

#[tokio::test]
async fn a_thousand_requests_are_one_run_also_when_the_operator_is_killed_between_their_ends() {
    const FOLLOWERS: usize = 1000;
    let space = Namespace::new("thousand").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    paused(&space).await;
    let mut first = operator(&space, &github, folder.path()).start();
    create(&space, FOLLOWERS).await;
    // Each step has its own time.
    for part in [1, 2, 3, 4] {
        count_reaches(&space, Phase::Queued, (FOLLOWERS + 1) * part / 4).await;
    }
    resume(&space).await;
    count_reaches(&space, Phase::Succeeded, 100).await;
    first.kill();
    let _second = operator(&space, &github, folder.path()).start();
    one_run_for_all(&space, folder.path(), FOLLOWERS).await;
}

#[tokio::test]
async fn a_kill_before_any_end_was_written_loses_nobody() {
    for at in ["in the run", "before the leader's status", "before the followers'"] {
        let space = Namespace::new("burst").await;
        let folder = tempfile::tempdir().unwrap();
        let github = github(1, 10).await;
        let proxy = Proxy::start(&space).await;
        paused(&space).await;
        let kubeconfig = proxy.kubeconfig(folder.path());
        let mut first = operator(&space, &github, folder.path())
            .env("KUBECONFIG", kubeconfig.to_str().unwrap())
            .start();
        create(&space, 20).await;
        count_reaches(&space, Phase::Queued, 21).await;
        let gate = (at == "in the run").then(|| github.hold(open_issues()));
        let path = match at {
            "before the leader's status" => "/syncrequests/leader/status",
            _ => "/syncrequests/f",
        };
        let _held = proxy.hold(Method::PATCH, path, "\"phase\":\"Succeeded\"");
        resume(&space).await;
        match &gate {
            Some(gate) => {
                awaited("a page is held", gate.arrived()).await;
                space.in_phase("leader", Phase::Running).await;
            }
            None => {
                proxy.taken(path).await;
            }
        }
        first.kill();
        if let Some(gate) = gate {
            gate.open();
        }
        let _second = operator(&space, &github, folder.path()).start();
        one_run_for_all(&space, folder.path(), 20).await;
    }
}

#[tokio::test]
async fn a_request_that_takes_the_name_of_one_that_was_answered_runs_by_itself() {
    // More than are ended at once: the later ones are looked up when the first ones are done.
    const FOLLOWERS: usize = 24;
    let space = Namespace::new("namesakes").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let proxy = Proxy::start(&space).await;
    paused(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    let _operator = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    create(&space, FOLLOWERS).await;
    count_reaches(&space, Phase::Queued, FOLLOWERS + 1).await;
    let path = "/syncrequests/f";
    let (gate, held) = watch::channel(false);
    let (method, body) = (Some(Method::PATCH), "\"phase\":\"Succeeded\"");
    proxy.rule(Rule { method, path, body, action: Action::Hold(held), times: usize::MAX });
    resume(&space).await;
    proxy.taken(path).await;
    // All at once: what is held is given up after a while.
    join_all((0..FOLLOWERS).map(async |n| {
        let name = format!("f{n}");
        space.requests().delete(&name, &DeleteParams::default()).await.unwrap();
        let wants_more = SyncRequestSpec { full: true, ..spec(ConcurrencyPolicy::Coalesce) };
        space.create(&name, wants_more).await;
    }))
    .await;
    count_reaches(&space, Phase::Queued, FOLLOWERS).await;
    gate.send(true).unwrap();
    count_reaches(&space, Phase::Succeeded, FOLLOWERS + 1).await;
    let first = space.get("leader").await.status.unwrap().run_number;
    for n in 0..FOLLOWERS {
        let status = space.get(&format!("f{n}")).await.status.unwrap();
        assert!(status.run_number > first, "f{n} was made after that run: {status:?}");
    }
}

#[tokio::test]
async fn one_that_comes_after_a_run_was_cut_off_sees_what_had_changed_before_it() {
    let space = Namespace::new("comes-later").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 900).await;
    let gate = github.hold(open_issues().with("page", "3"));
    let mut first = operator(&space, &github, folder.path()).start();
    create(&space, 0).await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("leader", Phase::Running).await;
    first.kill();
    gate.open();
    github.world(|world| {
        let repository = world.repository_mut("acme/widgets-0");
        let open = |issue: &&Issue| !issue.is_pull_request() && issue.state.as_str() == "open";
        let oldest = repository.issues().find(open).unwrap().number;
        repository.edit_issue(oldest, |issue| issue.title = "changed in between".into());
    });
    space.create("late", spec(ConcurrencyPolicy::Coalesce)).await;
    let proxy = Proxy::start(&space).await;
    let grant = proxy.hold(Method::PUT, "/leases/singletrack", "request-name");
    let kubeconfig = proxy.kubeconfig(folder.path());
    let _second = operator(&space, &github, folder.path())
        .env("KUBECONFIG", kubeconfig.to_str().unwrap())
        .start();
    space.in_phase("late", Phase::Queued).await;
    grant.send_replace(true);
    let late = space.finished("late").await.status.unwrap();
    assert_eq!(late.satisfied_by.as_deref(), Some("leader"));
    let sql = "SELECT count(*) FROM issues WHERE title = 'changed in between'";
    Command::about(folder.path(), &["query", sql]).said().await.with(0, &["\n1"]);
}

#[tokio::test]
async fn those_that_want_something_else_run_by_themselves() {
    let space = Namespace::new("apart").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(2, 10).await;
    paused(&space).await;
    let _operator = operator(&space, &github, folder.path()).start();
    let only = |name: &str| Some(vec![name.parse().unwrap()]);
    let part =
        SyncRequestSpec { repositories: only("acme/widgets-0"), ..spec(ConcurrencyPolicy::Queue) };
    space.create("leader", part).await;
    let join = || spec(ConcurrencyPolicy::Coalesce);
    space.create("all", join()).await;
    let within = SyncRequestSpec { repositories: only("ACME/Widgets-0"), ..join() };
    space.create("within", within.clone()).await;
    space.create("full", SyncRequestSpec { full: true, ..within }).await;
    count_reaches(&space, Phase::Queued, 4).await;
    resume(&space).await;
    for name in ["leader", "all", "within", "full"] {
        assert_eq!(phase_of(&space.finished(name).await), Phase::Succeeded, "{name}");
    }
    let by = async |name: &str| space.get(name).await.status.unwrap().satisfied_by;
    assert_eq!(by("within").await.as_deref(), Some("leader"));
    assert_eq!((by("all").await, by("full").await), (None, None));
    assert_eq!(history(folder.path()).await.len(), 3);
}

#[tokio::test]
async fn a_run_that_does_not_end_well_answers_nobody() {
    let space = Namespace::new("unwell").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let no = Fault::message(StatusCode::FORBIDDEN, "no");
    github.inject(Matcher::get("/repos/acme/widgets-0"), 0, Some(1), no);
    paused(&space).await;
    let _operator = operator(&space, &github, folder.path()).start();
    let single = SyncRequestSpec { backoff_limit: 0, ..spec(ConcurrencyPolicy::Queue) };
    space.create("leader", single).await;
    for name in ["one", "two"] {
        space.create(name, spec(ConcurrencyPolicy::Coalesce)).await;
    }
    count_reaches(&space, Phase::Queued, 3).await;
    resume(&space).await;
    assert_eq!(phase_of(&space.finished("leader").await), Phase::Failed);
    let (one, two) = (space.finished("one").await, space.finished("two").await);
    assert_eq!((phase_of(&one), phase_of(&two)), (Phase::Succeeded, Phase::Succeeded));
    assert_eq!(one.status.unwrap().satisfied_by, None);
    assert_eq!(two.status.unwrap().satisfied_by.as_deref(), Some("one"));
}
