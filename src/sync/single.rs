//! Issues that are asked for one by one, because no list tells of them.

use super::guard::is_suspect;
use super::issues::Met;
use super::pass::Tally;
use super::put::put;
use super::run::Failure;
use super::subject::Subject;
use super::write_back::{changes, write_back};
use crate::api::RepoName;
use crate::github::model::{Issue, Repository};
use crate::github::{self, Body, decode_one};
use crate::store::{Reached, Removal, Removed, SeenPage, SetAside};

/// The cursors' name of what is asked for one by one.
const RESOURCE: &str = "issues.single";

/// How many items of the quarantine are asked for again in one run.
const MOST_HEALED: usize = 100;

/// What GitHub says of one issue.
enum Said {
    /// It is here.
    Here(Box<Issue>, SeenPage),
    /// It is as it was when its ETag was given.
    Unchanged,
    /// It cannot be decoded.
    Bad(SetAside),
    /// It is gone for good, or it is elsewhere.
    Gone(Removed),
    /// 404: gone, or the token may not see it.
    NotFound,
}

/// Asks for items that were set aside before and are in no list of this run: a newer version may
/// understand them, or they have changed.
pub(super) async fn heal(
    subject: &Subject<'_>,
    met: &mut Met,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let keys = subject.run.store.set_aside(subject.id, "issues").await?;
    let numbers = keys.iter().filter_map(|key| key.parse::<i64>().ok());
    let numbers: Vec<i64> = numbers.filter(|number| !met.contains_key(number)).collect();
    for number in numbers.into_iter().take(MOST_HEALED) {
        match ask(subject, number, false).await? {
            // Whether a row that is there must go is found out with the others that are missing.
            Said::NotFound => continue,
            Said::Gone(why) => remove(subject, tally, &[(number, why)]).await?,
            said => keep(subject, said, tally).await?,
        }
        met.insert(number, None);
    }
    Ok(())
}

/// Asks for each open issue that is in neither list: it has moved while pages were read, or it is
/// gone.
///
/// # Errors
///
/// [`Failure::Suspect`] when too many answer with 404; nothing is removed for a 404 then.
pub(super) async fn find_missing(
    subject: &Subject<'_>,
    met: &mut Met,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let run = subject.run;
    let numbers: Vec<i64> = met.keys().copied().collect();
    let missing = run.store.missing(subject.id, &numbers).await?;
    let mut vanished = Vec::new();
    for number in missing.numbers {
        match ask(subject, number, false).await? {
            Said::NotFound => vanished.push((number, Removed::Deleted)),
            // 410 and an answer from elsewhere are proof.
            Said::Gone(why) => remove(subject, tally, &[(number, why)]).await?,
            said => keep(subject, said, tally).await?,
        }
        if !run.full && is_suspect(vanished.len(), missing.open) {
            return Err(Failure::Suspect { vanished: vanished.len(), open: missing.open });
        }
    }
    if vanished.is_empty() {
        return Ok(());
    }
    // A repository that is not there itself has lost no issue.
    let path = format!("/repos/{}", subject.name);
    run.until_stopped(subject.source.get(&path, None)).await??;
    remove(subject, tally, &vanished).await
}

/// Sets right from GitHub's state what was stored with labels that do not fit it.
pub(super) async fn reconcile(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let run = subject.run;
    for (number, closed) in run.store.unfit(subject.id, run.rules.closed_status()).await? {
        // An open issue may well be labelled as done; a closed row that does not fit is our fault.
        match ask(subject, number, closed).await? {
            // Whether it is gone is for the lists to find out.
            Said::NotFound | Said::Gone(_) => {}
            said => keep(subject, said, tally).await?,
        }
    }
    Ok(())
}

