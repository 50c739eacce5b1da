//! What a Lease means to somebody who looks at it. Pure.
//!
//! A holder's own clock never costs it the Lease: what counts is that we have seen its record
//! unchanged ourselves. Only a GET by quorum may be judged; a watch or a cache may lag.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Holder, Record, Times};

/// What a Lease means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Held by this very attempt.
    Mine,
    Free,
    /// Held by an attempt of this process that has ended: a grant that landed after its asker had
    /// given up. Nobody is behind it, and nobody but us can know that.
    Leftover,
    /// Held; nothing can change before this much time has passed, unless the Lease changes.
    Held(Duration),
    Stale(TakenOver),
}

/// Why a holder may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TakenOver {
    /// It is an earlier incarnation of this pod's container: the kubelet starts a container again
    /// only when it is dead.
    OwnEarlier,
    /// Its record has not changed for the whole duration.
    Silent,
    /// Its record has not changed for three heartbeats, and its pod has ended or is gone.
    PodGone,
    /// Its record has not changed for three heartbeats, and was old already by the clock.
    LongDead,
}

impl TakenOver {
    pub const ALL: [Self; 4] = [Self::OwnEarlier, Self::Silent, Self::PodGone, Self::LongDead];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnEarlier => "OwnEarlier",
            Self::Silent => "Silent",
            Self::PodGone => "PodGone",
            Self::LongDead => "LongDead",
        }
    }
}

/// What is known of the holder's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pod {
    Unknown,
    Alive,
    /// Absent, of another uid, or ended.
    Gone,
}

/// All that a judgement is made of, besides the Lease.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The attempt that is going on here, if any.
    pub attempt: Option<&'a Holder>,
    pub boot: &'a str,
    /// The uid of our own pod; empty outside a pod.
    pub pod_uid: &'a str,
    /// For how long we know that the Lease has been as it is, on our monotonic clock.
    pub unchanged_for: Duration,
    pub now: DateTime<Utc>,
    pub pod: Pod,
    pub times: Times,
}

/// Says what the Lease means.
#[must_use]
pub fn judge(lease: &Record, scene: &Scene<'_>) -> Verdict {
    let times = &scene.times;
    if lease.paused {
        return match &lease.holder {
            Some(holder) if Some(holder) == scene.attempt => Verdict::Mine,
            _ => Verdict::Held(times.stale_after()),
        };
    }
    let Some(holder) = &lease.holder else {
        return Verdict::Free;
    };
    if Some(holder) == scene.attempt {
        return Verdict::Mine;
    }
    if holder.boot() == scene.boot {
        return Verdict::Leftover;
    }
    if !scene.pod_uid.is_empty() && lease.pod_uid == scene.pod_uid {
        return Verdict::Stale(TakenOver::OwnEarlier);
    }
    let duration = lease.duration.unwrap_or(times.stale_after()).min(times.stale_after());
    let Some(left) = duration.checked_sub(scene.unchanged_for).filter(|left| !left.is_zero())
    else {
        return Verdict::Stale(TakenOver::Silent);
    };
    let Some(to_doubt) = doubt(scene) else {
        if scene.pod == Pod::Gone {
            return Verdict::Stale(TakenOver::PodGone);
        }
        if is_old(lease, scene.now, duration) {
            return Verdict::Stale(TakenOver::LongDead);
        }
        return Verdict::Held(left.min(times.doubt_after()));
    };
    Verdict::Held(left.min(to_doubt))
}

/// Whether knowing more of the holder's pod could change the verdict.
#[must_use]
pub fn pod_matters(lease: &Record, scene: &Scene<'_>) -> bool {
    scene.pod == Pod::Unknown
        && !lease.pod_uid.is_empty()
        && doubt(scene).is_none()
        && matches!(judge(lease, scene), Verdict::Held(_))
        && !lease.paused
}

/// How long until the holder's silence is worth doubting it; `None` when it already is.
fn doubt(scene: &Scene<'_>) -> Option<Duration> {
    scene.times.doubt_after().checked_sub(scene.unchanged_for).filter(|left| !left.is_zero())
}

