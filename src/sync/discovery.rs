//! Which repositories an owner has, found by listing.
//!
//! What was found is remembered with its ETag for as long as the process lives, so that an owner
//! with nothing new costs a request a page that does not count.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::run::{Failure, Run};
use super::window::may_have_grown;
use crate::api::RepoName;
use crate::github::model::Repository;
use crate::github::{self, Body, Source, decode_list};

/// What was found before. Shared by all runs of a process.
#[derive(Debug, Default)]
pub struct Discovery {
    pages: Mutex<HashMap<String, Page>>,
    /// The lists of owners whose kind is known.
    lists: Mutex<HashMap<String, String>>,
    /// Under which of GitHub's two kinds of owner the packages of each are.
    kinds: Mutex<HashMap<String, &'static str>>,
    /// Owners of whose packages it was said that GitHub does not show them.
    told: Mutex<HashSet<String>>,
}

/// A page of an owner's list.
#[derive(Clone, Debug)]
struct Page {
    etag: String,
    next: Option<String>,
    found: Vec<(RepoName, Repository)>,
}

impl Discovery {
    /// Under which path the packages of `owner` are, if that is known: `orgs` or `users`.
    pub(super) fn kind_of(&self, owner: &str) -> Option<&'static str> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(owner).copied()
    }

    pub(super) fn is_of_kind(&self, owner: &str, kind: &'static str) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(owner.to_owned(), kind);
    }

    /// Whether nobody has said before that the packages of `owner` are not shown.
    pub(super) fn says_first(&self, owner: &str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.to_owned())
    }

    fn page(&self, key: &str) -> Option<Page> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: String, page: Page) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(key, page);
    }
}

/// The repositories of `owner` that are tracked.
pub(super) async fn find(
    run: &Run,
    source: &Source,
    owner: &str,
) -> Result<Vec<RepoName>, Failure> {
    let known = {
        let lists = run.discovery.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.get(owner).cloned()
    };
    let organization = format!("/orgs/{owner}/repos?per_page=100&type=all");
    let person = format!("/users/{owner}/repos?per_page=100&type=owner");
    let (found, list) = match known {
        Some(list) => (read(run, source, &list).await?, list),
        None => match read(run, source, &organization).await {
            Err(Failure::GitHub(github::Error::NotFound { .. })) => {
                (read(run, source, &person).await?, person)
            }
            found => (found?, organization),
        },
    };
    let mut lists = run.discovery.lists.lock().unwrap_or_else(PoisonError::into_inner);
    lists.insert(owner.to_owned(), list);
    let admitted = found.into_iter().filter(|(name, it)| run.tracked.admits(name, it));
    Ok(admitted.map(|(name, _)| name).collect())
}

async fn read(
    run: &Run,
    source: &Source,
    first: &str,
) -> Result<Vec<(RepoName, Repository)>, Failure> {
    let mut all = Vec::new();
    let mut path = Some(first.to_owned());
    let mut walked = HashSet::new();
    while let Some(this) = path.take() {
        let key = format!("{} {}", source.identity(), source.url(&this));
        let before = run.discovery.page(&key);
        // An ETag would not tell of a page that has come after it.
        let before =
            before.filter(|page| !may_have_grown(&this, page.found.len(), page.next.as_deref()));
        let etag = before.as_ref().map(|page| page.etag.as_str()).filter(|etag| !etag.is_empty());
        let answer = run.until_stopped(source.get(&this, etag)).await??;
        let page = match (answer.body, before) {
            (Body::Unchanged, Some(before)) => before,
            (Body::Unchanged, None) => {
                let message = "nothing was known that could be unchanged".to_owned();
                return Err(github::Error::Refused { what: this, status: 304, message }.into());
            }
            (Body::Json(body), _) => Page {
                etag: answer.etag.unwrap_or_default(),
                next: answer.next,
                found: decode(&this, &body)?,
            },
        };
        all.extend(page.found.iter().cloned());
        walked.insert(this);
        if page.next.as_ref().is_some_and(|next| walked.contains(next)) {
            let what = first.to_owned();
            return Err(github::Error::LinkedInCircles { what }.into());
        }
        path.clone_from(&page.next);
        run.discovery.keep(key, page);
    }
    Ok(all)
}

fn decode(path: &str, body: &[u8]) -> Result<Vec<(RepoName, Repository)>, Failure> {
    let unreadable = |problem| github::Error::Unreadable {
        what: path.to_owned(),
        expected: "a list of repositories",
        problem,
    };
    let decoded = decode_list::<Repository>(body, None).map_err(unreadable)?;
    // A repository that cannot be read must not be forgotten in silence.
    if let Some(bad) = decoded.bad.first() {
        return Err(unreadable(bad.error.clone()).into());
    }
    let named = decoded.items.into_iter().map(|it| {
        let name = it.full_name.parse().map_err(|error: crate::api::BadRepoName| {
            Failure::from(unreadable(error.to_string()))
        })?;
        Ok((name, it))
    });
    named.collect()
}
