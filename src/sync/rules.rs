//! What the label rules make of GitHub's labels. Pure.

use serde::{Deserialize, Serialize};

/// The rules as they stand in the configuration.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RulesConfig {
    /// The label that replaces every status label of a closed issue.
    pub closed_status: String,
    /// Stored labels that survive although GitHub does not have them; `*` at the end is a prefix.
    pub keep_labels: Vec<String>,
    /// Issues with one of these labels are not open work.
    pub exclude_labels: Vec<String>,
    /// Whether the labels of closed issues are changed on GitHub too.
    pub write_back: bool,
    /// The status labels that count, without `status/`, the first one first.
    pub statuses: Vec<String>,
}

impl Default for RulesConfig {
    fn default() -> Self {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            closed_status: "status/done".to_owned(),
            keep_labels: own(&["agent/*"]),
            exclude_labels: Vec::new(),
            write_back: false,
            statuses: own(&[
                "backlog",
                "todo",
                "ready",
                "in-progress",
                "in-review",
                "review",
                "blocked",
                "done",
            ]),
        }
    }
}

const STATUS: &str = "status/";
const BACKLOG: &str = "backlog";
const DONE: &str = "done";

/// A change of an issue's labels on GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelChange {
    pub(super) remove: Vec<String>,
    pub(super) add: Option<String>,
}

/// The rules, ready to be used.
#[derive(Clone, Debug, Default)]
pub struct Rules(RulesConfig);

impl From<RulesConfig> for Rules {
    fn from(config: RulesConfig) -> Self {
        Self(config)
    }
}

impl Rules {
    pub fn excluded_labels(&self) -> &[String] {
        &self.0.exclude_labels
    }

    /// The label of a closed issue.
    pub fn closed_status(&self) -> &str {
        &self.0.closed_status
    }

    /// Whether stored labels have a say.
    pub fn keep_any(&self) -> bool {
        !self.0.keep_labels.is_empty()
    }

    /// The labels of an issue, sorted: GitHub's, with every status replaced when it is closed, and
    /// with those stored ones that are to be kept.
    #[must_use]
    pub fn labels(&self, github: &[String], closed: bool, stored: &[String]) -> Vec<String> {
        let mut labels: Vec<String> = github
            .iter()
            .filter(|label| !(closed && label.starts_with(STATUS)))
            .chain(stored.iter().filter(|label| self.keeps(label)))
            .cloned()
            .collect();
        if closed {
            labels.push(self.0.closed_status.clone());
        }
        sorted(labels)
    }

    /// What is to be changed on GitHub, if anything: the status labels of a closed issue.
    #[must_use]
    pub(super) fn to_write_back(&self, github: &[String], closed: bool) -> Option<LabelChange> {
        let done = &self.0.closed_status;
        let is_old = |label: &&String| label.starts_with(STATUS) && *label != done;
        let remove: Vec<String> = github.iter().filter(is_old).cloned().collect();
        let add = (!github.contains(done)).then(|| done.clone());
        let change = LabelChange { remove, add };
        let is_needed = !change.remove.is_empty() || change.add.is_some();
        (self.0.write_back && closed && is_needed).then_some(change)
    }

    /// Stands for these rules: what was made by others must be made anew.
    #[must_use]
    pub(super) fn fingerprint(&self) -> String {
        let RulesConfig { closed_status, keep_labels, statuses, .. } = &self.0;
        // A label may have a comma in it, and is one line.
        let parts = [keep_labels.join("\n"), statuses.join("\n"), closed_status.clone()];
        crate::store::fingerprint(&[&parts[0], &parts[1], &parts[2]])
    }

    /// The status of an issue with these labels. Their order means nothing: of several known ones
    /// the first of the configuration counts.
    #[must_use]
    pub fn status(&self, labels: &[String], closed: bool) -> String {
        if closed {
            return DONE.to_owned();
        }
        let has = |status: &&String| {
            labels.iter().any(|label| label.strip_prefix(STATUS) == Some(status.as_str()))
        };
        self.0.statuses.iter().find(has).map_or_else(|| BACKLOG.to_owned(), Clone::clone)
    }

    fn keeps(&self, label: &str) -> bool {
        self.0.keep_labels.iter().any(|kept| match kept.strip_suffix('*') {
            Some(prefix) => label.starts_with(prefix),
            None => label == kept,
        })
    }
}

