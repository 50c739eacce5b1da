//! What a request wants, and whether the run of another does that. Pure.

use crate::api::{RepoPattern, RunType};

/// What a request wants to be read, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wants {
    pub namespace: String,
    pub run_type: RunType,
    pub automation: bool,
    pub full: bool,
    pub dry_run: bool,
    /// `None` is all that is tracked.
    pub repositories: Option<Vec<RepoPattern>>,
}

impl Wants {
    /// Whether a run that does what this wants does all that `other` wants. Never across
    /// namespaces.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let options = |it: &Self| (it.run_type, it.automation, it.full, it.dry_run);
        let same = self.namespace == other.namespace && options(self) == options(other);
        let within = match (&self.repositories, &other.repositories) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => {
                theirs.iter().all(|their| ours.iter().any(|our| our.includes(their)))
            }
        };
        same && within
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::reconcile) fn wants(repositories: Option<&[&str]>) -> Wants {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Wants {
            namespace: "ns".into(),
            run_type: RunType::Manual,
            automation: false,
            full: false,
            dry_run: false,
            repositories: repositories.map(patterns),
        }
    }

    #[test]
    fn a_run_answers_those_that_want_no_more_and_nothing_else() {
        let all = wants(None);
        let some = wants(Some(&["acme/a", "other/*"]));
        let rows = [
            (&all, wants(None), true),
            (&all, wants(Some(&["acme/a"])), true),
            (&some, wants(None), false),
            (&some, wants(Some(&["ACME/A"])), true),
            (&some, wants(Some(&["acme/a", "other/x", "other/*"])), true),
            (&some, wants(Some(&["acme/b"])), false),
            (&some, wants(Some(&["acme/*"])), false),
            (&all, Wants { full: true, ..wants(None) }, false),
            (&all, Wants { dry_run: true, ..wants(None) }, false),
            (&all, Wants { run_type: RunType::Scheduled, ..wants(None) }, false),
            (&all, Wants { namespace: "another".into(), ..wants(None) }, false),
        ];
        for (run, request, expected) in rows {
            assert_eq!(run.covers(&request), expected, "{run:?} {request:?}");
        }
    }
}
