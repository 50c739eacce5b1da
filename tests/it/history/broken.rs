//! The rules, held against histories that are broken by hand: each is flagged by its rule and by no
//! other.

use chrono::TimeDelta;
use singletrack::api::Phase;

use super::good::{self, FLOOR, lease, request};
use super::rules::all;
use super::{Accepted, Floor, History, Kept, Lease, Request, Rule};

#[test]
fn a_good_history_breaks_no_rule() {
    good::history().check(FLOOR);
}

/// Breaks the good history, and checks that only this rule says so.
#[track_caller]
fn broken(rule: Rule, by: impl FnOnce(&mut History)) {
    let mut history = good::history();
    by(&mut history);
    let found = all(&history, FLOOR);
    assert!(!found.is_empty(), "nothing says so");
    assert!(found.iter().all(|it| it.rule == rule), "{found:?}");
}

/// Changes the good history into another good one.
#[track_caller]
fn good(by: impl FnOnce(&mut History)) {
    let mut history = good::history();
    by(&mut history);
    history.check(Floor { takeovers: 0, ..FLOOR });
}

/// Puts these after `kept`.
fn after(history: &mut History, kept: &Kept, these: impl IntoIterator<Item = Kept>) {
    let at = position(history, kept) + 1;
    history.kept.splice(at..at, these);
}

/// The grant of run 3, which takes over from run 2, so late, from a pod, and why.
fn taken_over(history: &mut History, seconds: i64, pod_uid: &str, why: &str) {
    let late = TimeDelta::seconds(seconds);
    for lease in leases(history).filter(|it| it.number >= 3) {
        (lease.acquired_at, lease.renewed_at) =
            (lease.acquired_at.map(|at| at + late), lease.renewed_at.map(|at| at + late));
    }
    let grant = leases(history).find(|it| it.number == 3).expect("it is there");
    pod_uid.clone_into(&mut grant.pod_uid);
    history.runs[2].takeover = Some(why.into());
}

fn row(run: i64) -> Accepted {
    Accepted::Row { run, table: "issues".into() }
}

fn leases(history: &mut History) -> impl Iterator<Item = &mut Lease> {
    history.kept.iter_mut().filter_map(|kept| match kept {
        Kept::Lease(lease) => Some(lease),
        _ => None,
    })
}

/// The version of this request in this phase under this run.
fn version<'a>(
    history: &'a mut History,
    uid: &str,
    phase: Phase,
    run: Option<i64>,
) -> &'a mut Request {
    let found = history.kept.iter_mut().find_map(|kept| match kept {
        Kept::Request(it) if it.uid == uid && it.phase == phase && it.run == run => Some(it),
        _ => None,
    });
    found.expect("it is there")
}

fn position(history: &History, kept: &Kept) -> usize {
    history.kept.iter().position(|it| it == kept).expect("it is there")
}

#[test]
fn a_late_row_of_the_killed_run() {
    broken(Rule::Fenced, |history| history.accepted.push(row(2)));
}

#[test]
fn two_rows_that_change_places() {
    broken(Rule::Fenced, |history| history.accepted.swap(3, 5));
}

#[test]
fn a_row_before_the_activation() {
    broken(Rule::Fenced, |history| history.accepted.insert(0, row(1)));
}

#[test]
fn a_row_of_a_run_that_comes_later() {
    broken(Rule::Fenced, |history| history.accepted[1] = row(2));
}

#[test]
fn two_activations_that_change_places() {
    broken(Rule::Fenced, |history| {
        history.accepted.swap(4, 6);
        history.accepted.truncate(7);
        history.accepted.remove(5);
        history.accepted.extend([row(4), row(4)]);
    });
}

#[test]
fn a_number_that_two_were_granted() {
    broken(Rule::Granted, |history| {
        let third = leases(history).find(|it| it.number == 3).expect("it is there");
        third.number = 2;
        history.runs[1].takeover = history.runs[2].takeover.take();
        for accepted in &mut history.accepted {
            if let Accepted::Activated { run: 3, holder } = accepted {
                "one_b_2".clone_into(holder);
            }
        }
        leases(history).for_each(|it| {
            if it.holder.as_deref() == Some("one_b_2") {
                it.number = 3;
            }
        });
    });
}