/// The labels in the one order in which they are stored, each once.
#[must_use]
pub(super) fn sorted(mut labels: Vec<String>) -> Vec<String> {
    labels.sort_unstable();
    labels.dedup();
    labels
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|label| (*label).to_owned()).collect()
    }

    #[track_caller]
    fn check(github: &[&str], closed: bool, stored: &[&str], labels: &[&str], status: &str) {
        let rules = Rules::default();
        let made = rules.labels(&own(github), closed, &own(stored));
        assert_eq!(made, own(labels));
        assert_eq!(rules.status(&made, closed), status);
    }

    #[test]
    fn a_closed_issue_is_done_and_nothing_else() {
        check(&["status/todo", "bug", "status/x"], true, &[], &["bug", "status/done"], "done");
        check(&["status/done"], true, &[], &["status/done"], "done");
    }

    #[test]
    fn an_open_issue_has_its_first_known_status() {
        check(&["bug"], false, &[], &["bug"], "backlog");
        check(&["status/future"], false, &[], &["status/future"], "backlog");
        let both = ["status/in-progress", "status/todo"];
        check(&both, false, &[], &["status/in-progress", "status/todo"], "todo");
    }

    #[test]
    fn the_rules_are_those_of_the_configuration() {
        let rules = Rules::from(RulesConfig {
            closed_status: "status/shipped".to_owned(),
            exclude_labels: own(&["wontfix"]),
            keep_labels: own(&["pinned"]),
            ..RulesConfig::default()
        });
        assert_eq!(rules.excluded_labels(), ["wontfix"]);
        assert_eq!(rules.closed_status(), "status/shipped");
        assert!(rules.keep_any());
        let stored = own(&["pinned", "pinned/too", "old"]);
        let made = rules.labels(&own(&["bug"]), true, &stored);
        assert_eq!(made, ["bug", "pinned", "status/shipped"]);
        let none = RulesConfig { keep_labels: Vec::new(), ..RulesConfig::default() };
        assert!(!Rules::from(none).keep_any());
    }

    #[test]
    fn what_other_rules_have_made_is_made_anew() {
        let of = |config: RulesConfig| Rules::from(config).fingerprint();
        let usual = RulesConfig::default;
        let kept =
            |keep_labels: &[&str]| of(RulesConfig { keep_labels: own(keep_labels), ..usual() });
        let known = |statuses: &[&str]| of(RulesConfig { statuses: own(statuses), ..usual() });
        let closed = "status/shipped".to_owned();
        let all = [
            of(usual()),
            of(RulesConfig { closed_status: closed, ..usual() }),
            kept(&["a,b"]),
            kept(&["a", "b"]),
            known(&["a", "b"]),
            known(&["b", "a"]),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        let excluding = RulesConfig { exclude_labels: own(&["wontfix"]), ..usual() };
        assert_eq!(of(excluding), of(usual()), "what is excluded is stored all the same");
    }

    #[test]
    fn only_what_differs_is_written_back_and_only_if_the_rules_say_so() {
        let change = |write_back, github: &[&str], closed| {
            let rules = Rules(RulesConfig { write_back, ..RulesConfig::default() });
            rules.to_write_back(&own(github), closed)
        };
        let expected = |remove: &[&str], add: bool| {
            let add = add.then(|| "status/done".to_owned());
            Some(LabelChange { remove: own(remove), add })
        };
        let both = expected(&["status/todo", "status/x"], true);
        assert_eq!(change(true, &["status/todo", "bug", "status/x"], true), both);
        assert_eq!(
            change(true, &["status/todo", "status/done"], true),
            expected(&["status/todo"], false)
        );
        assert_eq!(change(true, &["bug"], true), expected(&[], true));
        assert_eq!(change(true, &["status/done"], true), None);
        assert_eq!(change(true, &["status/todo"], false), None);
        assert_eq!(change(false, &["status/todo"], true), None);
    }

    #[test]
    fn only_labels_that_are_to_be_kept_survive() {
        check(&["bug"], false, &["agent/claimed", "old"], &["agent/claimed", "bug"], "backlog");
        check(&["agent/a"], true, &["agent/a"], &["agent/a", "status/done"], "done");
    }

    fn some_labels() -> impl Strategy<Value = Vec<String>> {
        const NAMES: [&str; 8] =
            ["status/done", "status/todo", "status/x", "status/", "agent/a", "agent/", "b", ""];
        prop::collection::vec(prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 0..6)
    }

    proptest! {
        #[test]
        fn the_order_of_labels_means_nothing_and_the_rules_may_be_applied_twice(
            github in some_labels(),
            stored in some_labels(),
            closed: bool,
        ) {
            let rules = Rules::default();
            let made = rules.labels(&github, closed, &stored);
            let turned = |labels: &[String]| labels.iter().rev().cloned().collect::<Vec<_>>();
            prop_assert_eq!(&made, &rules.labels(&turned(&github), closed, &turned(&stored)));
            let status = rules.status(&made, closed);
            prop_assert_eq!(&status, &rules.status(&turned(&made), closed));
            prop_assert_eq!(&made, &rules.labels(&github, closed, &made), "stored once");
            prop_assert_eq!(&made, &rules.labels(&made, closed, &stored), "written back once");
            prop_assert_eq!(&made, &sorted(made.clone()));
            let kept = |label: &&String| label.starts_with("agent/");
            prop_assert!(stored.iter().filter(kept).all(|label| made.contains(label)));
            if closed {
                prop_assert_eq!(status, "done");
                let statuses: Vec<_> = made.iter().filter(|it| it.starts_with(STATUS)).collect();
                prop_assert_eq!(statuses, ["status/done"]);
            } else {
                prop_assert!(github.iter().all(|label| made.contains(label)));
            }
        }
    }
}
