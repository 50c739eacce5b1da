//! What to do with a request next. Pure.

use std::time::Duration;

use super::Stage;
use crate::api::{ConcurrencyPolicy, Reason};

/// All that is known of a request and of what is around it.
#[derive(Clone, Debug)]
pub struct View {
    pub stage: Stage,
    /// Whether it belongs to the lock of this operator.
    pub ours: bool,
    pub cancelled: bool,
    /// Whether its run goes on in this process.
    pub running_here: bool,
    pub policy: ConcurrencyPolicy,
    /// Why it must wait, if it must: who runs, or who is before it.
    pub busy: Option<String>,
    pub ahead: usize,
    /// Why it can never run, if that is so.
    pub impossible: Option<(Reason, String)>,
    /// For a finished request with a TTL: how long until it is deleted.
    pub ttl_left: Option<Duration>,
}

/// The one thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Rest,
    RestFor(Duration),
    Enqueue { ahead: usize },
    Reject { message: String },
    Fail { reason: Reason, message: String },
    Cancel,
    StopRun,
    Delete,
}

/// Says what to do next.
///
/// The same view always gives the same step, and a step that was already done gives [`Step::Rest`]
/// or itself, so a pass may be cut off anywhere and repeated.
#[must_use]
pub fn plan(view: &View) -> Step {
    if !view.ours {
        return Step::Rest;
    }
    match (&view.stage, view.cancelled) {
        (Stage::Finished { .. }, _) => match view.ttl_left {
            None => Step::Rest,
            Some(Duration::ZERO) => Step::Delete,
            Some(left) => Step::RestFor(left),
        },
        (Stage::New | Stage::Queued { .. }, true) => Step::Cancel,
        (Stage::Running { .. }, true) if view.running_here => Step::StopRun,
        (Stage::New, false) => first_sight(view),
        // The track sees to the head of the queue, also when its run is gone.
        (Stage::Queued { .. } | Stage::Running { .. }, _) => Step::Rest,
    }
}

fn first_sight(view: &View) -> Step {
    match (&view.impossible, view.policy, &view.busy) {
        (Some((reason, message)), _, _) => Step::Fail { reason: *reason, message: message.clone() },
        (None, ConcurrencyPolicy::Reject, Some(busy)) => Step::Reject { message: busy.clone() },
        _ => Step::Enqueue { ahead: view.ahead },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::RunNumber;

    fn view(stage: Stage) -> View {
        View {
            stage,
            ours: true,
            cancelled: false,
            running_here: false,
            policy: ConcurrencyPolicy::Queue,
            busy: None,
            ahead: 0,
            impossible: None,
            ttl_left: None,
        }
    }

    fn short(step: &Step) -> String {
        match step {
            Step::Enqueue { .. } => "Enqueue".into(),
            Step::Reject { .. } => "Reject".into(),
            Step::Fail { .. } => "Fail".into(),
            other => format!("{other:?}"),
        }
    }

    /// The whole table: it is the specification, so all of it is written down.
    #[test]
    fn the_plan_is_this_table() {
        let stages = [
            ("New", Stage::New),
            ("Queued", Stage::Queued { not_before: None }),
            ("Running", Stage::Running { number: RunNumber(1) }),
            ("Finished", Stage::Finished { at: None }),
        ];
        let mut table = String::new();
        for (name, stage) in stages {
            for cancelled in [false, true] {
                for here in [false, true] {
                    for policy in [ConcurrencyPolicy::Queue, ConcurrencyPolicy::Reject] {
                        for busy in [None, Some("busy".to_owned())] {
                            let view = View {
                                cancelled,
                                running_here: here,
                                policy,
                                busy: busy.clone(),
                                ..view(stage.clone())
                            };
                            let flag = |on, text| if on { text } else { "-" };
                            table.push_str(&format!(
                                "{name:<9}{:<7}{:<5}{:<8}{:<5}{}\n",
                                flag(cancelled, "cancel"),
                                flag(here, "here"),
                                format!("{policy:?}"),
                                flag(busy.is_some(), "busy"),
                                short(&plan(&view))
                            ));
                        }
                    }
                }
            }
        }
        assert_eq!(table, include_str!("plan_table.txt"), "\n{table}");
    }

    #[test]
    fn what_can_never_run_fails_at_first_sight_and_before_anything_is_waited_for() {
        let impossible = Some((Reason::NotTracked, "no".to_owned()));
        let busy = Some("busy".to_owned());
        let view = View { busy, impossible, ..view(Stage::New) };
        assert_eq!(plan(&view), Step::Fail { reason: Reason::NotTracked, message: "no".into() });
    }

    #[test]
    fn a_finished_request_is_deleted_when_its_time_has_come() {
        let at = |ttl_left| View { ttl_left, ..view(Stage::Finished { at: None }) };
        assert_eq!(plan(&at(None)), Step::Rest);
        assert_eq!(plan(&at(Some(Duration::ZERO))), Step::Delete);
        assert_eq!(plan(&at(Some(Duration::from_secs(5)))), Step::RestFor(Duration::from_secs(5)));
    }

    #[test]
    fn what_belongs_to_another_operator_is_left_alone() {
        for stage in [Stage::New, Stage::Queued { not_before: None }, Stage::Finished { at: None }]
        {
            let ttl_left = Some(Duration::ZERO);
            let view = View { ours: false, cancelled: true, ttl_left, ..view(stage) };
            assert_eq!(plan(&view), Step::Rest);
        }
    }
}
