//! What a run has achieved, from what came of its repositories. Pure.

use super::run::Achieved;
use crate::api::{ApiUse, Phase, Reason, RepositoryPhase, RunResult, cut};
use crate::store::{Counts, RepositoryRecord, RunState};

/// How a run ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    pub phase: Phase,
    pub reason: Reason,
    pub message: String,
    pub result: RunResult,
    /// Whether another attempt may do better.
    pub retry: bool,
}

/// Reasons of a repository's failure that time does not mend.
const LASTING: [&str; 5] =
    ["NotFound", "Unauthorized", "MissingToken", "NotTracked", "NotInstalled"];

impl Conclusion {
    /// The end of a run that could not begin, or was refused by GitHub as a whole.
    #[must_use]
    pub fn failed(reason: Reason, message: &str, api: ApiUse) -> Self {
        let result = RunResult { api, ..RunResult::default() };
        let retry = !LASTING.contains(&reason.as_str());
        Self { phase: Phase::Failed, reason, message: cut(message).to_owned(), result, retry }
    }

    /// How the history calls it.
    pub fn state(&self) -> RunState {
        match self.phase {
            Phase::Succeeded => RunState::Succeeded,
            Phase::PartiallySucceeded => RunState::Partial,
            Phase::Cancelled => RunState::Cancelled,
            Phase::Pending | Phase::Queued | Phase::Running => RunState::Interrupted,
            Phase::Failed | Phase::Rejected => RunState::Failed,
        }
    }
}

/// Says how a run ends that has read these repositories. Never a success with an error inside.
#[must_use]
pub fn conclude(achieved: &Achieved, api: ApiUse) -> Conclusion {
    let records = &achieved.records;
    let mut counts = Counts::default();
    for of_one in
        records.iter().map(|it| it.counts).chain(achieved.owners.iter().map(|it| it.counts))
    {
        counts += of_one;
    }
    let bad: Vec<_> = records.iter().filter(|r| r.phase != RepositoryPhase::Succeeded).collect();
    let failed = records.iter().filter(|r| r.phase == RepositoryPhase::Failed).count();
    let (phase, reason) = if !records.is_empty() && failed == records.len() {
        (Phase::Failed, Reason::AllRepositoriesFailed)
    } else if !bad.is_empty() {
        (Phase::PartiallySucceeded, Reason::SomeRepositoriesFailed)
    } else if counts.quarantined > 0 {
        (Phase::PartiallySucceeded, Reason::ItemsSetAside)
    } else {
        (Phase::Succeeded, Reason::Completed)
    };
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let result = RunResult {
        repositories: count(records.len()),
        failed: count(failed),
        created: counts.created,
        updated: counts.updated,
        removed: counts.removed,
        unchanged: counts.unchanged,
        changed: counts.created + counts.updated + counts.removed,
        quarantined: counts.quarantined,
        api,
    };
    let message = cut(&message(achieved, &bad, &counts)).to_owned();
    let lasts = |record: &&RepositoryRecord| {
        record.reason.as_deref().is_some_and(|reason| LASTING.contains(&reason))
    };
    let retry = phase == Phase::Failed && !bad.iter().all(lasts);
    Conclusion { phase, reason, message, result, retry }
}

