//! Pull requests: the issues that are ones, as `GET …/pulls` lists them.

use std::cmp::Reverse;

use axum::http::StatusCode;

use super::super::{
    answer::{Answer, Ask},
    issue::{Issue, PullRequest, State},
    repository::Repository,
    world::World,
};
use super::{by_number, page, sha, shapes};

impl Repository {
    /// Opens a pull request now, and returns its number.
    pub fn open_pull_request(&mut self, title: &str) -> u64 {
        let number = self.next_number();
        self.open_issue(number, title).pull_request = Some(PullRequest::default());
        number
    }

    /// Merges an open pull request now: it is closed, and its commit is on the default branch.
    ///
    /// # Panics
    ///
    /// If there is no such pull request.
    pub fn merge_pull_request(&mut self, number: u64) {
        let now = self.now();
        let title = self.existing_pull(number).title.clone();
        let sha = self.push_commit(&format!("{title} (#{number})"));
        let issue = self.close_issue(number);
        if let Some(pull_request) = &mut issue.pull_request {
            pull_request.draft = false;
            pull_request.merged_at = Some(now);
            pull_request.merge_commit_sha = Some(sha);
        }
    }

    /// Pushes a commit to the branch of a pull request now.
    ///
    /// # Panics
    ///
    /// If there is no such pull request.
    pub fn push_to_pull_request(&mut self, number: u64) {
        self.existing_pull(number);
        self.edit_issue(number, |issue| {
            let before = issue.pull_request.as_ref().map(|pull| head_sha(issue, pull));
            if let Some(pull_request) = &mut issue.pull_request {
                pull_request.head_sha = before.map(|sha_before| sha(&sha_before));
            }
        });
    }

    /// All pull requests, by number.
    pub fn pull_requests(&self) -> impl Iterator<Item = &Issue> {
        self.issues().filter(|issue| issue.is_pull_request())
    }

    fn existing_pull(&self, number: u64) -> &Issue {
        let issue = self.issue(number).filter(|issue| issue.is_pull_request());
        issue.unwrap_or_else(|| panic!("{} has no pull request {number}", self.full_name()))
    }
}

/// The last commit of a pull request's branch.
pub(super) fn head_sha(issue: &Issue, pull_request: &PullRequest) -> String {
    let pushed = pull_request.head_sha.clone();
    pushed.unwrap_or_else(|| sha(&format!("head of {}", issue.id)))
}

/// The commit of the merge: the real one, or while it is open a trial.
pub(super) fn merge_sha(issue: &Issue, pull_request: &PullRequest) -> Option<String> {
    let known = pull_request.merge_commit_sha.clone();
    let is_some = issue.state == State::Open || pull_request.merged_at.is_some();
    known.or_else(|| is_some.then(|| sha(&format!("merge of {}", issue.id))))
}

/// The page of pull requests that was asked for. A `since` is ignored, as GitHub does.
pub(super) fn answer(world: &World, repository: &Repository, ask: &Ask) -> Answer {
    let Some(list) = list(repository, ask) else {
        return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
    };
    let url = by_number(world, repository, "pulls");
    let shape = shapes::PullShape::new(repository, world.base_url());
    page(ask, &url, &list, None, |(issue, pull)| shape.pull(issue, pull))
}

fn list<'a>(repository: &'a Repository, ask: &Ask) -> Option<Vec<(&'a Issue, &'a PullRequest)>> {
    let state = match ask.parameter("state") {
        None | Some("open") => Some(State::Open),
        Some("closed") => Some(State::Closed),
        Some("all") => None,
        Some(_) => return None,
    };
    let by_update = match ask.parameter("sort") {
        None | Some("created") => false,
        Some("updated") => true,
        // Popularity and long-running are nothing that a copy asks for.
        Some(_) => return None,
    };
    let ascending = match ask.parameter("direction") {
        None => by_update,
        Some("desc") => false,
        Some("asc") => true,
        Some(_) => return None,
    };
    let key =
        |issue: &Issue| (if by_update { issue.updated_at } else { issue.created_at }, issue.number);
    let mut list: Vec<_> = repository
        .issues()
        .filter(|issue| state.is_none_or(|state| issue.state == state))
        .filter_map(|issue| Some((issue, issue.pull_request.as_ref()?)))
        .collect();
    match ascending {
        true => list.sort_by_key(|(issue, _)| key(issue)),
        false => list.sort_by_key(|(issue, _)| Reverse(key(issue))),
    }
    Some(list)
}
