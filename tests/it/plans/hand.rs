//! What people and other programs do by hand in the plans.

use std::time::Duration;

use kube::api::{DeleteParams, PostParams};
use singletrack::lease::{Claim, Holder, RunNumber, Times, grant, renew};
use singletrack::process::clock::Clock;
use singletrack::store::Store;

use super::stage::Stage;

/// A Lease that somebody holds, in a pod of this uid, who has drawn a number and has just renewed it.
pub(super) async fn hold_lease(stage: &Stage, pod: &str, pod_uid: &str) {
    let holder = Holder::parse(Some(&format!("{pod}_boot_attempt"))).expect("a holder");
    let store = stage.home.open();
    let number = store.ticket(RunNumber(0)).await.expect("the operator has prepared it");
    store.close().await;
    let times = Times::new(Duration::from_secs(3600), Duration::from_secs(1)).expect("they fit");
    let claim = Claim {
        holder: &holder,
        pod_uid,
        namespace: &stage.space.name,
        name: "before",
        uid: "uid-of-before",
        run_type: "manual",
        number,
    };
    let now = Clock::default().now();
    let leases = stage.space.leases();
    // The operator creates it.
    let made = stage.space.lease_when("it is there", |_| true).await;
    let held = renew(&grant(&made, &claim, &times, now), now);
    leases.replace("singletrack", &PostParams::default(), &held).await.expect("it is as it was");
}

/// Deletes the Lease, if it is there.
pub(super) async fn delete_lease(stage: &Stage) {
    let leases = stage.space.leases();
    if leases.get_opt("singletrack").await.expect("an answer").is_some() {
        leases.delete("singletrack", &DeleteParams::default()).await.expect("it was there");
    }
}

pub(super) async fn delete(stage: &Stage, name: &str) {
    stage.space.requests().delete(name, &DeleteParams::default()).await.expect("it is there");
}
