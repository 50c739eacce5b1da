//! A Lease that anybody may have written into. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::coordination::v1::Lease;
use singletrack::lease::{
    Claim, Holder, Pod, Record, RunNumber, Scene, Times, Verdict, grant, is_paused, judge,
    pod_matters, release, renew, set_paused,
};

const STALE: Duration = Duration::from_secs(1800);

/// A Lease means something, nobody waits for it for ever, and what is written into it is read back.
pub fn lease(input: &[u8]) {
    let Ok(lease) = serde_json::from_slice::<Lease>(input) else { return };
    let times = Times::new(STALE, Duration::from_secs(10)).expect("they fit");
    let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
    let record = Record::from(&lease);
    assert!(record.number >= RunNumber(0), "{:?}", record.number);
    assert!(record.duration.is_none_or(|duration| !duration.is_zero()));
    judged(&record, times, now);
    written(&lease, &record, times, now);
}

fn judged(record: &Record, times: Times, now: DateTime<Utc>) {
    let mine = Holder::parse(Some("me_boot_attempt")).expect("it is not empty");
    for seconds in [0, 1, 29, 30, 31, 1799, 1800, u64::MAX] {
        for pod in [Pod::Unknown, Pod::Alive, Pod::Gone] {
            for pod_uid in ["", "uid"] {
                let unchanged_for = Duration::from_secs(seconds);
                let attempt = Some(&mine);
                let boot = "boot";
                let scene = Scene { attempt, boot, pod_uid, unchanged_for, now, pod, times };
                let verdict = judge(record, &scene);
                // `pod_matters` is asked of every scene, too: it must not panic.
                let matters = pod_matters(record, &scene);
                assert!(!matters || pod == Pod::Unknown);
                match verdict {
                    Verdict::Held(left) => {
                        assert!(!left.is_zero() && left <= STALE, "{left:?}");
                        assert!(record.paused || unchanged_for < STALE, "held for ever");
                    }
                    Verdict::Free => assert!(record.holder.is_none() && !record.paused),
                    Verdict::Mine => assert_eq!(record.holder.as_ref(), Some(&mine)),
                    Verdict::Leftover | Verdict::Stale(_) => {
                        assert!(record.holder.is_some() && !record.paused);
                    }
                }
            }
        }
    }
}

fn written(lease: &Lease, before: &Record, times: Times, now: DateTime<Utc>) {
    let holder = Holder::parse(Some("pod_boot_attempt")).expect("it is not empty");
    let (namespace, name, uid, run_type) = ("ns", "name", "uid", "manual");
    let number = RunNumber(7);
    let claim = Claim { holder: &holder, pod_uid: "pod", namespace, name, uid, run_type, number };
    let granted = Record::from(&grant(lease, &claim, &times, now));
    assert_eq!((granted.holder.as_ref(), granted.number), (Some(&holder), number));
    assert_eq!(granted.acquired_at, Some(now));

    let renewed = Record::from(&renew(lease, now));
    assert_eq!((&renewed.holder, renewed.number), (&before.holder, before.number));
    let near = before.renewed_at.filter(|at| *at - now < TimeDelta::seconds(59));
    assert!(renewed.renewed_at > near, "{:?} after {near:?}", renewed.renewed_at);

    let released = Record::from(&release(lease, now));
    assert_eq!((released.holder, released.number), (None, before.number));

    assert!(is_paused(&set_paused(lease, true)) && !is_paused(&set_paused(lease, false)));
}
