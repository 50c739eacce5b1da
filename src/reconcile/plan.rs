//! What to do with a request next. Pure.

use std::time::Duration;

use super::{Stage, Stop};
use crate::api::{ConcurrencyPolicy, Reason};

/// All that is known of a request and of what is around it.
#[derive(Clone, Debug)]
pub struct View {
    pub stage: Stage,
    /// Whether it belongs to the lock of this operator.
    pub ours: bool,
    pub cancelled: bool,
    pub suspended: bool,
    /// Whether its status says that it is suspended.
    pub shown_suspended: bool,
    /// Whether its run goes on in this process.
    pub running_here: bool,
    pub policy: ConcurrencyPolicy,
    /// Why it must wait, if it must: who runs, or who is before it.
    pub busy: Option<String>,
    pub ahead: usize,
    /// Why it can never run, if that is so.
    pub impossible: Option<(Reason, String)>,
    /// How long until its next attempt may start, if it has had one that failed.
    pub pause_left: Option<Duration>,
    /// How long until its deadline, if it has one and has started.
    pub time_left: Option<Duration>,
    /// For a finished request with a TTL: how long until it is deleted.
    pub ttl_left: Option<Duration>,
}

/// The one thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Rest,
    RestFor(Duration),
    /// Queue it, or write that it is not suspended any more.
    Enqueue {
        ahead: usize,
    },
    /// Write that it waits because it is suspended.
    Suspend,
    /// Let it into the queue: the pause before its next attempt is over.
    Admit,
    Reject {
        message: String,
    },
    Fail {
        reason: Reason,
        message: String,
    },
    Cancel,
    StopRun(Stop),
    Delete,
}

/// What a request is told whose deadline has passed.
pub(super) const LATE: &str = "activeDeadlineSeconds have passed since the first start: \
                                create a new request that allows more";

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
        (Stage::Running { .. }, true) if view.running_here => Step::StopRun(Stop::Cancelled),
        (Stage::Running { .. }, false) if view.running_here && view.suspended => {
            Step::StopRun(Stop::Suspended)
        }
        (Stage::New, false) => first_sight(view),
        (Stage::Queued { .. }, false) => waiting(view),
        // The track sees to a run, also when it is gone.
        (Stage::Running { .. }, _) => Step::Rest,
    }
}

fn first_sight(view: &View) -> Step {
    match (&view.impossible, view.policy, &view.busy) {
        (Some((reason, message)), _, _) => Step::Fail { reason: *reason, message: message.clone() },
        (None, ConcurrencyPolicy::Reject, Some(busy)) => Step::Reject { message: busy.clone() },
        _ if view.suspended => Step::Suspend,
        _ => Step::Enqueue { ahead: view.ahead },
    }
}

/// One that waits: the track takes it when it is the head.
fn waiting(view: &View) -> Step {
    match (view.suspended, view.pause_left, view.time_left) {
        (_, _, Some(Duration::ZERO)) => {
            Step::Fail { reason: Reason::DeadlineExceeded, message: LATE.to_owned() }
        }
        (true, ..) if !view.shown_suspended => Step::Suspend,
        (false, ..) if view.shown_suspended => Step::Enqueue { ahead: view.ahead },
        (false, Some(Duration::ZERO), _) => Step::Admit,
        (true, _, None) | (false, None, None) => Step::Rest,
        (true, _, Some(left)) | (false, None, Some(left)) | (false, Some(left), None) => {
            Step::RestFor(left)
        }
        (false, Some(pause), Some(time)) => Step::RestFor(pause.min(time)),
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
            suspended: false,
            shown_suspended: false,
            running_here: false,
            policy: ConcurrencyPolicy::Queue,
            busy: None,
            ahead: 0,
            impossible: None,
            pause_left: None,
            time_left: None,
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
            // Five flags: all that a step of a request without timers depends on.
            for bits in 0..32_u8 {
                let is = |bit: u8| bits & (16 >> bit) != 0;
                let policy = match is(3) {
                    true => ConcurrencyPolicy::Reject,
                    false => ConcurrencyPolicy::Queue,
                };
                let view = View {
                    cancelled: is(0),
                    suspended: is(1),
                    running_here: is(2),
                    policy,
                    busy: is(4).then(|| "busy".to_owned()),
                    ..view(stage.clone())
                };
                let flag = |on, text| if on { text } else { "-" };
                table.push_str(&format!(
                    "{name:<9}{:<7}{:<8}{:<5}{:<8}{:<5}{}\n",
                    flag(is(0), "cancel"),
                    flag(is(1), "suspend"),
                    flag(is(2), "here"),
                    format!("{policy:?}"),
                    flag(is(4), "busy"),
                    short(&plan(&view))
                ));
            }
        }
        assert_eq!(table, include_str!("plan_table.txt"), "\n{table}");
    }

    #[test]
    fn one_that_waits_rests_until_the_first_of_its_timers_and_fails_at_its_deadline() {
        const ZERO: Option<Duration> = Some(Duration::ZERO);
        let seconds = |n| Some(Duration::from_secs(n));
        let after = |pause_left, time_left, suspended, shown_suspended| {
            let waits = view(Stage::Queued { not_before: None });
            plan(&View { suspended, shown_suspended, pause_left, time_left, ..waits })
        };
        let rest = |n| Step::RestFor(Duration::from_secs(n));
        assert_eq!(after(seconds(5), None, false, false), rest(5));
        assert_eq!(after(seconds(5), seconds(3), false, false), rest(3));
        assert_eq!(after(seconds(5), seconds(9), false, false), rest(5));
        assert_eq!(after(ZERO, seconds(9), false, false), Step::Admit);
        assert_eq!(short(&after(seconds(5), ZERO, false, false)), "Fail");
        assert_eq!(short(&after(None, ZERO, true, true)), "Fail");
        assert_eq!(after(ZERO, seconds(3), true, true), rest(3));
        assert_eq!(after(None, None, true, false), Step::Suspend);
        assert_eq!(after(None, None, false, true), Step::Enqueue { ahead: 0 });
        assert_eq!(after(None, None, true, true), Step::Rest);
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
