//! The rules. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use singletrack::api::Phase;

use super::{Accepted, BY_HAND, Floor, History, Kept, Lease, Request, Rule, Uid, Violation};

/// What breaks a rule.
pub(super) fn all(history: &History, floor: Floor) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    fenced(history, &mut found);
    granted(history, &mut found);
    apart(history, &mut found);
    phases(history, &mut found);
    queue(history, &mut found);
    takeovers(history, &mut found);
    complete(history, &mut found);
    vacuous(history, floor, &mut found);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn unless(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Violation { rule, what: what() });
        }
    }
}

fn fenced(history: &History, found: &mut Found) {
    let mut active = (0, String::new());
    for accepted in &history.accepted {
        match accepted {
            Accepted::Activated { run, holder } => {
                let again = (*run, holder) == (active.0, &active.1);
                let newer = *run > active.0;
                found.unless(again || newer, Rule::Fenced, || {
                    format!("run {run} of {holder} was activated after run {}", active.0)
                });
                if newer {
                    active = (*run, holder.clone());
                }
            }
            Accepted::Row { run, table } => found.unless(*run == active.0, Rule::Fenced, || {
                format!("{table} took a row of run {run} while run {} was active", active.0)
            }),
        }
    }
}

/// Whether an operator holds it that did not hold it before.
fn is_grant(lease: &Lease, before: Option<&String>) -> bool {
    let holder = lease.holder.as_ref();
    holder.is_some_and(|it| it != BY_HAND) && holder != before
}

/// The grants, in etcd's order: each version of the Lease that another operator holds than before,
/// with the version before.
fn grants(history: &History) -> Vec<(Option<&Lease>, &Lease)> {
    let mut before: Option<&Lease> = None;
    let mut grants = Vec::new();
    for kept in &history.kept {
        match kept {
            Kept::LeaseGone => before = None,
            Kept::Lease(lease) => {
                let old = before.and_then(|lease| lease.holder.as_ref());
                if is_grant(lease, old) {
                    grants.push((before, lease));
                }
                before = Some(lease);
            }
            _ => {}
        }
    }
    grants
}

fn granted(history: &History, found: &mut Found) {
    let mut holders: BTreeMap<i64, &str> = BTreeMap::new();
    let mut last = 0;
    for (_, lease) in grants(history) {
        let holder = lease.holder.as_deref().unwrap_or_default();
        found.unless(lease.number > last, Rule::Granted, || {
            format!("{holder} was granted run {} after run {last}", lease.number)
        });
        last = last.max(lease.number);
        holders.entry(lease.number).or_insert(holder);
    }
    for accepted in &history.accepted {
        let Accepted::Activated { run, holder } = accepted else { continue };
        found.unless(holders.get(run) == Some(&holder.as_str()), Rule::Granted, || {
            format!("run {run} was activated by {holder} and granted to {:?}", holders.get(run))
        });
    }
}

/// Runs are shown as running in the order in which they were granted.
fn apart(history: &History, found: &mut Found) {
    let mut last = 0;
    for kept in &history.kept {
        let Kept::Request(Request { phase: Phase::Running, run: Some(run), uid, .. }) = kept else {
            continue;
        };
        found.unless(*run >= last, Rule::Apart, || {
            format!("{uid} is shown running as run {run} after run {last} was")
        });
        last = last.max(*run);
    }
}

/// The next phases that the life of a request allows.
fn may_become(phase: Phase) -> &'static [Phase] {
    use Phase::{
        Cancelled, Failed, PartiallySucceeded, Pending, Queued, Rejected, Running, Succeeded,
    };
    match phase {
        Pending => &[Queued, Rejected, Failed, Cancelled, Succeeded, PartiallySucceeded],
        Queued => &[Running, Succeeded, PartiallySucceeded, Failed, Cancelled],
        Running => &[Queued, Succeeded, PartiallySucceeded, Failed, Cancelled],
        Succeeded | PartiallySucceeded | Failed | Rejected | Cancelled => &[],
    }
}

