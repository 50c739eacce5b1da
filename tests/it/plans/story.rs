//! What people ask for in the stories, and what they do meanwhile.

use kube::ResourceExt;
use kube::api::DeleteParams;
use kube::runtime::wait::await_condition;
use kube::runtime::wait::conditions::is_deleted;
use serde_json::json;
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequest, SyncRequestSpec};

use super::stage::Stage;
use crate::requests::open_issues;
use crate::stand_in::{Fault, Matcher};
use crate::support::awaited;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Story {
    /// One manual request.
    Manual,
    /// A scheduled one with automation data.
    Scheduled,
    /// Three that are answered by one run or two.
    Coalesced,
    /// One that is deleted when it has ended.
    Deleted,
    /// One whose first holder has died in the middle of the run.
    TakenOver,
    /// One that is cancelled while it runs, and then another.
    Cancelled,
    /// One that somebody deletes while it runs, and then another.
    DeletedInRun,
    /// One whose first attempt fails.
    Retried,
    /// One that is suspended while it runs, and goes on later.
    Suspended,
}

impl Story {
    pub(super) const ALL: [Self; 9] = [
        Self::Manual,
        Self::Scheduled,
        Self::Coalesced,
        Self::Deleted,
        Self::TakenOver,
        Self::Cancelled,
        Self::DeletedInRun,
        Self::Retried,
        Self::Suspended,
    ];

    /// What has happened before the operator starts that the plan is about.
    pub(super) async fn prelude(self, stage: &Stage) {
        if self != Self::TakenOver {
            return;
        }
        let gate = stage.github.hold(open_issues());
        let mut holder = stage.operator("zero").start();
        stage.space.manual("a").await;
        awaited("a page is held", gate.arrived()).await;
        stage.space.in_phase("a", Phase::Running).await;
        holder.kill();
        gate.open();
    }

    /// Tells it. It has ended when all requests have, as they must.
    pub(super) async fn play(self, stage: &Stage) {
        let of = SyncRequestSpec::of;
        let space = &stage.space;
        match self {
            Self::Manual => {
                space.manual("a").await;
                succeeds(stage, "a").await;
            }
            Self::Scheduled => {
                let automation = SyncRequestSpec { automation: true, ..of(RunType::Scheduled) };
                space.create("a", automation).await;
                succeeds(stage, "a").await;
            }
            Self::Coalesced => {
                let policy = ConcurrencyPolicy::Coalesce;
                let spec = SyncRequestSpec { concurrency_policy: policy, ..of(RunType::Manual) };
                for name in ["a", "b", "c"] {
                    space.create(name, spec.clone()).await;
                }
                for name in ["a", "b", "c"] {
                    succeeds(stage, name).await;
                }
            }
            Self::Deleted => {
                let ttl = Some(0);
                let spec =
                    SyncRequestSpec { ttl_seconds_after_finished: ttl, ..of(RunType::Manual) };
                let uid = space.create("a", spec).await.uid();
                gone(stage, &uid.expect("it has one")).await;
            }
            Self::TakenOver => succeeds(stage, "a").await,
            Self::Retried => {
                let no = Fault::message(http::StatusCode::FORBIDDEN, "Resource not accessible");
                stage.github.inject(Matcher::get("/repos/acme/widgets-0"), 0, Some(1), no);
                space.manual("a").await;
                succeeds(stage, "a").await;
            }
            Self::Cancelled => cancelled(stage).await,
            Self::DeletedInRun => deleted_in_run(stage).await,
            Self::Suspended => suspended(stage).await,
        }
    }
}

async fn cancelled(stage: &Stage) {
    let gate = stage.github.hold(open_issues());
    stage.space.manual("a").await;
    stage.space.in_phase("a", Phase::Running).await;
    stage.space.change("a", json!({"cancel": true})).await;
    let ended = stage.space.finished("a").await;
    assert_eq!(ended.phase(), Phase::Cancelled, "{:?}", ended.status);
    gate.open();
    stage.space.manual("b").await;
    succeeds(stage, "b").await;
}

async fn deleted_in_run(stage: &Stage) {
    let gate = stage.github.hold(open_issues());
    let uid = stage.space.manual("a").await.uid().expect("it has one");
    stage.space.in_phase("a", Phase::Running).await;
    stage.space.requests().delete("a", &DeleteParams::default()).await.expect("it is there");
    gone(stage, &uid).await;
    gate.open();
    stage.space.manual("b").await;
    succeeds(stage, "b").await;
}

async fn suspended(stage: &Stage) {
    let gate = stage.github.hold(open_issues());
    stage.space.manual("a").await;
    stage.space.in_phase("a", Phase::Running).await;
    stage.space.change("a", json!({"suspend": true})).await;
    stage.space.request_when("a", "sleeps", sleeps).await;
    gate.open();
    stage.space.change("a", json!({"suspend": false})).await;
    succeeds(stage, "a").await;
}

/// Whether it is out of the queue because somebody wants it so.
pub(super) fn sleeps(request: &SyncRequest) -> bool {
    let conditions = request.status.iter().flat_map(|status| &status.conditions);
    let mut suspended = conditions.filter(|it| it.type_ == "Suspended" && it.status == "True");
    request.phase() == Phase::Queued && suspended.next().is_some()
}

pub(super) async fn succeeds(stage: &Stage, name: &str) {
    let request = stage.space.finished(name).await;
    assert_eq!(request.phase(), Phase::Succeeded, "{:?}", request.status);
}

pub(super) async fn gone(stage: &Stage, uid: &str) {
    let gone = await_condition(stage.space.requests(), "a", is_deleted(uid));
    awaited("it is gone", gone).await.expect("the watch works");
}
