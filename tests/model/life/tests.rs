//! What is gone through, and what breaks when a rule is taken away.

use super::{Action, Life, Mutant, RULES, World};
use crate::coverage::check_steps;
use crate::explore::{explore, refute};

#[test]
fn every_request_ends_once() {
    let rows = [
        ("two acts of users", Life { users: 2, ..Life::default() }, 3_729_764),
        ("a crash, a retry", Life { crashes: 1, retries: 1, ..Life::default() }, 484_002),
        ("an act of users, a crash", Life { users: 1, crashes: 1, ..Life::default() }, 1_964_725),
        ("an act of users, a retry", Life { users: 1, retries: 1, ..Life::default() }, 1_186_238),
    ];
    let (mut seen, mut wrong) = (0, Vec::new());
    for (name, life, states) in rows {
        wrong.extend(explore(&format!("2 replicas, 2 requests: {name}"), &life, states, table));
        seen |= life.coverage.bits();
    }
    check_steps(seen);
    assert!(wrong.is_empty(), "other numbers of states than written down: {wrong:#?}");
}

#[test]
fn when_the_status_is_not_compared_a_run_goes_on_unseen() {
    let life = Life { mutant: Some(Mutant::BlindStatus), ..Life::default() };
    let about = "A status is written whatever the request has become by then.";
    refute("blind-status", about, &life, RULES[1], table);
}

#[test]
fn when_a_request_is_deleted_by_name_another_one_is_gone() {
    let life = Life { users: 3, mutant: Some(Mutant::DeleteByName), ..Life::default() };
    let about = "A finished request is deleted by its name, whatever uid that has by then.";
    refute("delete-by-name", about, &life, RULES[3], table);
}

/// A line a step: what is done, and what the requests are then.
fn table(way: Vec<(World, Option<Action>)>) -> String {
    let mut text = String::new();
    for (number, pair) in way.windows(2).enumerate() {
        let [(_, Some(action)), (after, _)] = pair else { continue };
        let requests = after
            .requests
            .map(|it| it.map_or("none".to_owned(), |it| format!("{}: {:?}", it.uid, it.phase)));
        text.push_str(&format!(
            "{:>3}  {:<24} {:<24} {}\n",
            number + 1,
            format!("{action:?}"),
            requests[0],
            requests[1]
        ));
    }
    text
}
