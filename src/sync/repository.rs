//! Which repository a name stands for: its row, under the numeric id on which everything hangs.

use super::rows;
use super::run::{Failure, Renamed, Run};
use crate::api::RepoName;
use crate::github::model::Repository;
use crate::github::{self, Body, Source, decode_one};
use crate::store::{self, RepositoryRow, SeenPage, Untrack};

/// A repository as GitHub knows it now.
pub(super) struct Identity {
    pub(super) id: i64,
    /// Its name as GitHub spells it, which is another than was asked for when it was renamed.
    pub(super) name: RepoName,
    pub(super) archived: bool,
    pub(super) default_branch: Option<String>,
    pub(super) renamed: Option<Renamed>,
}

/// Reads the repository of this name and stores its row. Another one that had the name before is
/// looked up by its id.
pub(super) async fn identify(
    run: &Run,
    source: &Source,
    name: &RepoName,
) -> Result<Identity, Failure> {
    let path = format!("/repos/{name}");
    let url = source.url(&path);
    let seen = run.remembered(&url, source.identity()).await?;
    let etag = seen.as_ref().map(|seen| seen.etag.as_str());
    let answer = run.until_stopped(source.get(&path, etag)).await??;
    let body = match (answer.body, seen.as_ref().and_then(|seen| seen.numbers.first())) {
        (Body::Unchanged, Some(id)) => match run.store.repository(*id).await? {
            Some(known) if known.tracked => return Ok(Identity::new(&known, name)),
            // It is tracked again, or the row was deleted by hand.
            _ => anew(run, source, &path).await?,
        },
        (Body::Unchanged, None) => anew(run, source, &path).await?,
        (Body::Json(body), _) => body,
    };
    let row = decode(&path, &body)?;
    let before = run.store.repository(row.id).await?;
    let seen = answer.etag.map(|etag| SeenPage {
        url,
        identity: source.identity().to_owned(),
        etag,
        next_url: None,
        numbers: vec![row.id],
    });
    // Before the ETag is stored: with it the next run would not look for that one again.
    find_former(run, source, name, row.id).await?;
    run.store.put_repository(&run.tenure, &row, seen.as_ref()).await?;
    run.stored();
    let renamed = before
        .filter(|before| !before.full_name.eq_ignore_ascii_case(&row.full_name))
        .map(|before| Renamed { from: before.full_name, to: row.full_name.clone() });
    Ok(Identity { renamed, ..Identity::new(&row, name) })
}

/// The id of the repository that this name stood for when it was last read. A name that it had
/// before is in no row.
pub(super) async fn known_id(run: &Run, name: &RepoName) -> Result<Option<i64>, store::Error> {
    let found = run.store.repository_id(name.as_str()).await?;
    if found.is_some() {
        return Ok(found);
    }
    let source = run.source.for_owner(name.owner());
    let url = source.url(&format!("/repos/{name}"));
    // Not for its ETag, so a full run may look as well.
    let seen = run.store.seen_page(&url, source.identity()).await?;
    Ok(seen.and_then(|seen| seen.numbers.first().copied()))
}

impl Identity {
    fn new(row: &RepositoryRow, asked: &RepoName) -> Self {
        Self {
            id: row.id,
            name: row.full_name.parse().unwrap_or_else(|_| asked.clone()),
            archived: row.archived == Some(true),
            default_branch: row.default_branch.clone(),
            renamed: None,
        }
    }
}

async fn anew(run: &Run, source: &Source, path: &str) -> Result<bytes::Bytes, Failure> {
    Ok(run.until_stopped(source.get(path, None)).await??.into_json())
}

fn decode(path: &str, body: &[u8]) -> Result<RepositoryRow, Failure> {
    let repository: Repository = std::str::from_utf8(body)
        .map_err(|error| error.to_string())
        .and_then(|text| decode_one(text, &mut 0))
        .map_err(|problem| github::Error::Unreadable {
            what: path.to_owned(),
            expected: "a repository",
            problem,
        })?;
    Ok(rows::repository(repository))
}

/// The name may have belonged to another repository until now: that one is another row, and where
/// it is now is found by its id. Nothing of the two is merged.
async fn find_former(run: &Run, source: &Source, name: &RepoName, now: i64) -> Result<(), Failure> {
    for former in run.store.repositories_named(name.as_str()).await? {
        if former == now {
            continue;
        }
        let path = format!("/repositories/{former}");
        match run.until_stopped(source.get(&path, None)).await? {
            Ok(answer) => {
                let row = decode(&path, &answer.into_json())?;
                let known = row.full_name.parse().is_ok_and(|name| run.tracked.contains(&name));
                // Whatever the answer says its id is, this is about the one that was asked for.
                let row = RepositoryRow { id: former, tracked: known, ..row };
                run.store.put_repository(&run.tenure, &row, None).await?;
            }
            // Gone, or not for us to see. It must not keep the one that has its name now from being read.
            Err(
                github::Error::NotFound { .. }
                | github::Error::Gone { .. }
                | github::Error::Forbidden { .. }
                | github::Error::Refused { .. },
            ) => {
                run.store.untrack(&run.tenure, &Untrack::Only(vec![former])).await?;
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}
