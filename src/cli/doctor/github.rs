//! GitHub: whether it answers, what the token may do, and how much is left of its quota.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::time::timeout;

use super::check::Check;
use crate::github::{Answer, Body, Error, Source};
use crate::process::clock::Clock;
use crate::reconcile::Settings;

/// After so long GitHub counts as not answering.
const PATIENCE: Duration = Duration::from_secs(20);

/// Gives how far our clock is ahead of GitHub's.
pub(super) async fn look(
    settings: &Settings,
    clock: &Clock,
    checks: &mut Vec<Check>,
) -> Option<TimeDelta> {
    let source = match source(settings, clock) {
        Ok(source) => source,
        Err(error) => {
            checks.push(Check::fail("token", error.to_string()));
            checks.extend(["github", "repository"].map(|name| Check::skip(name, "no token")));
            return None;
        }
    };
    checks.push(Check::ok("token", "there is one"));
    let quota = probe(&source, "/rate_limit").await;
    let ahead = quota.as_ref().ok().map(|answer| clock.now() - answer.date);
    match quota {
        Ok(answer) => {
            let said = format!("{} answers; {}", settings.github.base, left(&answer));
            checks.push(Check::ok("github", said));
        }
        // An Enterprise Server without limits has no such page.
        Err(Error::NotFound { .. }) => {
            checks
                .push(Check::ok("github", format!("{} answers; no limits", settings.github.base)));
        }
        Err(error) => {
            let next = match error {
                Error::Unauthorized { .. } => "",
                _ => "; look at github.apiUrl and at the way there (DNS, egress, proxy)",
            };
            checks.push(Check::fail("github", format!("{}: {error}{next}", settings.github.base)));
            checks.push(Check::skip("repository", "GitHub does not answer"));
            return None;
        }
    }
    checks.push(repository(settings, &source).await);
    ahead
}

fn source(settings: &Settings, clock: &Clock) -> Result<Source, Error> {
    let source = Source::connect(&settings.github, clock.clone())?;
    // An App has a token for each owner: here it is the first one's.
    let wanted = settings.tracked.resolve(None).unwrap_or_default();
    let first = wanted.names.first().map(|name| name.owner().to_owned());
    let owner = first.or_else(|| wanted.owners.first().cloned());
    Ok(owner.map_or_else(|| source.clone(), |owner| source.for_owner(&owner)))
}

async fn probe(source: &Source, path: &str) -> Result<Answer, Error> {
    let late = |_| {
        let last = format!("no answer within {PATIENCE:?}");
        Err(Error::Ill { what: path.to_owned(), tries: 1, last, status: None })
    };
    timeout(PATIENCE, source.probe(path)).await.unwrap_or_else(late)
}

/// Looks at the first repository and at the first of its issues, which need different rights.
async fn repository(settings: &Settings, source: &Source) -> Check {
    let tracked = settings.tracked.resolve(None).unwrap_or_default();
    let Some(name) = tracked.names.first() else {
        if let Some(owner) = tracked.owners.first() {
            let why = format!("those of {owner}/* are found when a run begins");
            return Check::skip("repository", &why);
        }
        let next = "name repositories with --track owner/name, or in repositories.include";
        return Check::fail("repository", format!("nothing is tracked: {next}"));
    };
    let of = tracked.names.len();
    for path in [format!("/repos/{name}"), format!("/repos/{name}/issues?state=all&per_page=1")] {
        match probe(source, &path).await {
            // Issues are switched off there, which is no fault.
            Ok(_) | Err(Error::Gone { .. }) => {}
            Err(error @ Error::NotFound { .. }) => {
                let next = "correct its name, or give the token access to it";
                return Check::fail("repository", format!("{error}: {next}"));
            }
            Err(error) => return Check::fail("repository", error.to_string()),
        }
    }
    Check::ok("repository", format!("{name} can be read, the first of {of} that are tracked"))
}

/// What is left of the quota, as the answer says.
fn left(answer: &Answer) -> String {
    let Body::Json(json) = &answer.body else { return String::new() };
    let json: Value = serde_json::from_slice(json).unwrap_or_default();
    let core = &json["resources"]["core"];
    let (Some(left), Some(limit)) = (core["remaining"].as_i64(), core["limit"].as_i64()) else {
        return "it does not tell what is left of the quota".to_owned();
    };
    let at = core["reset"].as_i64().and_then(|at| DateTime::<Utc>::from_timestamp(at, 0));
    let at = at.map(|at| format!(" until {}", at.format("%TZ"))).unwrap_or_default();
    format!("{left} of {limit} requests are left{at}")
}