/// Whether the record was last written longer ago than `duration`, by the clock. A record without
/// any time counts as old.
fn is_old(lease: &Record, now: DateTime<Utc>, duration: Duration) -> bool {
    let Some(written_at) = lease.renewed_at.or(lease.acquired_at) else {
        return true;
    };
    (now - written_at).to_std().is_ok_and(|age| age > duration)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn times() -> Times {
        Times::new(30 * MINUTE, Duration::from_secs(10)).unwrap()
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600, 0).unwrap()
    }

    fn held(identity: &str) -> Record {
        Record {
            holder: Holder::parse(Some(identity)),
            renewed_at: Some(now()),
            acquired_at: Some(now()),
            pod_uid: "uid-of-other".into(),
            ..Record::default()
        }
    }

    fn scene(unchanged_for: Duration) -> Scene<'static> {
        Scene {
            attempt: None,
            boot: "myboot",
            pod_uid: "my-uid",
            unchanged_for,
            now: now(),
            pod: Pod::Alive,
            times: times(),
        }
    }

    #[track_caller]
    fn check(lease: &Record, scene: &Scene<'_>, expected: Verdict) {
        assert_eq!(judge(lease, scene), expected);
    }

    #[test]
    fn a_holder_that_nobody_doubts_is_looked_at_after_three_heartbeats_and_until_it_is_silent() {
        let lease = held("other_b_a");
        let secs = Duration::from_secs;
        check(&lease, &scene(secs(0)), Verdict::Held(secs(30)));
        check(&lease, &scene(secs(29)), Verdict::Held(secs(1)));
        check(&lease, &scene(secs(30)), Verdict::Held(secs(30)));
        check(&lease, &scene(29 * MINUTE), Verdict::Held(secs(30)));
        check(&lease, &scene(secs(30 * 60 - 1)), Verdict::Held(secs(1)));
        check(&lease, &scene(30 * MINUTE), Verdict::Stale(TakenOver::Silent));
    }

    #[test]
    fn an_attempt_of_mine_that_is_over_has_left_it_behind() {
        check(&Record::default(), &scene(MINUTE), Verdict::Free);
        check(&held("me_myboot_old"), &scene(Duration::ZERO), Verdict::Leftover);
        let attempt = Holder::parse(Some("me_myboot_now")).unwrap();
        let mine = Scene { attempt: Some(&attempt), ..scene(Duration::ZERO) };
        check(&held("me_myboot_now"), &mine, Verdict::Mine);
    }

    #[test]
    fn my_own_pods_earlier_incarnation_is_stale_at_once_but_an_empty_uid_is_nobodys() {
        let lease = Record { pod_uid: "my-uid".into(), ..held("me_earlier_a") };
        check(&lease, &scene(Duration::ZERO), Verdict::Stale(TakenOver::OwnEarlier));
        let nowhere = Record { pod_uid: String::new(), ..held("me_earlier_a") };
        let outside = Scene { pod_uid: "", ..scene(Duration::ZERO) };
        check(&nowhere, &outside, Verdict::Held(Duration::from_secs(30)));
    }

    #[test]
    fn a_dead_pod_or_an_old_record_counts_only_after_three_heartbeats_of_silence() {
        let gone = |time| Scene { pod: Pod::Gone, ..scene(time) };
        let secs = Duration::from_secs;
        check(&held("other_b_a"), &gone(secs(29)), Verdict::Held(secs(1)));
        check(&held("other_b_a"), &gone(secs(30)), Verdict::Stale(TakenOver::PodGone));

        let old = Record { renewed_at: Some(now() - TimeDelta::minutes(31)), ..held("other_b_a") };
        check(&old, &scene(secs(29)), Verdict::Held(secs(1)));
        check(&old, &scene(secs(30)), Verdict::Stale(TakenOver::LongDead));
        let future = Record { renewed_at: Some(now() + TimeDelta::days(30_000)), ..held("x_b_a") };
        check(&future, &scene(secs(30)), Verdict::Held(secs(30)));
        let timeless = Record { renewed_at: None, acquired_at: None, ..held("other_b_a") };
        check(&timeless, &scene(secs(30)), Verdict::Stale(TakenOver::LongDead));
    }

    #[test]
    fn another_duration_counts_up_to_ours() {
        let short = Record { duration: Some(MINUTE), ..held("other_b_a") };
        check(&short, &scene(MINUTE), Verdict::Stale(TakenOver::Silent));
        let long = Record { duration: Some(MINUTE * 600_000), ..held("other_b_a") };
        check(&long, &scene(30 * MINUTE), Verdict::Stale(TakenOver::Silent));
    }

    #[test]
    fn paused_means_held_whoever_holds_it() {
        let lease = Record { paused: true, ..Record::default() };
        check(&lease, &scene(60 * MINUTE), Verdict::Held(30 * MINUTE));
        let attempt = Holder::parse(Some("me_myboot_now")).unwrap();
        let mine = Scene { attempt: Some(&attempt), ..scene(Duration::ZERO) };
        let of = |identity| Record { paused: true, ..held(identity) };
        check(&of("other_b_a"), &mine, Verdict::Held(30 * MINUTE));
        check(&of("me_myboot_old"), &mine, Verdict::Held(30 * MINUTE));
        check(&of("me_myboot_now"), &mine, Verdict::Mine);
    }

    #[test]
    fn a_record_is_old_when_it_was_written_longer_ago_than_the_duration() {
        let at = |age| Record { renewed_at: Some(now() - age), ..held("other_b_a") };
        let silent = scene(Duration::from_secs(30));
        check(&at(TimeDelta::minutes(30)), &silent, Verdict::Held(Duration::from_secs(30)));
        let older = TimeDelta::minutes(30) + TimeDelta::seconds(1);
        check(&at(older), &silent, Verdict::Stale(TakenOver::LongDead));
    }

    #[test]
    fn reasons_have_names_of_their_own() {
        let names = TakenOver::ALL.map(TakenOver::as_str);
        assert_eq!(names, ["OwnEarlier", "Silent", "PodGone", "LongDead"]);
    }

    #[test]
    fn the_pod_is_asked_for_only_when_it_could_decide() {
        let unknown = |time| Scene { pod: Pod::Unknown, ..scene(time) };
        assert!(!pod_matters(&held("o_b_a"), &unknown(Duration::from_secs(29))));
        assert!(pod_matters(&held("o_b_a"), &unknown(Duration::from_secs(30))));
        assert!(!pod_matters(&held("o_b_a"), &unknown(30 * MINUTE)));
        let nowhere = Record { pod_uid: String::new(), ..held("o_b_a") };
        assert!(!pod_matters(&nowhere, &unknown(Duration::from_secs(30))));
        let paused = Record { paused: true, ..held("o_b_a") };
        assert!(!pod_matters(&paused, &unknown(Duration::from_secs(30))));
        let known = scene(Duration::from_secs(30));
        assert!(!pod_matters(&held("o_b_a"), &known));
    }
}
