//! What is gone through, and what breaks when a rule is taken away.

use super::ends::ARRIVES;
use super::shown::table;
use super::world::Bad;
use super::{Faults, Lock, Mutant};
use crate::coverage::check_complete;
use crate::explore::{Size, explore, refute};

const NONE: Faults = Faults {
    timeouts: 0,
    crashes: 0,
    deletions: 0,
    renewals: 0,
    doubts: 0,
    edits: 0,
    restores: 0,
    cancels: 0,
};
const TIMEOUT: Faults = Faults { timeouts: 1, ..NONE };
const DOUBT: Faults = Faults { doubts: 1, ..NONE };
const DOUBT_LOST: Faults = Faults { timeouts: 1, ..DOUBT };
const CRASH_LOST: Faults = Faults { crashes: 1, ..TIMEOUT };
const LOST_RENEWAL: Faults = Faults { renewals: 1, ..CRASH_LOST };
const LOST_DOUBT: Faults = Faults { crashes: 1, ..DOUBT_LOST };
const LOST_DELETION: Faults = Faults { deletions: 1, ..CRASH_LOST };

/// What is gone through: a name, how many processes and requests, what goes wrong, and how many states
/// that makes. Another protocol has other numbers: then they are written down anew.
type Row = (&'static str, usize, u8, Faults, usize);

/// Those of every test run.
const SHORT: [Row; 11] = [
    ("an answer lost", 3, 1, TIMEOUT, 1_880_201),
    ("two doubts", 3, 1, Faults { doubts: 2, ..NONE }, 185_980),
    ("an answer lost, the Lease deleted", 2, 1, Faults { deletions: 1, ..TIMEOUT }, 239_928),
    ("an answer lost, an edit", 2, 1, Faults { edits: 1, ..TIMEOUT }, 448_466),
    ("an answer lost, a renewal, a doubt", 2, 1, Faults { renewals: 1, ..DOUBT_LOST }, 313_573),
    ("an answer lost", 2, 2, TIMEOUT, 219_053),
    ("a crash", 2, 2, Faults { crashes: 1, ..NONE }, 367_888),
    ("a doubt, a cancellation", 2, 2, Faults { cancels: 1, ..DOUBT }, 69_175),
    ("a crash, an edit", 2, 1, Faults { crashes: 1, edits: 1, ..NONE }, 675_282),
    ("a doubt, the store emptied", 2, 2, Faults { restores: 1, ..DOUBT }, 375_743),
    ("an answer lost, a crash, a doubt", 2, 1, LOST_DOUBT, 12_222_153),
];

/// With `MODEL=small`, only rows of fewer states.
const SMALL: usize = 1_000_000;

/// Those of `make model`.
const LONG: [Row; 12] = [
    ("an answer lost, a doubt", 2, 2, DOUBT_LOST, 1_285_089),
    ("two crashes", 2, 1, Faults { crashes: 2, ..NONE }, 2_187_004),
    ("a crash", 3, 1, Faults { crashes: 1, ..NONE }, 2_361_850),
    ("an answer lost, an edit", 2, 2, Faults { edits: 1, ..TIMEOUT }, 5_655_952),
    ("a crash, the store emptied", 2, 2, Faults { crashes: 1, restores: 1, ..NONE }, 12_133_041),
    ("an answer lost, a doubt", 3, 1, DOUBT_LOST, 13_233_848),
    ("an answer lost, a crash, a renewal", 2, 1, LOST_RENEWAL, 13_982_203),
    ("a crash, a doubt", 3, 1, Faults { crashes: 1, ..DOUBT }, 16_361_707),
    ("an answer lost, a crash, the Lease deleted", 2, 1, LOST_DELETION, 39_833_336),
    ("an answer lost, a crash", 2, 2, CRASH_LOST, 46_226_711),
    ("an answer lost, a crash, an edit", 2, 1, Faults { edits: 1, ..CRASH_LOST }, 70_529_180),
    ("an answer lost, a crash, a doubt", 2, 2, LOST_DOUBT, 271_491_475),
];

/// Goes through all of a row. Gives what was seen, and what is wrong with the number of states.
fn check((name, processes, requests, faults, states): Row) -> (u64, Option<String>) {
    match processes {
        2 => check_with::<2>(name, requests, faults, states),
        _ => check_with::<3>(name, requests, faults, states),
    }
}

fn check_with<const N: usize>(
    name: &str,
    requests: u8,
    faults: Faults,
    states: usize,
) -> (u64, Option<String>) {
    let lock = Lock::<N> { requests, faults, ..Lock::default() };
    let name = format!("{N} processes x {requests}: {name}");
    let wrong = explore(&name, &lock, states, table);
    (lock.coverage.bits(), wrong)
}

#[test]
fn no_interleaving_breaks_the_lock() {
    let size = Size::asked();
    let long: &[Row] = if size == Size::Long { &LONG } else { &[] };
    let (mut seen, mut wrong) = (0, Vec::new());
    for row in SHORT.iter().chain(long) {
        if size == Size::Small && row.4 >= SMALL {
            continue;
        }
        let (bits, number) = check(*row);
        seen |= bits;
        wrong.extend(number);
    }
    check_complete(seen);
    assert!(wrong.is_empty(), "other numbers of states than written down: {wrong:#?}");
}

/// Takes a rule away, and shows the shortest way to what breaks then.
#[track_caller]
fn broken(mutant: Mutant, requests: u8, faults: Faults, rule: &str) {
    let lock = Lock::<2> { requests, faults, mutant: Some(mutant), ..Lock::default() };
    let (name, about) = mutant.describe();
    refute(name, about, &lock, rule, table);
}

#[test]
fn without_the_fence_an_old_write_is_accepted() {
    broken(Mutant::Unfenced, 1, DOUBT, Bad::OldAfterNew.rule());
}

#[test]
fn when_any_number_is_activated_an_old_run_comes_back() {
    broken(Mutant::ActivatesAny, 1, DOUBT, Bad::OldAfterNew.rule());
}

#[test]
fn when_creating_is_a_grant_the_order_is_lost() {
    let faults = Faults { deletions: 2, ..NONE };
    broken(Mutant::CreateGrants, 2, faults, Bad::OutOfOrder.rule());
}

#[test]
fn when_the_ticket_is_drawn_first_the_order_is_lost() {
    broken(Mutant::TicketFirst, 2, NONE, Bad::OutOfOrder.rule());
}

#[test]
fn when_unknown_means_no_a_grant_is_left_behind() {
    broken(Mutant::UnknownIsNo, 1, TIMEOUT, Bad::Stranded.rule());
}

#[test]
fn without_the_rule_for_leftovers_a_late_grant_keeps_all_waiting() {
    broken(Mutant::NoLeftovers, 1, TIMEOUT, ARRIVES);
}

#[test]
fn when_the_lease_is_freed_before_the_run_has_ended_it_goes_on_beside_the_next() {
    broken(Mutant::ReleasesFirst, 1, TIMEOUT, Bad::RunsOn.rule());
}

#[test]
fn when_the_age_of_a_grant_counts_a_healthy_holder_is_replaced() {
    broken(Mutant::AgeCounts, 1, DOUBT, Bad::Hasty.rule());
}

#[test]
fn without_compare_and_swap_grants_come_out_of_order() {
    broken(Mutant::BlindWrites, 1, NONE, Bad::OutOfOrder.rule());
}

#[test]
fn when_the_store_activates_what_has_run_a_request_is_run_twice() {
    broken(Mutant::RunsAgain, 1, DOUBT, Bad::Twice.rule());
}

#[test]
fn without_the_floor_an_emptied_store_starts_again_at_one() {
    let faults = Faults { restores: 1, ..NONE };
    broken(Mutant::NoFloor, 1, faults, Bad::OutOfOrder.rule());
}

#[test]
fn when_the_request_is_read_before_the_lease_one_that_is_cancelled_runs() {
    let faults = Faults { cancels: 1, ..NONE };
    broken(Mutant::RequestFirst, 1, faults, Bad::Cancelled.rule());
}

#[test]
fn when_a_cached_copy_is_believed_a_request_that_is_cancelled_runs() {
    let faults = Faults { cancels: 1, ..NONE };
    broken(Mutant::CachedCopy, 1, faults, Bad::Cancelled.rule());
}
