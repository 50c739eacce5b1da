//! What is gone through, and what breaks when a rule is taken away.

use super::{Action, Line, Mutant, RULES, World};
use crate::explore::{explore, refute};

#[test]
fn everybody_has_his_turn_once() {
    let line = Line { requests: 2, deletions: 1, crashes: 1, listings: 1, ..Line::default() };
    let name = "1 replica, 2 requests: a deletion, a crash, a listing";
    let wrong = explore(name, &line, 178_375, table);
    assert_eq!(wrong, None, "another number of states than written down");
}

#[test]
fn when_late_answers_count_a_request_is_lost() {
    let line = Line { requests: 2, mutant: Some(Mutant::LateAnswers), ..Line::default() };
    let about = "The answer to a write counts also when the watch has told of what followed.";
    refute("late-answers", about, &line, RULES[0], table);
}

#[test]
fn when_what_is_answered_is_not_looked_up_it_runs_too() {
    let mutant = Some(Mutant::RunsAnswered);
    let line = Line { requests: 3, crashes: 1, mutant, ..Line::default() };
    let about = "A request that stands with another's run as answered by it is not looked up.";
    refute("runs-answered", about, &line, RULES[1], table);
}

/// A line a step: what is done, and how each request is then.
fn table(way: Vec<(World, Option<Action>)>) -> String {
    let mut text = String::new();
    for (number, pair) in way.windows(2).enumerate() {
        let [(_, Some(action)), (after, _)] = pair else { continue };
        let phases: Vec<String> = (0..after.shown.len())
            .map(|it| after.phase(it).map_or("-".to_owned(), |phase| format!("{phase:?}")))
            .collect();
        let head = after.queue.head().map_or("nobody".to_owned(), |head| head.uid);
        text.push_str(&format!(
            "{:>3}  {:<12} {:<30} first: {head}\n",
            number + 1,
            format!("{action:?}"),
            phases.join(" ")
        ));
    }
    text
}
