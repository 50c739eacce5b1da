//! Commits of the default branch.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};

use super::super::{
    answer::{Answer, Ask},
    issue::User,
    repository::Repository,
    world::World,
};
use super::{by_number, page, sha, shapes};

/// A commit of the default branch.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Forty hexadecimal digits.
    pub sha: String,
    /// The title, and more lines.
    pub message: String,
    /// Who made it; GitHub knows no account for some.
    pub author: Option<User>,
    /// When it was made.
    pub authored_at: DateTime<Utc>,
    /// When it came here.
    pub committed_at: DateTime<Utc>,
    /// What was before it.
    pub parent: Option<String>,
}

impl Commit {
    /// The first line of the message.
    pub fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

impl Repository {
    /// Pushes a commit to the default branch now, and returns its hash.
    pub fn push_commit(&mut self, message: &str) -> String {
        let now = self.now();
        self.pushed_at = now;
        self.put_commit(message, Some(User::named("octavia")), now)
    }

    /// Adds a commit of this time to the default branch, and returns its hash.
    pub(super) fn put_commit(
        &mut self,
        message: &str,
        author: Option<User>,
        at: DateTime<Utc>,
    ) -> String {
        let parent = self.automation.commits.last().map(|one| one.sha.clone());
        let before = parent.as_deref().unwrap_or_default();
        let sha = sha(&format!("{} {before} {message}", self.id()));
        self.automation.commits.push(Commit {
            sha: sha.clone(),
            message: message.to_owned(),
            author,
            authored_at: at,
            committed_at: at,
            parent,
        });
        sha
    }

    /// The commits of the default branch, the oldest first.
    pub fn commits(&self) -> &[Commit] {
        &self.automation.commits
    }

    /// Takes all commits away, as if nobody had ever pushed: 409 from now on.
    pub fn make_empty(&mut self) {
        self.automation.commits.clear();
    }
}

/// The commits from a branch or a commit on, the newest first.
pub(super) fn answer(world: &World, repository: &Repository, ask: &Ask) -> Answer {
    let commits = repository.commits();
    if commits.is_empty() {
        return Answer::error(StatusCode::CONFLICT, "Git Repository is empty.");
    }
    let start = match ask.parameter("sha") {
        None | Some("") => commits.len(),
        Some(branch) if branch == repository.default_branch => commits.len(),
        Some(sha) => match commits.iter().position(|one| one.sha.starts_with(sha)) {
            Some(at) if sha.len() >= 7 => at + 1,
            _ => return Answer::not_found(),
        },
    };
    let listed: Vec<&Commit> = commits[..start].iter().rev().collect();
    let url = by_number(world, repository, "commits");
    page(ask, &url, &listed, None, |one| {
        shapes::commit(one, &repository.full_name(), world.base_url())
    })
}
