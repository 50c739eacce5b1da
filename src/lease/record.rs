//! The Lease on the wire, and what we read from it and write into it. Pure.
//!
//! The one file that knows jiff: Kubernetes' times are jiff's here, everything else is chrono.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use super::{Holder, RunNumber, Times};

const POD_UID: &str = "singletrack.dev/pod-uid";
const BOOT: &str = "singletrack.dev/boot";
const REQUEST_NAMESPACE: &str = "singletrack.dev/request-namespace";
const REQUEST_NAME: &str = "singletrack.dev/request-name";
const REQUEST_UID: &str = "singletrack.dev/request-uid";
const RUN_TYPE: &str = "singletrack.dev/type";
const RUN_NUMBER: &str = "singletrack.dev/run-number";
const PAUSED: &str = "singletrack.dev/paused";

/// What the Lease says, whatever has been written into it.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub holder: Option<Holder>,
    pub duration: Option<Duration>,
    pub acquired_at: Option<DateTime<Utc>>,
    pub renewed_at: Option<DateTime<Utc>>,
    pub pod_uid: String,
    /// The highest run number that was granted under this Lease.
    pub number: RunNumber,
    pub paused: bool,
    /// The request that the holder runs, as namespace, name and uid.
    pub request: Option<(String, String, String)>,
}

impl From<&Lease> for Record {
    fn from(lease: &Lease) -> Self {
        let empty = LeaseSpec::default();
        let spec = lease.spec.as_ref().unwrap_or(&empty);
        let note = |key: &str| annotation(lease, key).map(str::to_owned);
        let seconds = spec.lease_duration_seconds.and_then(|secs| u64::try_from(secs).ok());
        Self {
            holder: Holder::parse(spec.holder_identity.as_deref()),
            duration: seconds.filter(|secs| *secs > 0).map(Duration::from_secs),
            acquired_at: spec.acquire_time.as_ref().and_then(from_wire),
            renewed_at: spec.renew_time.as_ref().and_then(from_wire),
            pod_uid: note(POD_UID).unwrap_or_default(),
            number: RunNumber(
                note(RUN_NUMBER).and_then(|n| n.parse::<i64>().ok()).unwrap_or(0).max(0),
            ),
            paused: is_paused(lease),
            request: note(REQUEST_NAMESPACE)
                .zip(note(REQUEST_NAME))
                .zip(note(REQUEST_UID))
                .map(|((namespace, name), uid)| (namespace, name, uid)),
        }
    }
}

/// Who takes the Lease, and for which request.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    pub holder: &'a Holder,
    pub pod_uid: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
    pub run_type: &'a str,
    pub number: RunNumber,
}

/// A Lease of this name that nobody holds.
#[must_use]
pub fn vacant(name: &str) -> Lease {
    Lease {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        spec: Some(LeaseSpec { lease_transitions: Some(0), ..LeaseSpec::default() }),
    }
}

/// The Lease after `claim` has been granted. Keeps the uid, the version and what others wrote.
#[must_use]
pub fn grant(seen: &Lease, claim: &Claim<'_>, times: &Times, now: DateTime<Utc>) -> Lease {
    let mut lease = seen.clone();
    let annotations = lease.metadata.annotations.get_or_insert_default();
    for (key, value) in [
        (POD_UID, claim.pod_uid),
        (BOOT, claim.holder.boot()),
        (REQUEST_NAMESPACE, claim.namespace),
        (REQUEST_NAME, claim.name),
        (REQUEST_UID, claim.uid),
        (RUN_TYPE, claim.run_type),
    ] {
        annotations.insert(key.to_owned(), value.to_owned());
    }
    annotations.insert(RUN_NUMBER.to_owned(), claim.number.to_string());
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(claim.holder.as_str().to_owned());
    spec.lease_duration_seconds =
        Some(i32::try_from(times.stale_after().as_secs()).unwrap_or(i32::MAX));
    spec.acquire_time = to_wire(now);
    spec.renew_time = later(spec.renew_time.as_ref(), now);
    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
    lease
}

/// The Lease with a newer renewTime.
#[must_use]
pub fn renew(seen: &Lease, now: DateTime<Utc>) -> Lease {
    let mut lease = seen.clone();
    let spec = lease.spec.get_or_insert_default();
    spec.renew_time = later(spec.renew_time.as_ref(), now);
    lease
}

/// The Lease without a holder. The run number stays: it is the floor of the next ticket.
#[must_use]
pub fn release(seen: &Lease, now: DateTime<Utc>) -> Lease {
    let mut lease = renew(seen, now);
    let spec = lease.spec.get_or_insert_default();
    // An empty text, because a field that is left out would be kept by some clients.
    spec.holder_identity = Some(String::new());
    if let Some(annotations) = &mut lease.metadata.annotations {
        for key in [POD_UID, BOOT, REQUEST_NAMESPACE, REQUEST_NAME, REQUEST_UID, RUN_TYPE] {
            annotations.remove(key);
        }
    }
    lease
}

/// The Lease with or without the mark that nothing may start.
#[must_use]
pub fn set_paused(seen: &Lease, paused: bool) -> Lease {
    let mut lease = seen.clone();
    let annotations: &mut BTreeMap<_, _> = lease.metadata.annotations.get_or_insert_default();
    if paused {
        annotations.insert(PAUSED.to_owned(), "true".to_owned());
    } else {
        annotations.remove(PAUSED);
    }
    lease
}

