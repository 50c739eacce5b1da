//! What the judge is told, chosen by the checker, and what the production judge makes of it.

use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use singletrack::lease::{Holder, Pod, Record, Scene, Times, Verdict, judge, pod_matters};

/// For how long the Lease was seen unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Silence {
    Fresh,
    ThreeHeartbeats,
    Whole,
}

/// How the clock of the one who looks goes, against the holder's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Clock {
    Right,
    Early,
    Late,
}

/// What the API server says of the holder's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Told {
    Unknown,
    There,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::lock) struct Facts {
    pub(super) silence: Silence,
    pub(super) clock: Clock,
    pub(super) pod: Told,
}

/// What the holder is to the one who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Nobody,
    /// This very attempt.
    Myself,
    /// Another attempt of this process.
    SameBoot,
    /// Another process in this pod.
    SamePod,
    Other,
    /// Something written by hand, without times and pod.
    Foreign,
}

const SILENCES: [Silence; 3] = [Silence::Fresh, Silence::ThreeHeartbeats, Silence::Whole];
const CLOCKS: [Clock; 3] = [Clock::Right, Clock::Early, Clock::Late];
const PODS: [Told; 3] = [Told::Unknown, Told::There, Told::Gone];
const RELATIONS: usize = 6;

/// All verdicts, asked once for each input: the judge is pure, and sees nothing of a holder but what
/// it is to the one who looks.
static VERDICTS: LazyLock<Vec<Verdict>> = LazyLock::new(|| {
    let relations = [
        Relation::Nobody,
        Relation::Myself,
        Relation::SameBoot,
        Relation::SamePod,
        Relation::Other,
        Relation::Foreign,
    ];
    let mut verdicts = Vec::new();
    for paused in [false, true] {
        for relation in relations {
            for silence in SILENCES {
                for clock in CLOCKS {
                    for pod in PODS {
                        verdicts.push(ask_judge(relation, paused, Facts { silence, clock, pod }));
                    }
                }
            }
        }
    }
    verdicts
});

impl Facts {
    pub(super) const FRESH: Self =
        Self { silence: Silence::Fresh, clock: Clock::Right, pod: Told::Unknown };

    pub(super) fn verdict(self, relation: Relation, paused: bool) -> Verdict {
        let index = usize::from(paused) * RELATIONS + relation as usize;
        let index = (index * 3 + self.silence as usize) * 3 + self.clock as usize;
        VERDICTS[index * 3 + self.pod as usize].clone()
    }

    /// One of each verdict that the judge can come to. Silence needs a second look at the same
    /// version.
    pub(super) fn each(relation: Relation, paused: bool, again: bool, mut act: impl FnMut(Self)) {
        let mut came: [Option<Verdict>; 6] = Default::default();
        for silence in if again { &SILENCES[..] } else { &SILENCES[..1] } {
            for clock in CLOCKS {
                for pod in PODS {
                    let facts = Self { silence: *silence, clock, pod };
                    let verdict = match facts.verdict(relation, paused) {
                        // How long to wait makes no difference where time is free.
                        Verdict::Held(_) => Verdict::Held(Duration::ZERO),
                        other => other,
                    };
                    if let Some(free) = first_without(&mut came, &verdict) {
                        *free = Some(verdict);
                        act(facts);
                    }
                }
            }
        }
    }
}

/// The first free place, unless the verdict stands before it.
fn first_without<'a>(
    came: &'a mut [Option<Verdict>; 6],
    verdict: &Verdict,
) -> Option<&'a mut Option<Verdict>> {
    let place = came.iter_mut().find(|it| it.is_none() || it.as_ref() == Some(verdict));
    place.filter(|it| it.is_none())
}

/// Asks the production functions, with a real record, as the keeper does.
fn ask_judge(relation: Relation, paused: bool, facts: Facts) -> Verdict {
    let times = Times::new(Duration::from_secs(1800), Duration::from_secs(10)).expect("they fit");
    let (holder, pod_uid) = match relation {
        Relation::Nobody => (None, ""),
        Relation::Myself => (Some("pod-0_boot0_attempt0"), "uid-0"),
        Relation::SameBoot => (Some("pod-0_boot0_attempt9"), "uid-0"),
        Relation::SamePod => (Some("pod-0_boot9_attempt0"), "uid-0"),
        Relation::Other => (Some("pod-1_boot1_attempt0"), "uid-1"),
        Relation::Foreign => (Some("somebody"), ""),
    };
    let renewed_at = DateTime::UNIX_EPOCH + TimeDelta::hours(9);
    let now = match facts.clock {
        Clock::Early => renewed_at - TimeDelta::hours(2),
        Clock::Right => renewed_at + TimeDelta::minutes(1),
        Clock::Late => renewed_at + TimeDelta::hours(2),
    };
    let record = Record {
        holder: Holder::parse(holder),
        pod_uid: pod_uid.to_owned(),
        renewed_at: (relation != Relation::Foreign).then_some(renewed_at),
        // Its run takes longer than anybody may be silent.
        acquired_at: (relation != Relation::Foreign).then_some(renewed_at - TimeDelta::hours(1)),
        paused,
        ..Record::default()
    };
    let me = Holder::parse(Some("pod-0_boot0_attempt0"));
    let mut scene = Scene {
        attempt: me.as_ref(),
        boot: "boot0",
        pod_uid: "uid-0",
        unchanged_for: match facts.silence {
            Silence::Fresh => Duration::ZERO,
            Silence::ThreeHeartbeats => times.doubt_after(),
            Silence::Whole => times.stale_after(),
        },
        now,
        pod: Pod::Unknown,
        times,
    };
    if pod_matters(&record, &scene) {
        scene.pod = match facts.pod {
            Told::Unknown => Pod::Unknown,
            Told::There => Pod::Alive,
            Told::Gone => Pod::Gone,
        };
    }
    judge(&record, &scene)
}
