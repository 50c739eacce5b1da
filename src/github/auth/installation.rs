//! Where an App's installation is looked up, and how long its tokens are used. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use crate::github::Error;

/// How long before its end a token is not used any more: it must last for the answer.
const SPARE: TimeDelta = TimeDelta::minutes(5);

/// An installation token, as GitHub gives it.
#[derive(Deserialize)]
pub(super) struct Given {
    pub(super) token: SecretString,
    expires_at: DateTime<Utc>,
}

impl Given {
    /// Reads the answer to a minting. An error has nothing of the answer in it.
    pub(super) fn read(body: &[u8], path: &str) -> Result<Self, Error> {
        serde_json::from_slice(body).map_err(|_| Error::Unreadable {
            what: path.to_owned(),
            expected: "a token and its end",
            problem: "one of both is missing or has another form".to_owned(),
        })
    }

    /// Until when it is used: five minutes are spare, or a quarter of a life that is short.
    pub(super) fn use_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let life = (self.expires_at - now).max(TimeDelta::zero());
        self.expires_at - SPARE.min(life / 4)
    }
}

/// The paths that may know the installation of `owner`, in the order in which they are asked.
///
/// The first knows people and organizations, though it is documented for people only. The last,
/// where a repository is asked for, leads to where an owner who was renamed is now.
pub(super) fn lookups(owner: &str, asked: &str) -> Vec<String> {
    let mut paths =
        vec![format!("/users/{owner}/installation"), format!("/orgs/{owner}/installation")];
    paths.extend(
        repository(asked).map(|(owner, name)| format!("/repos/{owner}/{name}/installation")),
    );
    paths
}

/// The id in the answer to a lookup.
pub(super) fn id(body: &[u8], path: &str) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Installation {
        id: u64,
    }
    let read = serde_json::from_slice::<Installation>(body);
    read.map(|installation| installation.id).map_err(|error| Error::Unreadable {
        what: path.to_owned(),
        expected: "an installation",
        problem: error.to_string(),
    })
}

/// The owner and the name of the repository that a path is about, if it names them.
pub(super) fn repository(path: &str) -> Option<(&str, &str)> {
    let path = path.split('?').next()?;
    let mut parts = path.strip_prefix("/repos/")?.split('/');
    Some((parts.next()?, parts.next()?))
        .filter(|(owner, name)| !owner.is_empty() && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        for (life, until) in [(3600, 3300), (1200, 900), (60, 45), (0, 0), (-10, -10)] {
            let given = Given { token: SecretString::from("x"), expires_at: at(life) };
            assert_eq!(given.use_until(at(0)), at(until), "{life}");
        }
    }

    #[test]
    fn an_answer_that_is_no_token_is_not_shown() {
        for bad in [r#"{"token":"ghs_marked"}"#, r#"{"token":"x","expires_at":"ghs_marked"}"#, "["]
        {
            let error = Given::read(bad.as_bytes(), "/app").err().unwrap().to_string();
            assert!(!error.contains("marked"), "{error}");
        }
    }

    #[test]
    fn a_repository_is_asked_last_and_only_where_there_is_one() {
        let with = lookups("acme", "/repos/acme/widgets/issues?state=open");
        assert_eq!(with.last().unwrap(), "/repos/acme/widgets/installation");
        assert_eq!(with.len(), 3);
        for path in ["/repositories/7/issues", "/repos/acme", "/repos//x", "/orgs/acme/repos"] {
            assert_eq!(lookups("acme", path).len(), 2, "{path}");
        }
    }
}
