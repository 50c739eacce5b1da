//! Names with a form: `owner/name`, and the pattern `owner/*` that stands for all of an owner's.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest owner and the longest name that GitHub allows.
const OWNER_MAX: usize = 39;
const NAME_MAX: usize = 100;

/// A text that is no `owner/name`.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[error("{0:?} is not a repository: write owner/name, or owner/* for all of an owner's")]
pub struct BadRepoName(String);

/// The full name of a repository, `owner/name`. Names that differ by case only are equal.
///
/// A value of this type is always well formed: two path segments of `[A-Za-z0-9._-]`, neither of
/// them `.` or `..`, so it can stand in a URL as it is and no caller checks it again.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    full: String,
    slash: usize,
}

impl RepoName {
    pub fn as_str(&self) -> &str {
        &self.full
    }

    pub fn owner(&self) -> &str {
        &self.full[..self.slash]
    }

    pub fn name(&self) -> &str {
        &self.full[self.slash + 1..]
    }

    /// The same for all spellings of one repository.
    pub fn key(&self) -> String {
        self.full.to_ascii_lowercase()
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.full.eq_ignore_ascii_case(&other.full)
    }
}

impl Eq for RepoName {}

impl Hash for RepoName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for RepoName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RepoName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl FromStr for RepoName {
    type Err = BadRepoName;

    fn from_str(text: &str) -> Result<Self, BadRepoName> {
        match text.split_once('/') {
            Some((owner, name)) if is_part(owner, OWNER_MAX) && is_part(name, NAME_MAX) => {
                Ok(Self { slash: owner.len(), full: text.to_owned() })
            }
            _ => Err(BadRepoName(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RepoName {
    type Error = BadRepoName;

    fn try_from(text: String) -> Result<Self, BadRepoName> {
        text.parse()
    }
}

impl From<RepoName> for String {
    fn from(name: RepoName) -> Self {
        name.full
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// One repository, or all of an owner's.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(try_from = "String", into = "String")]
pub enum RepoPattern {
    One(RepoName),
    AllOf(String),
}

impl RepoPattern {
    /// Whether this stands for all that `other` stands for; case does not count.
    pub fn includes(&self, other: &Self) -> bool {
        match other {
            Self::One(name) => self.matches(name),
            Self::AllOf(theirs) => {
                matches!(self, Self::AllOf(owner) if owner.eq_ignore_ascii_case(theirs))
            }
        }
    }

    /// Whether `name` is what this pattern stands for; case does not count.
    pub fn matches(&self, name: &RepoName) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::AllOf(owner) => owner.eq_ignore_ascii_case(name.owner()),
        }
    }
}

impl FromStr for RepoPattern {
    type Err = BadRepoName;

    fn from_str(text: &str) -> Result<Self, BadRepoName> {
        match text.strip_suffix("/*") {
            Some(owner) if is_part(owner, OWNER_MAX) => Ok(Self::AllOf(owner.to_owned())),
            Some(_) => Err(BadRepoName(text.to_owned())),
            None => text.parse().map(Self::One),
        }
    }
}

impl TryFrom<String> for RepoPattern {
    type Error = BadRepoName;

    fn try_from(text: String) -> Result<Self, BadRepoName> {
        text.parse()
    }
}

impl From<RepoPattern> for String {
    fn from(pattern: RepoPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for RepoPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(name) => name.fmt(f),
            Self::AllOf(owner) => write!(f, "{owner}/*"),
        }
    }
}

impl JsonSchema for RepoPattern {
    fn schema_name() -> Cow<'static, str> {
        "RepoPattern".into()
    }

    /// The same rule as [`FromStr`], in the words of a schema.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A part is as long as `is_part` allows: whatever is stored can be read again.
        const LETTER: &str = "[A-Za-z0-9._-]";
        const FIRST: &str = "[A-Za-z0-9_-]";
        let part = |longest: usize| {
            let rest = |taken: usize| format!("{LETTER}{{0,{}}}", longest - taken);
            format!(r"({FIRST}{}|\.{FIRST}{}|\.\.{LETTER}{})", rest(1), rest(2), rest(3))
        };
        let (owner, name) = (part(OWNER_MAX), part(NAME_MAX));
        json_schema!({
            "type": "string",
            "maxLength": OWNER_MAX + 1 + NAME_MAX,
            // A rule and not a pattern: the refusal of a pattern shows the pattern.
            "x-kubernetes-validations": [{
                "rule": format!("self.matches(r'^{owner}/(\\*|{name})$')"),
                "message": "must be owner/name, or owner/* for all of an owner's, of letters, digits, '.', '_' and '-'",
            }],
        })
    }
}

fn is_part(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_two_plain_segments() {
        for good in ["acme/widgets", "a/b.c", "A-1/_", "a/.github", "a/...", "a/..b"] {
            assert_eq!(good.parse::<RepoName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "acme",
            "acme/",
            "/widgets",
            "a/b/c",
            "a/..",
            "./b",
            "a/%2e%2e",
            "a b/c",
            "a/b?x=1",
            "a/b#",
            "a\\b/c",
            "a/b\r\n",
            "a/b\0",
            "a/\u{ff0e}",
        ] {
            assert_eq!(bad.parse::<RepoName>(), Err(BadRepoName(bad.to_owned())), "{bad:?}");
        }
        assert!(format!("a/{}", "b".repeat(101)).parse::<RepoName>().is_err());
    }

    #[test]
    fn case_does_not_count() {
        let name: RepoName = "Acme/Widgets".parse().unwrap();
        assert_eq!(name, "acme/widgets".parse().unwrap());
        assert!("acme/*".parse::<RepoPattern>().unwrap().matches(&name));
        assert!("ACME/widgets".parse::<RepoPattern>().unwrap().matches(&name));
        assert!(!"acme/other".parse::<RepoPattern>().unwrap().matches(&name));
    }
}
