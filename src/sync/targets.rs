//! Which repositories a request means. Pure.

use std::collections::BTreeSet;

use crate::api::{RepoName, RepoPattern};
use crate::github::model::Repository;

/// The repositories that the operator keeps copies of: those that are named, and those that are
/// found with an owner.
#[derive(Clone, Debug, Default)]
pub struct Tracked {
    names: BTreeSet<RepoName>,
    /// Owners, in lower case, whose repositories are found by listing.
    owners: BTreeSet<String>,
    exclude: Vec<RepoPattern>,
    /// Whether archived ones that are found count.
    archived: bool,
    /// Whether forks that are found count.
    forks: bool,
}

/// What a request means: some names, and some owners whose repositories are still to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub names: BTreeSet<RepoName>,
    pub owners: BTreeSet<String>,
    /// Whether this is all that is tracked.
    pub all: bool,
}

/// A request names repositories that are not tracked. It says the same for one that is private and
/// one that does not exist.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
#[error(
    "not tracked by this operator: {}; add it to repositories.include in the operator's \
     configuration",
    .0.join(", ")
)]
pub struct NotTracked(Vec<String>);

impl Tracked {
    /// All of `include` without what `exclude` matches; names that differ by case only count once.
    pub fn new(include: &[RepoPattern], exclude: &[RepoPattern]) -> Self {
        let mut tracked = Self { exclude: exclude.to_vec(), ..Self::default() };
        for pattern in include {
            match pattern {
                RepoPattern::One(name) if tracked.excludes(name) => {}
                RepoPattern::One(name) => {
                    tracked.names.insert(name.clone());
                }
                RepoPattern::AllOf(owner) => {
                    tracked.owners.insert(owner.to_ascii_lowercase());
                }
            }
        }
        tracked
    }

    /// What of an owner's repositories counts besides the usual ones.
    #[must_use]
    pub fn with(self, archived: bool, forks: bool) -> Self {
        Self { archived, forks, ..self }
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.owners.is_empty()
    }

    /// Whether a repository of this name is tracked, if there is one.
    pub fn contains(&self, name: &RepoName) -> bool {
        let found = || self.owners.contains(&name.owner().to_ascii_lowercase());
        !self.excludes(name) && (self.names.contains(name) || found())
    }

    /// Whether a repository that was found with its owner is tracked.
    pub(super) fn admits(&self, name: &RepoName, found: &Repository) -> bool {
        let fits = (self.archived || found.archived != Some(true))
            && (self.forks || found.fork != Some(true));
        self.contains(name) && (fits || self.names.contains(name))
    }

    /// The repositories that a request means: all, or those that it names.
    ///
    /// # Errors
    ///
    /// [`NotTracked`] with every name that matches nothing, at most ten of them.
    pub fn resolve(&self, wanted: Option<&[RepoPattern]>) -> Result<Wanted, NotTracked> {
        let Some(wanted) = wanted else {
            let (names, owners) = (self.names.clone(), self.owners.clone());
            return Ok(Wanted { names, owners, all: true });
        };
        let mut found = Wanted::default();
        let mut missing = Vec::new();
        for pattern in wanted {
            if !self.add(pattern, &mut found) {
                missing.push(pattern.to_string());
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        missing.truncate(10);
        Err(NotTracked(missing))
    }

    /// Adds what the pattern means. Whether it means anything.
    fn add(&self, pattern: &RepoPattern, to: &mut Wanted) -> bool {
        match pattern {
            RepoPattern::One(name) if self.contains(name) => {
                // As the configuration spells it, so that a run does not depend on who asks.
                to.names.insert(self.names.get(name).unwrap_or(name).clone());
                true
            }
            RepoPattern::One(_) => false,
            RepoPattern::AllOf(owner) => {
                let owner = owner.to_ascii_lowercase();
                let named = self.names.iter().filter(|name| pattern.matches(name));
                let before = to.names.len();
                to.names.extend(named.cloned());
                let listed = self.owners.contains(&owner) && {
                    to.owners.insert(owner);
                    true
                };
                listed || to.names.len() > before || to.names.iter().any(|n| pattern.matches(n))
            }
        }
    }

    fn excludes(&self, name: &RepoName) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> BTreeSet<RepoName> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn patterns(texts: &[&str]) -> Vec<RepoPattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn tracked() -> Tracked {
        let include = ["acme/b", "Acme/A", "acme/a", "other/x", "acme/secret", "Found/*"];
        Tracked::new(&patterns(&include), &patterns(&["acme/SECRET", "found/hidden"]))
    }

    #[test]
    fn without_names_all_are_meant() {
        let all = tracked().resolve(None).unwrap();
        assert_eq!(all.names, names(&["acme/a", "acme/b", "other/x"]));
        assert_eq!(all.owners, BTreeSet::from(["found".to_owned()]));
        assert!(all.all);
    }

    #[test]
    fn case_does_not_count_and_nothing_is_meant_twice() {
        let wanted = patterns(&["ACME/A", "acme/a", "acme/*"]);
        let some = tracked().resolve(Some(&wanted)).unwrap();
        assert_eq!(some.names, names(&["acme/a", "acme/b"]));
        assert!(some.owners.is_empty() && !some.all);
    }

    #[test]
    fn of_an_owner_that_is_listed_any_name_may_be_asked_for_but_those_excluded() {
        let some = tracked().resolve(Some(&patterns(&["found/any"]))).unwrap();
        assert_eq!((some.names, some.owners.len()), (names(&["found/any"]), 0));
        let all = tracked().resolve(Some(&patterns(&["FOUND/*"]))).unwrap();
        assert_eq!(all.owners, BTreeSet::from(["found".to_owned()]));
        assert!(tracked().resolve(Some(&patterns(&["found/hidden"]))).is_err());
    }

    #[test]
    fn a_name_that_is_not_tracked_is_named() {
        let wanted = patterns(&["acme/a", "acme/secret", "nobody/*"]);
        let error = tracked().resolve(Some(&wanted)).unwrap_err();
        assert_eq!(error, NotTracked(vec!["acme/secret".into(), "nobody/*".into()]));
    }

    #[test]
    fn archived_repositories_and_forks_are_found_only_when_they_are_asked_for() {
        let found = |archived: bool, fork: bool| -> Repository {
            let text = format!(
                r#"{{"id":1,"name":"x","full_name":"found/x","archived":{archived},"fork":{fork}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let name = "found/x".parse().unwrap();
        let rows = [(false, false), (true, false), (false, true), (true, true)];
        let admitted = |tracked: &Tracked| rows.map(|(a, f)| tracked.admits(&name, &found(a, f)));
        assert_eq!(admitted(&tracked()), [true, false, false, false]);
        assert_eq!(admitted(&tracked().with(true, false)), [true, true, false, false]);
        assert_eq!(admitted(&tracked().with(false, true)), [true, false, true, false]);
        let named = Tracked::new(&patterns(&["found/x", "found/*"]), &[]);
        assert_eq!(admitted(&named), [true, true, true, true]);
    }
}
