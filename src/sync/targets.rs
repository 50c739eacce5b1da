//! Which repositories a request means. Pure.

use std::collections::BTreeSet;

use crate::api::{RepoName, RepoPattern};

/// The repositories that the operator keeps copies of.
#[derive(Clone, Debug, Default)]
pub struct Tracked(BTreeSet<RepoName>);

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
    pub fn new(include: &[RepoName], exclude: &[RepoPattern]) -> Self {
        let excluded = |name: &RepoName| exclude.iter().any(|pattern| pattern.matches(name));
        Self(include.iter().filter(|name| !excluded(name)).cloned().collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The repositories that a request means: all, or those that it names.
    ///
    /// # Errors
    ///
    /// [`NotTracked`] with every name that matches nothing, at most ten of them.
    pub fn resolve(&self, wanted: Option<&[RepoPattern]>) -> Result<Vec<RepoName>, NotTracked> {
        let Some(wanted) = wanted else {
            return Ok(self.0.iter().cloned().collect());
        };
        let mut found = BTreeSet::new();
        let mut missing = Vec::new();
        for pattern in wanted {
            let before = found.len();
            match pattern {
                RepoPattern::One(name) => found.extend(self.0.get(name).cloned()),
                RepoPattern::AllOf(_) => {
                    found.extend(self.0.iter().filter(|name| pattern.matches(name)).cloned());
                }
            }
            if found.len() == before && !found.iter().any(|name| pattern.matches(name)) {
                missing.push(pattern.to_string());
            }
        }
        if missing.is_empty() {
            return Ok(found.into_iter().collect());
        }
        missing.truncate(10);
        Err(NotTracked(missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<RepoName> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn patterns(texts: &[&str]) -> Vec<RepoPattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn tracked() -> Tracked {
        let include = names(&["acme/b", "Acme/A", "acme/a", "other/x", "acme/secret"]);
        Tracked::new(&include, &patterns(&["acme/SECRET"]))
    }

    #[test]
    fn without_names_all_are_meant() {
        assert_eq!(tracked().resolve(None).unwrap(), names(&["acme/a", "acme/b", "other/x"]));
    }

    #[test]
    fn case_does_not_count_and_nothing_is_meant_twice() {
        let wanted = patterns(&["ACME/A", "acme/a", "acme/*"]);
        assert_eq!(tracked().resolve(Some(&wanted)).unwrap(), names(&["acme/a", "acme/b"]));
    }

    #[test]
    fn a_name_that_is_not_tracked_is_named() {
        let wanted = patterns(&["acme/a", "acme/secret", "nobody/*"]);
        let error = tracked().resolve(Some(&wanted)).unwrap_err();
        assert_eq!(error, NotTracked(vec!["acme/secret".into(), "nobody/*".into()]));
    }
}