#[test]
fn a_run_that_another_has_activated() {
    broken(Rule::Granted, |history| {
        history.accepted[6] = Accepted::Activated { run: 4, holder: "three_b_1".into() };
    });
}

#[test]
fn a_run_that_nobody_was_granted() {
    broken(Rule::Granted, |history| {
        let grant = position(history, &lease("two_b_2", 4, "c", 12));
        history.kept.remove(grant);
    });
}

#[test]
fn a_run_that_is_shown_after_a_newer_one() {
    broken(Rule::Apart, |history| {
        // Queued again and shown once more under its first number by somebody who is late.
        let end = position(history, &request("c", Phase::Running, 4));
        let late = [request("d", Phase::Queued, 1), request("d", Phase::Running, 1)];
        let over = [request("d", Phase::Queued, 1), Kept::RequestGone("d".into())];
        history.kept.splice(end + 2..end + 2, late.into_iter().chain(over));
    });
}

#[test]
fn an_end_that_is_taken_back() {
    broken(Rule::Phases, |history| {
        let end = position(history, &request("a", Phase::Succeeded, 1));
        history.kept.insert(end + 1, request("a", Phase::Queued, 1));
        history.kept.insert(end + 2, request("a", Phase::Succeeded, 1));
    });
}

#[test]
fn a_request_that_has_ended_twice() {
    broken(Rule::Phases, |history| {
        history.kept.push(request("c", Phase::Cancelled, 4));
        history.kept.push(request("c", Phase::Succeeded, 4));
    });
}

#[test]
fn a_run_number_that_falls() {
    broken(Rule::Phases, |history| {
        version(history, "b", Phase::Queued, Some(2)).run = Some(1);
        let queued = position(history, &request("b", Phase::Queued, 1));
        history.kept.swap(queued, queued - 1);
        history.kept.swap(queued, queued - 1);
    });
}

#[test]
fn two_that_run_at_once() {
    broken(Rule::Phases, |history| {
        let end = position(history, &request("a", Phase::Succeeded, 1));
        let next = position(history, &request("b", Phase::Running, 2));
        let end = history.kept.remove(end);
        history.kept.insert(next, end);
    });
}

#[test]
fn a_start_without_a_place_in_the_queue() {
    broken(Rule::Phases, |history| {
        let running = position(history, &request("a", Phase::Running, 1));
        history.kept[running - 4] = request("a", Phase::Pending, None);
    });
}

#[test]
fn a_request_that_is_lost() {
    broken(Rule::Queue, |history| history.kept.push(request("d", Phase::Queued, None)));
}

#[test]
fn a_request_that_was_done_twice() {
    broken(Rule::Queue, |history| "b".clone_into(&mut history.runs[0].request));
}

#[test]
fn a_request_that_is_passed_over() {
    broken(Rule::Turns, |history| {
        let b = version(history, "b", Phase::Queued, None);
        b.order.0 = 100;
    });
}

#[test]
fn a_healthy_holder_that_is_replaced() {
    broken(Rule::Takeover, |history| {
        let grant = leases(history).find(|it| it.number == 3).expect("it is there");
        let soon = grant.acquired_at.map(|at| at - TimeDelta::seconds(5));
        (grant.acquired_at, grant.renewed_at) = (soon, soon);
    });
}

#[test]
fn a_silence_that_was_too_short() {
    broken(Rule::Takeover, |history| history.runs[2].takeover = Some("Silent".into()));
}

#[test]
fn another_pod_that_says_it_is_the_same() {
    broken(Rule::Takeover, |history| history.runs[2].takeover = Some("OwnEarlier".into()));
}

#[test]
fn a_holder_that_is_replaced_for_no_reason() {
    broken(Rule::Takeover, |history| {
        history.runs[2].takeover = None;
        history.runs[3].takeover = Some("PodGone".into());
    });
}

#[test]
fn a_request_that_is_granted_a_run_while_it_is_suspended() {
    broken(Rule::Queue, |history| version(history, "c", Phase::Queued, None).barred = true);
}

#[test]
fn a_run_that_has_never_ended() {
    broken(Rule::Complete, |history| "running".clone_into(&mut history.runs[0].state));
}