/// Asks for one issue; `anew` also when nothing has changed.
async fn ask(subject: &Subject<'_>, number: i64, anew: bool) -> Result<Said, Failure> {
    let (run, source) = (subject.run, &subject.source);
    let path = format!("/repos/{}/issues/{number}", subject.name);
    let url = source.url(&path);
    let seen = match anew {
        true => None,
        false => run.remembered(&url, &subject.identity).await?,
    };
    let etag = seen.as_ref().map(|seen| seen.etag.as_str());
    let answer = match run.until_stopped(source.get(&path, etag)).await? {
        Err(github::Error::NotFound { .. }) => return Ok(Said::NotFound),
        Err(github::Error::Gone { .. }) => return Ok(Said::Gone(Removed::Deleted)),
        other => other?,
    };
    let Body::Json(body) = answer.body else { return Ok(Said::Unchanged) };
    let decoded = std::str::from_utf8(&body)
        .map_err(|error| error.to_string())
        .and_then(|text| decode_one(text, &mut 0));
    let issue: Issue = match decoded {
        Ok(issue) => issue,
        Err(error) => {
            let (item_key, raw) = (Some(number.to_string()), String::from_utf8_lossy(&body));
            return Ok(Said::Bad(SetAside { item_key, error, raw: raw.into_owned() }));
        }
    };
    if let Some(elsewhere) = moved_to(subject, number, &issue).await? {
        return Ok(Said::Gone(Removed::Transferred(elsewhere)));
    }
    let seen = SeenPage {
        url,
        identity: subject.identity.clone(),
        etag: answer.etag.unwrap_or_default(),
        next_url: None,
        numbers: vec![number],
    };
    Ok(Said::Here(Box::new(issue), seen))
}

/// Where the issue is now, if that is not where it was asked for.
async fn moved_to(
    subject: &Subject<'_>,
    number: i64,
    issue: &Issue,
) -> Result<Option<String>, Failure> {
    let name = issue.repository_url.as_deref().and_then(repository_of);
    let elsewhere = name.as_ref().is_some_and(|name| *name != subject.name);
    let place = || {
        let name = name.as_ref().unwrap_or(&subject.name);
        Some(format!("{name}#{}", issue.number))
    };
    if issue.number != number {
        return Ok(place());
    }
    match &name {
        // The repository may have been renamed while it was read.
        Some(name) if elsewhere && !is_same(subject, name).await? => Ok(place()),
        _ => Ok(None),
    }
}

/// The name in an address that ends with `/repos/owner/name`.
fn repository_of(url: &str) -> Option<RepoName> {
    url.rsplit_once("/repos/")?.1.parse().ok()
}

async fn is_same(subject: &Subject<'_>, name: &RepoName) -> Result<bool, Failure> {
    let path = format!("/repos/{name}");
    let answer = match subject.run.until_stopped(subject.source.get(&path, None)).await? {
        Err(github::Error::NotFound { .. }) => return Ok(false),
        other => other?,
    };
    let body = answer.into_json();
    // An answer that is no repository is no proof that the issue has moved.
    let repository = decode_one::<Repository>(&String::from_utf8_lossy(&body), &mut 0);
    let repository = repository.map_err(|problem| github::Error::Unreadable {
        what: path,
        expected: "a repository",
        problem,
    })?;
    Ok(repository.id == subject.id)
}

/// Writes what GitHub says of an issue that is here.
async fn keep(subject: &Subject<'_>, said: Said, tally: &mut Tally) -> Result<(), Failure> {
    let mut write = subject.page(RESOURCE, Reached::Nothing);
    match said {
        Said::Here(issue, seen) => {
            write.rows = subject.rows(vec![*issue]).await?;
            write.seen = Some(seen);
        }
        Said::Bad(item) => write.set_aside.push(item),
        Said::Unchanged | Said::Gone(_) | Said::NotFound => return Ok(()),
    }
    let to_github = changes(subject, &write.rows);
    // If that fails, the next run must not be told that nothing has changed.
    if let Some(seen) = write.seen.as_mut().filter(|_| !to_github.is_empty()) {
        seen.etag.clear();
    }
    tally.counts += put(subject.run, write).await?;
    write_back(subject, to_github).await
}

async fn remove(
    subject: &Subject<'_>,
    tally: &mut Tally,
    gone: &[(i64, Removed)],
) -> Result<(), Failure> {
    let run = subject.run;
    let removals: Vec<Removal> =
        gone.iter().map(|(number, why)| Removal { number: *number, why: why.clone() }).collect();
    let at = run.clock.now();
    tally.counts.removed += run.store.remove(&run.tenure, subject.id, &removals, at).await?;
    run.stored();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_of_an_issue_is_read_from_its_address() {
        let of = |url: &str| repository_of(url).map(|name| name.to_string());
        let name = || Some("acme/widgets".to_owned());
        assert_eq!(of("https://api.github.com/repos/acme/widgets"), name());
        assert_eq!(of("https://ghe.example/api/v3/repos/acme/widgets"), name());
        assert_eq!(of("https://api.github.com/repos/acme/widgets/issues/1"), None);
        assert_eq!(of("https://api.github.com/repositories/7"), None);
    }
}