fn phases(history: &History, found: &mut Found) {
    let mut known: BTreeMap<&Uid, &Request> = BTreeMap::new();
    let mut running: BTreeSet<&Uid> = BTreeSet::new();
    for kept in &history.kept {
        match kept {
            Kept::RequestGone(uid) => {
                known.remove(uid);
                running.remove(uid);
            }
            Kept::Request(now) => {
                let before = known.insert(&now.uid, now);
                let was = before.map_or(Phase::Pending, |it| it.phase);
                let allowed = was == now.phase || may_become(was).contains(&now.phase);
                found.unless(allowed, Rule::Phases, || {
                    format!("{} went from {} to {}", now.uid, was.as_str(), now.phase.as_str())
                });
                let number = before.and_then(|it| it.run);
                found.unless(now.run >= number, Rule::Phases, || {
                    format!("the run number of {} fell from {number:?} to {:?}", now.uid, now.run)
                });
                if now.phase == Phase::Running {
                    running.insert(&now.uid);
                } else {
                    running.remove(&now.uid);
                }
                found
                    .unless(running.len() < 2, Rule::Phases, || format!("{running:?} run at once"));
            }
            _ => {}
        }
    }
}

fn queue(history: &History, found: &mut Found) {
    for (uid, phase) in standing(history) {
        found.unless(phase.is_terminal(), Rule::Queue, || {
            format!("{uid} is still {}", phase.as_str())
        });
    }
    let mut done = BTreeSet::new();
    for run in history.runs.iter().filter(|run| run.state == "succeeded") {
        found.unless(done.insert(&run.request), Rule::Queue, || {
            format!("{} has more than one successful run: {}", run.request, run.number)
        });
    }
    turns(history, found);
    barred(history, found);
}

/// How each request stands at the end, those that are deleted apart.
fn standing(history: &History) -> BTreeMap<&Uid, Phase> {
    let mut standing = BTreeMap::new();
    for kept in &history.kept {
        match kept {
            Kept::Request(request) => drop(standing.insert(&request.uid, request.phase)),
            Kept::RequestGone(uid) => drop(standing.remove(uid)),
            _ => {}
        }
    }
    standing
}

/// Whoever is granted the Lease was first among those that could start when the version that the
/// grant has replaced came to be: later ones may have been too late to be seen.
fn turns(history: &History, found: &mut Found) {
    let mut waiting: BTreeMap<&Uid, &Request> = BTreeMap::new();
    let mut then: BTreeMap<&Uid, &Request> = BTreeMap::new();
    let mut holder: Option<&String> = None;
    for kept in &history.kept {
        match kept {
            Kept::RequestGone(uid) => {
                waiting.remove(uid);
                then.remove(uid);
            }
            Kept::Request(request) => {
                if request.phase == Phase::Queued && request.ready {
                    waiting.insert(&request.uid, request);
                } else {
                    waiting.remove(&request.uid);
                    then.remove(&request.uid);
                }
            }
            Kept::LeaseGone => holder = None,
            Kept::Lease(lease) => {
                let is_grant = is_grant(lease, holder);
                if let Some(request) = lease.request.as_ref().filter(|_| is_grant)
                    && let Some(chosen) = then.get(request)
                {
                    let first = then.values().find(|other| other.order < chosen.order);
                    found.unless(first.is_none(), Rule::Turns, || {
                        let first = first.map_or("", |first| &first.uid);
                        format!("{request} was granted run {} before {first}", lease.number)
                    });
                }
                holder = lease.holder.as_ref();
                then.clone_from(&waiting);
            }
        }
    }
}

/// Nobody is granted the Lease for a request that could not start when the version that the grant has
/// replaced came to be, and at no time since: it was not read anew.
fn barred(history: &History, found: &mut Found) {
    let mut barred: BTreeSet<&Uid> = BTreeSet::new();
    let mut then: BTreeSet<&Uid> = BTreeSet::new();
    let mut granted = 0;
    for kept in &history.kept {
        match kept {
            Kept::RequestGone(uid) => drop(barred.insert(uid)),
            Kept::Request(request) if request.barred => drop(barred.insert(&request.uid)),
            Kept::Request(request) => {
                barred.remove(&request.uid);
                then.remove(&request.uid);
            }
            Kept::LeaseGone => {}
            Kept::Lease(lease) => {
                let is_grant = lease.number > granted;
                let request = lease.request.as_ref().filter(|it| is_grant && then.contains(it));
                found.unless(request.is_none(), Rule::Queue, || {
                    let request = request.map_or("", |uid| uid);
                    format!("{request} was granted run {} and may not start", lease.number)
                });
                granted = granted.max(lease.number);
                then.clone_from(&barred);
            }
        }
    }
}