#[test]
fn a_run_that_is_not_in_the_history() {
    broken(Rule::Complete, |history| {
        history.runs.remove(3);
        let spare = good::history().runs.remove(0);
        history.runs.push(super::Run { number: 9, request: "z".into(), ..spare });
    });
}

#[test]
fn a_success_without_a_run() {
    broken(Rule::Complete, |history| {
        history.kept.push(request("d", Phase::Queued, None));
        history.kept.push(request("d", Phase::Succeeded, None));
    });
}

#[test]
fn a_cancelled_request_whose_run_has_succeeded() {
    broken(Rule::Complete, |history| {
        version(history, "c", Phase::Succeeded, Some(4)).phase = Phase::Cancelled;
    });
}

#[test]
fn a_success_whose_run_has_failed() {
    broken(Rule::Complete, |history| "failed".clone_into(&mut history.runs[3].state));
}

#[test]
fn a_history_in_which_nothing_was_taken_over() {
    broken(Rule::Vacuous, |history| {
        history.runs[2].takeover = None;
        history.times = None;
    });
}

#[test]
fn a_history_in_which_too_few_were_interrupted() {
    let found = all(&good::history(), Floor { interrupted: 2, ..FLOOR });
    assert!(found.iter().any(|it| it.rule == Rule::Vacuous), "{found:?}");
}

#[test]
fn a_number_that_is_granted_once_more() {
    broken(Rule::Granted, |history| history.kept.push(lease("three_b_1", 4, "c", 14)));
}

#[test]
fn a_run_that_two_have_activated() {
    let mut history = good::history();
    let other = Accepted::Activated { run: 4, holder: "three_b_1".into() };
    history.accepted.push(other);
    let found = all(&history, FLOOR);
    assert!(found.iter().any(|it| it.rule == Rule::Fenced), "{found:?}");
}

#[test]
fn two_holders_of_no_pod_that_are_taken_for_one() {
    broken(Rule::Takeover, |history| {
        leases(history).for_each(|it| it.pod_uid.clear());
        taken_over(history, 0, "", "OwnEarlier");
    });
}

#[test]
fn takeovers_with_a_reason() {
    good(|history| taken_over(history, 0, "uid-of-one", "OwnEarlier"));
    good(|history| taken_over(history, 60, "uid-of-two", "Silent"));
    good(|history| taken_over(history, 60, "uid-of-two", "LongDead"));
    good(|history| taken_over(history, 0, "uid-of-two", "PodGone"));
}

#[test]
fn a_lease_that_was_deleted_is_taken_over_from_nobody() {
    good(|history| {
        let running = request("b", Phase::Running, 2);
        after(history, &running, [Kept::LeaseGone]);
        history.runs[2].takeover = None;
    });
}

#[test]
fn a_request_that_is_deleted_while_it_runs() {
    good(|history| {
        let end = position(history, &request("a", Phase::Succeeded, 1));
        history.kept[end] = Kept::RequestGone("a".into());
    });
}

#[test]
fn a_renewal_is_no_grant() {
    good(|history| {
        // Others come and go while the holder runs one that is queued again, and is cancelled.
        let running = request("b", Phase::Running, 3);
        let Kept::Request(cancelled) = running.clone() else { unreachable!("it is one") };
        let cancelled = Kept::Request(Request { barred: true, ..cancelled });
        let renewed = || lease("two_b_1", 3, "b", 10);
        after(history, &running, [cancelled, renewed(), renewed()]);
        let queued = request("b", Phase::Queued, 2);
        let other = request("A", Phase::Queued, None);
        let gone = Kept::RequestGone("A".into());
        after(history, &queued, [other, renewed(), renewed(), gone]);
    });
}

#[test]
fn an_end_that_is_forged_says_nothing_of_the_run() {
    good(|history| {
        let forged = version(history, "c", Phase::Succeeded, Some(4));
        (forged.phase, forged.forged) = (Phase::Failed, true);
    });
}

#[test]
fn a_partial_success_whose_run_has_failed() {
    broken(Rule::Complete, |history| {
        version(history, "c", Phase::Succeeded, Some(4)).phase = Phase::PartiallySucceeded;
        "failed".clone_into(&mut history.runs[3].state);
    });
}