/// Whether somebody has said that nothing may start.
#[must_use]
pub fn is_paused(lease: &Lease) -> bool {
    annotation(lease, PAUSED).is_some_and(|text| text != "false")
}

fn annotation<'a>(lease: &'a Lease, key: &str) -> Option<&'a str> {
    lease.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn from_wire(time: &MicroTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time.0.as_microsecond())
}

fn to_wire(time: DateTime<Utc>) -> Option<MicroTime> {
    jiff::Timestamp::from_microsecond(time.timestamp_micros()).ok().map(MicroTime)
}

/// `now`, or the next microsecond after `before`: a write that changes nothing would not be seen.
///
/// A time far ahead comes from somebody else's clock and is not built upon.
fn later(before: Option<&MicroTime>, now: DateTime<Utc>) -> Option<MicroTime> {
    let next = before.and_then(from_wire).map(|at| at + chrono::TimeDelta::microseconds(1));
    let near = next.filter(|at| *at - now < chrono::TimeDelta::minutes(1));
    to_wire(near.map_or(now, |at| at.max(now)))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + secs, 0).unwrap()
    }

    fn granted() -> Lease {
        let holder = Holder::new("pod", "boot", "attempt");
        let claim = Claim {
            holder: &holder,
            pod_uid: "p",
            namespace: "ns",
            name: "r",
            uid: "u",
            run_type: "manual",
            number: RunNumber(7),
        };
        let times = Times::new(Duration::from_secs(1800), Duration::from_secs(10)).unwrap();
        grant(&vacant("singletrack"), &claim, &times, at(0))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let record = Record::from(&granted());
        assert_eq!(record.holder, Holder::parse(Some("pod_boot_attempt")));
        assert_eq!(record.duration, Some(Duration::from_secs(1800)));
        assert_eq!((record.renewed_at, record.acquired_at), (Some(at(0)), Some(at(0))));
        assert_eq!((record.pod_uid.as_str(), record.number), ("p", RunNumber(7)));
        assert_eq!(record.request, Some(("ns".into(), "r".into(), "u".into())));
        assert!(!record.paused);
    }

    #[test]
    fn a_grant_says_who_and_what_for_and_counts() {
        let lease = granted();
        let notes = lease.metadata.annotations.as_ref().unwrap();
        assert_eq!((notes[BOOT].as_str(), notes[RUN_TYPE].as_str()), ("boot", "manual"));
        assert_eq!(lease.metadata.name.as_deref(), Some("singletrack"));
        let transitions = |lease: &Lease| lease.spec.as_ref().unwrap().lease_transitions;
        assert_eq!((transitions(&vacant("x")), transitions(&lease)), (Some(0), Some(1)));
        assert_eq!(Record::from(&vacant("x")).holder, None);
    }

    #[test]
    fn a_lease_is_paused_until_the_mark_goes_or_says_no() {
        let paused = set_paused(&granted(), true);
        assert!(is_paused(&paused) && Record::from(&paused).paused);
        assert!(Record::from(&paused).holder.is_some(), "its holder stays");
        assert!(!is_paused(&set_paused(&paused, false)));
        let mut no = paused;
        no.metadata.annotations.as_mut().unwrap().insert(PAUSED.into(), "false".into());
        assert!(!is_paused(&no));
    }

    #[test]
    fn a_renew_time_far_ahead_is_not_built_upon() {
        let renewed = |ahead: TimeDelta| {
            let mut lease = granted();
            lease.spec.as_mut().unwrap().renew_time = to_wire(at(0) + ahead);
            Record::from(&renew(&lease, at(0))).renewed_at.unwrap()
        };
        let (minute, tick) = (TimeDelta::minutes(1), TimeDelta::microseconds(1));
        assert_eq!(renewed(minute), at(0));
        assert_eq!(renewed(minute - tick), at(0));
        assert_eq!(renewed(minute - tick * 2), at(0) + minute - tick);
        assert_eq!(renewed(-minute), at(0));
    }

    #[test]
    fn the_renew_time_grows_even_when_the_clock_stands_or_goes_back() {
        let once = renew(&granted(), at(0));
        let twice = renew(&once, at(-5));
        let time = |lease: &Lease| Record::from(lease).renewed_at.unwrap();
        assert!(time(&once) > time(&granted()));
        assert!(time(&twice) > time(&once));
    }

    #[test]
    fn a_release_keeps_only_the_run_number() {
        let record = Record::from(&release(&granted(), at(9)));
        assert_eq!(record.holder, None);
        assert_eq!(record.number, RunNumber(7));
        assert_eq!((record.pod_uid.as_str(), record.request), ("", None));
    }

    #[test]
    fn garbage_is_read_as_far_as_it_goes() {
        let mut lease = granted();
        let spec = lease.spec.as_mut().unwrap();
        spec.lease_duration_seconds = Some(-5);
        spec.renew_time = None;
        let notes = lease.metadata.annotations.as_mut().unwrap();
        notes.insert(RUN_NUMBER.to_owned(), "-3".to_owned());
        let record = Record::from(&lease);
        assert_eq!((record.duration, record.renewed_at), (None, None));
        assert_eq!(record.number, RunNumber(0));
        assert!(Record::from(&Lease::default()).holder.is_none());
        lease.spec.as_mut().unwrap().lease_duration_seconds = Some(0);
        assert_eq!(Record::from(&lease).duration, None);
    }
}
