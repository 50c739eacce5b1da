//! Somebody does something to a request at each moment of its life. It ends, the lock is free, and
//! the next one runs.

use http::Method;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequestSpec};
use singletrack::lease::vacant;
use tokio::sync::watch;

use super::Told;
use super::hand::{delete, delete_lease, hold_lease};
use super::oracle::Bounds;
use super::stage::Stage;
use super::story::{gone, sleeps, succeeds};
use crate::history::{FORGED, Floor};
use crate::requests::open_issues;
use crate::stand_in::{Gate, Matcher};
use crate::support::{Proxy, awaited};

/// The moments of a request's life, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Pending,
    Queued,
    Head,
    TicketTaken,
    Granted,
    BeforeFirstCommit,
    BetweenPages,
    BetweenRecordAndStatus,
}

impl Moment {
    const ALL: [Self; 8] = [
        Self::Pending,
        Self::Queued,
        Self::Head,
        Self::TicketTaken,
        Self::Granted,
        Self::BeforeFirstCommit,
        Self::BetweenPages,
        Self::BetweenRecordAndStatus,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Cancel,
    Suspend,
    SuspendAndBack,
    Delete,
    DeleteAndRecreate,
    Twin,
    ForgeStatus,
    FreeLease,
    DeleteLease,
}

impl Deed {
    const ALL: [Self; 9] = [
        Self::Cancel,
        Self::Suspend,
        Self::SuspendAndBack,
        Self::Delete,
        Self::DeleteAndRecreate,
        Self::Twin,
        Self::ForgeStatus,
        Self::FreeLease,
        Self::DeleteLease,
    ];
}

/// All cells: each deed at each moment.
pub(super) fn cells() -> Vec<(Moment, Deed)> {
    let deeds = |moment| Deed::ALL.into_iter().map(move |deed| (moment, deed));
    Moment::ALL.into_iter().flat_map(deeds).collect()
}

/// What keeps the request at its moment.
enum Kept {
    Call(watch::Sender<bool>),
    Page(Gate),
    Lease,
}

/// Brings the request "a" to this moment, and gives its uid.
async fn reach(moment: Moment, stage: &Stage, proxy: &Proxy) -> (Kept, String) {
    let status = "/syncrequests/a/status";
    let lease = "/leases/singletrack";
    let call = |method, path, body| (Kept::Call(proxy.hold(method, path, body)), path);
    let (kept, path) = match moment {
        Moment::Pending => call(Method::PATCH, status, "\"phase\":\"Queued\""),
        Moment::Head => call(Method::GET, lease, ""),
        Moment::TicketTaken => call(Method::PUT, lease, "request-name"),
        Moment::Granted => call(Method::PATCH, status, "\"phase\":\"Running\""),
        Moment::BetweenRecordAndStatus => call(Method::PATCH, status, "\"phase\":\"Succeeded\""),
        Moment::Queued => {
            hold_lease(stage, "somebody", "").await;
            (Kept::Lease, "")
        }
        Moment::BeforeFirstCommit => (Kept::Page(stage.github.hold(open_issues())), ""),
        Moment::BetweenPages => {
            let last = Matcher::get("/repos/acme/widgets-0/issues").with("state", "closed");
            (Kept::Page(stage.github.hold(last)), "")
        }
    };
    let uid = stage.space.manual("a").await.uid().expect("it has one");
    match &kept {
        Kept::Call(_) => proxy.taken(path).await,
        Kept::Page(gate) => {
            awaited("a page is held", gate.arrived()).await;
            stage.space.in_phase("a", Phase::Running).await;
        }
        Kept::Lease => drop(stage.space.in_phase("a", Phase::Queued).await),
    }
    (kept, uid)
}

async fn does(deed: Deed, stage: &Stage) {
    let space = &stage.space;
    match deed {
        Deed::Cancel => space.change("a", json!({"cancel": true})).await,
        Deed::Suspend => space.change("a", json!({"suspend": true})).await,
        Deed::SuspendAndBack => {
            space.change("a", json!({"suspend": true})).await;
            space.change("a", json!({"suspend": false})).await;
        }
        Deed::Delete => delete(stage, "a").await,
        Deed::DeleteAndRecreate => {
            delete(stage, "a").await;
            space.manual("a").await;
        }
        Deed::Twin => {
            let policy = ConcurrencyPolicy::Coalesce;
            let of = SyncRequestSpec::of(RunType::Manual);
            space.create("twin", SyncRequestSpec { concurrency_policy: policy, ..of }).await;
        }
        Deed::ForgeStatus => {
            let forged = Patch::Merge(json!({"status": {"phase": "Failed", "reason": FORGED}}));
            let requests = space.requests();
            let done = requests.patch_status("a", &PatchParams::default(), &forged).await;
            done.expect("it is accepted");
        }
        Deed::FreeLease => stage.space.free_lease().await,
        Deed::DeleteLease => {
            delete_lease(stage).await;
            // Somebody else's tool puts it back; the operator may have been quicker.
            let again = stage.space.leases();
            let _ = again.create(&PostParams::default(), &vacant("singletrack")).await;
        }
    }
}

/// Waits until the request has ended, as it must after this deed.
async fn ended(deed: Deed, stage: &Stage, uid: &str) {
    let space = &stage.space;
    match deed {
        Deed::Delete => gone(stage, uid).await,
        Deed::Suspend => {
            let rests = |it: &_| sleeps(it) || it.phase().is_terminal();
            space.request_when("a", "rests", rests).await;
        }
        Deed::Cancel | Deed::ForgeStatus => drop(space.finished("a").await),
        Deed::Twin => {
            succeeds(stage, "a").await;
            succeeds(stage, "twin").await;
        }
        Deed::SuspendAndBack | Deed::DeleteAndRecreate | Deed::FreeLease | Deed::DeleteLease => {
            succeeds(stage, "a").await;
        }
    }
}

pub(super) async fn tell(moment: Moment, deed: Deed) -> Told {
    let stage = Stage::new("cell").await;
    let proxy = Proxy::start(&stage.space).await;
    let operator = stage.behind(&proxy, stage.operator("one")).start();
    operator.ready().await;
    let (kept, uid) = reach(moment, &stage, &proxy).await;
    does(deed, &stage).await;
    match kept {
        Kept::Call(gate) => drop(gate.send_replace(true)),
        Kept::Page(gate) => gate.open(),
        Kept::Lease => stage.space.free_lease().await,
    }
    ended(deed, &stage, &uid).await;
    stage.space.manual("next").await;
    succeeds(&stage, "next").await;
    if deed == Deed::Suspend && !stage.space.get("a").await.phase().is_terminal() {
        stage.space.change("a", json!({"suspend": false})).await;
        stage.space.finished("a").await;
    }
    stage.settled("").await;
    let bounds = Bounds { lease_deleted: deed == Deed::DeleteLease, ..Bounds::runs(3) };
    let floor = Floor { runs: 1, rows: 1, ..Floor::default() };
    let rows = stage.end(vec![operator], floor, bounds).await;
    Told { rows, writes: proxy.writes(), met: true }
}