fn takeovers(history: &History, found: &mut Found) {
    let Some(times) = history.times else { return };
    let reasons: BTreeMap<i64, Option<&str>> =
        history.runs.iter().map(|run| (run.number, run.takeover.as_deref())).collect();
    for (before, lease) in grants(history) {
        let Some((old, holder)) = before.and_then(|old| Some((old, old.holder.as_ref()?))) else {
            continue;
        };
        // A grant that was never activated has given no reason.
        let Some(reason) = reasons.get(&lease.number) else { continue };
        let silence = lease.acquired_at.zip(old.renewed_at).map(|(now, then)| now - then);
        let lasted = |time: std::time::Duration| {
            silence.is_none_or(|it| it >= TimeDelta::from_std(time).expect("it is short"))
        };
        let own = !lease.pod_uid.is_empty() && lease.pod_uid == old.pod_uid;
        let holds = match *reason {
            Some("OwnEarlier") => own,
            Some("Silent") => lasted(times.stale_after),
            Some("PodGone") => !own && lasted(3 * times.heartbeat),
            Some("LongDead") => lasted(times.stale_after),
            _ => false,
        };
        found.unless(holds, Rule::Takeover, || {
            let reason = reason.unwrap_or("for no reason");
            format!("run {} took over from {holder} after {silence:?}: {reason}", lease.number)
        });
    }
}

fn complete(history: &History, found: &mut Found) {
    let mut rows: BTreeMap<i64, &str> = BTreeMap::new();
    for run in &history.runs {
        let twice = rows.insert(run.number, &run.state);
        found.unless(twice.is_none(), Rule::Complete, || {
            format!("run {} is there twice", run.number)
        });
        found.unless(run.state != "running", Rule::Complete, || {
            format!("run {} has never ended", run.number)
        });
    }
    for accepted in &history.accepted {
        let Accepted::Activated { run, .. } = accepted else { continue };
        found.unless(rows.contains_key(run), Rule::Complete, || {
            format!("run {run} was activated and is not in the history")
        });
    }
    let mut last: BTreeMap<&Uid, (Phase, Option<i64>)> = BTreeMap::new();
    for kept in &history.kept {
        if let Kept::Request(request) = kept
            && !request.forged
        {
            last.insert(&request.uid, (request.phase, request.run));
        }
    }
    for (uid, (phase, run)) in last {
        let state = run.and_then(|run| rows.get(&run)).copied();
        let fits = match phase {
            Phase::Succeeded => state == Some("succeeded"),
            Phase::PartiallySucceeded => state == Some("partial"),
            Phase::Failed | Phase::Cancelled | Phase::Rejected => {
                !matches!(state, Some("succeeded" | "partial"))
            }
            Phase::Pending | Phase::Queued | Phase::Running => true,
        };
        found.unless(fits, Rule::Complete, || {
            format!("{uid} is {} and its run is {state:?}", phase.as_str())
        });
    }
}

fn vacuous(history: &History, floor: Floor, found: &mut Found) {
    let rows = history.accepted.iter().filter(|it| matches!(it, Accepted::Row { .. })).count();
    let count = |state: &str| history.runs.iter().filter(|run| run.state == state).count();
    let takeovers = history.runs.iter().filter(|run| run.takeover.is_some()).count();
    let happened = [
        ("runs", history.runs.len(), floor.runs),
        ("runs taken over", takeovers, floor.takeovers),
        ("runs interrupted", count("interrupted"), floor.interrupted),
        ("rows written", rows, floor.rows),
    ];
    for (what, happened, least) in happened {
        found.unless(happened >= least, Rule::Vacuous, || {
            format!("{happened} {what}, and at least {least} were to be seen")
        });
    }
}
