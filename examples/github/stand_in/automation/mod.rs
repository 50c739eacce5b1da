//! What automation leaves in a repository, as GitHub tells it: workflows and their runs, releases,
//! pull requests, commits, and the packages of an owner.
//!
//! Each file has one kind: its data, how a test changes it, and how it is listed. Pull requests
//! have no data of their own: they are the issues that have a `pull_request`.

mod commits;
mod fill;
mod packages;
mod pulls;
mod recorded;
mod releases;
mod run_list;
mod shapes;
mod workflows;

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Ask},
    generate::hash,
    pages::Page,
    repository::Repository,
    world::World,
};

pub use commits::Commit;
pub use fill::Sizes;
pub use packages::{Package, Version};
pub use releases::Release;
pub use workflows::{Job, Run, Workflow};

pub(super) use fill::{fill, fill_owner};
pub(super) use packages::{Packages, answer as packages, is_about_packages};

/// What a token may be refused, repository by repository: 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Workflows, runs and jobs.
    Actions,
    /// Releases and commits.
    Contents,
    /// The list of pull requests.
    PullRequests,
}

/// What is in one repository beside its issues.
#[derive(Clone, Debug, Default)]
pub(super) struct Automation {
    workflows: BTreeMap<u64, Workflow>,
    runs: BTreeMap<u64, Run>,
    releases: BTreeMap<u64, Release>,
    /// Those of the default branch, the oldest first.
    commits: Vec<Commit>,
    refused: BTreeSet<Feature>,
    /// How many ids it has given out.
    ids: u64,
}

impl Repository {
    /// Refuses this feature from now on: 403.
    pub fn refuse(&mut self, feature: Feature) {
        self.automation.refused.insert(feature);
    }

    /// Refuses this feature no more.
    pub fn allow(&mut self, feature: Feature) {
        self.automation.refused.remove(&feature);
    }

    /// An id for something new here; no two repositories give out the same.
    fn next_id(&mut self) -> u64 {
        self.automation.ids += 1;
        self.id() * 100_000 + self.automation.ids
    }
}

/// Answers a GET of what is below a repository.
pub(super) fn answer(world: &World, repository: &Repository, rest: &[&str], ask: &Ask) -> Answer {
    let feature = match rest {
        ["actions", ..] => Feature::Actions,
        ["pulls"] => Feature::PullRequests,
        _ => Feature::Contents,
    };
    if repository.automation.refused.contains(&feature) {
        return refused();
    }
    match rest {
        ["actions", "workflows"] => run_list::workflows(world, repository, ask),
        ["actions", "runs"] => run_list::runs(world, repository, ask),
        ["actions", "runs", id] => run_list::run(world, repository, number(id)),
        ["actions", "runs", id, "jobs"] => run_list::jobs(world, repository, number(id), ask),
        ["releases"] => releases::answer(world, repository, ask),
        ["pulls"] => pulls::answer(world, repository, ask),
        ["commits"] => commits::answer(world, repository, ask),
        _ => Answer::not_found(),
    }
}

/// What a token is told that may not see this.
fn refused() -> Answer {
    Answer::error(StatusCode::FORBIDDEN, "Resource not accessible by personal access token")
}

/// The asked page of a list: alone, or under a name in an object that tells how many there are.
fn page<T>(
    ask: &Ask,
    url: &str,
    items: &[T],
    name: Option<&str>,
    shape: impl Fn(&T) -> Value,
) -> Answer {
    let page = Page::asked(ask);
    let shown: Value = page.of(items).iter().map(shape).collect();
    let body = match name {
        None => shown,
        Some(name) => json!({"total_count": items.len(), name: shown}),
    };
    Answer::ok(&body).with_link(page.links(url, ask, items.len()))
}

/// The URL of what is below a repository, as links have it.
fn by_number(world: &World, repository: &Repository, rest: &str) -> String {
    format!("{}/repositories/{}/{rest}", world.base_url(), repository.id())
}

fn number(segment: &str) -> u64 {
    segment.parse().unwrap_or_default()
}

/// A hash such as git makes, always the same for the same text.
fn sha(text: &str) -> String {
    let part = |salt: u8| hash(&[text.as_bytes(), &[salt]].concat());
    format!("{:016x}{:016x}{:08x}", part(1), part(2), part(3) >> 32)
}