fn message(achieved: &Achieved, bad: &[&RepositoryRecord], counts: &Counts) -> String {
    let all = achieved.records.len();
    let mut text = format!(
        "{all} {}: {} created, {} updated, {} removed, {} unchanged",
        if all == 1 { "repository" } else { "repositories" },
        counts.created,
        counts.updated,
        counts.removed,
        counts.unchanged
    );
    match counts.quarantined {
        0 => {}
        1 => text.push_str("; 1 item was set aside (see the table sync_quarantine)"),
        n => text += &format!("; {n} items were set aside (see the table sync_quarantine)"),
    }
    if let Some(first) = bad.first() {
        let why = first.error.as_deref().unwrap_or("no reason is known");
        text += &format!("; {} of {all} not read: {}: {why}", bad.len(), first.name);
    }
    let truncated: Vec<_> = achieved.records.iter().filter(|record| record.truncated).collect();
    if let Some(first) = truncated.first() {
        let (count, name) = (truncated.len(), &first.name);
        text += &format!(
            "; {count} truncated: {name} has more than the limits let through (see complete_since \
             in the view data_freshness)"
        );
    }
    for owner in &achieved.owners {
        if let Some(why) = &owner.refused {
            text += &format!("; no packages of {}: {why}", owner.owner);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::automation::OwnerRecord;
    use super::*;

    fn record(phase: RepositoryPhase, quarantined: i64) -> RepositoryRecord {
        RepositoryRecord {
            name: "acme/widgets".into(),
            repository_id: Some(1),
            phase,
            reason: None,
            error: (phase != RepositoryPhase::Succeeded).then(|| "no".to_owned()),
            pages: 1,
            counts: Counts { created: 2, quarantined, ..Counts::default() },
            complete: true,
            truncated: false,
            started_at: DateTime::UNIX_EPOCH,
            completed_at: DateTime::UNIX_EPOCH,
        }
    }

    fn of(records: &[RepositoryRecord]) -> Achieved {
        Achieved { records: records.to_vec(), ..Achieved::default() }
    }

    #[test]
    fn a_success_has_no_error_inside() {
        use RepositoryPhase::{Failed, Succeeded, Suspect};
        let rows = [
            (vec![record(Succeeded, 0)], Phase::Succeeded, Reason::Completed),
            (vec![], Phase::Succeeded, Reason::Completed),
            (vec![record(Succeeded, 1)], Phase::PartiallySucceeded, Reason::ItemsSetAside),
            (
                vec![record(Succeeded, 1), record(Failed, 0)],
                Phase::PartiallySucceeded,
                Reason::SomeRepositoriesFailed,
            ),
            (vec![record(Suspect, 0)], Phase::PartiallySucceeded, Reason::SomeRepositoriesFailed),
            (vec![record(Failed, 0)], Phase::Failed, Reason::AllRepositoriesFailed),
        ];
        for (records, phase, reason) in rows {
            let conclusion = conclude(&of(&records), ApiUse::default());
            assert_eq!((conclusion.phase, conclusion.reason), (phase, reason), "{records:?}");
        }
    }

    #[test]
    fn another_attempt_is_made_only_where_time_may_mend_something() {
        let failed = |reason: &str| RepositoryRecord {
            reason: Some(reason.to_owned()),
            ..record(RepositoryPhase::Failed, 0)
        };
        let retry = |records: &[RepositoryRecord]| conclude(&of(records), ApiUse::default()).retry;
        assert!(retry(&[failed("GitHubUnavailable")]));
        assert!(retry(&[failed("NotFound"), failed("GitHubUnavailable")]));
        assert!(!retry(&[failed("NotFound"), failed("NotFound")]));
        assert!(!retry(&[record(RepositoryPhase::Succeeded, 0), failed("GitHubUnavailable")]));
        assert!(!Conclusion::failed(Reason::Unauthorized, "", ApiUse::default()).retry);
    }

    #[test]
    fn the_message_names_the_first_failure_and_what_was_set_aside() {
        let records = [record(RepositoryPhase::Failed, 0), record(RepositoryPhase::Succeeded, 1)];
        let message = conclude(&of(&records), ApiUse::default()).message;
        assert!(message.contains("1 of 2 not read: acme/widgets: no"), "{message}");
        assert!(message.contains("1 item was set aside"), "{message}");
    }

    #[test]
    fn what_was_left_out_is_said() {
        let records =
            [RepositoryRecord { truncated: true, ..record(RepositoryPhase::Succeeded, 0) }];
        let refused = OwnerRecord {
            owner: "acme".into(),
            counts: Counts { created: 5, ..Counts::default() },
            refused: Some("the token may not read /orgs/acme/packages".into()),
        };
        let achieved = Achieved { owners: vec![refused], ..of(&records) };
        let conclusion = conclude(&achieved, ApiUse::default());
        let Conclusion { phase, message, result, .. } = conclusion;
        assert_eq!((phase, result.created), (Phase::Succeeded, 7));
        assert!(message.contains("1 truncated: acme/widgets has more"), "{message}");
        assert!(message.contains("no packages of acme: the token may not read"), "{message}");
    }
}
