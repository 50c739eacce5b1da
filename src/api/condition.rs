//! Conditions, right for `kubectl wait` and kstatus: all computed from the phase. Pure.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Micros, Phase, Reason};

/// One condition of a request, as the Kubernetes API conventions have it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Finished, Ready, Reconciling, Stalled, Suspended or RateLimited.
    #[serde(rename = "type")]
    #[schemars(length(max = 64))]
    pub type_: String,
    /// True, False or Unknown.
    #[schemars(length(max = 16))]
    pub status: String,
    /// One word that says why.
    #[schemars(length(max = 128))]
    pub reason: String,
    /// A sentence for people.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// When the status last changed.
    #[serde(deserialize_with = "super::time::read")]
    pub last_transition_time: DateTime<Utc>,
    /// The generation of the spec that this was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What the conditions are computed from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub phase: Phase,
    pub reason: Reason,
    pub message: &'a str,
    pub suspended: bool,
    /// Until when GitHub's limit makes the run wait, if it does.
    pub rate_limited_until: Option<Micros>,
    pub generation: Option<i64>,
    pub now: DateTime<Utc>,
}

/// The conditions that belong to these facts. A condition whose status is as `before` keeps its
/// transition time.
#[must_use]
pub fn conditions(facts: &Facts<'_>, before: &[Condition]) -> Vec<Condition> {
    let phase = facts.phase;
    let ended = phase.is_terminal();
    let limited = facts.rate_limited_until.filter(|_| !ended);
    let rows = [
        ("Finished", ended),
        ("Ready", phase == Phase::Succeeded),
        ("Reconciling", !ended),
        ("Stalled", ended && phase != Phase::Succeeded),
        ("Suspended", facts.suspended && !ended),
        ("RateLimited", limited.is_some()),
    ];
    let time = |name: &str, status: &str| {
        before
            .iter()
            .find(|old| old.type_ == name && old.status == status)
            .map_or(facts.now, |old| old.last_transition_time)
    };
    rows.into_iter()
        .map(|(name, holds)| {
            let status = if holds { "True" } else { "False" };
            let message = match (name, limited) {
                ("RateLimited", Some(until)) => format!("waits for GitHub's limit until {until}"),
                _ => facts.message.to_owned(),
            };
            Condition {
                type_: name.to_owned(),
                status: status.to_owned(),
                reason: facts.reason.as_str().to_owned(),
                message,
                last_transition_time: time(name, status),
                observed_generation: facts.generation,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(phase: Phase) -> String {
        let facts = Facts {
            phase,
            reason: Reason::Queued,
            message: "m",
            suspended: false,
            rate_limited_until: None,
            generation: Some(1),
            now: DateTime::UNIX_EPOCH,
        };
        let of = conditions(&facts, &[]);
        let holding = of.iter().filter(|c| c.status == "True").map(|c| c.type_.as_str());
        holding.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_a_success_is_ready_and_only_an_end_is_finished() {
        for phase in [Phase::Pending, Phase::Queued, Phase::Running] {
            assert_eq!(table(phase), "Reconciling");
        }
        assert_eq!(table(Phase::Succeeded), "Finished Ready");
        for phase in [Phase::PartiallySucceeded, Phase::Failed, Phase::Rejected, Phase::Cancelled] {
            assert_eq!(table(phase), "Finished Stalled");
        }
    }
}
