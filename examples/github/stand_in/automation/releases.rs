//! Releases.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::{
    answer::{Answer, Ask},
    issue::User,
    repository::Repository,
    world::World,
};
use super::{by_number, page, shapes};

/// A release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Unique in the world.
    pub id: u64,
    /// Unique in the repository, but for drafts.
    pub tag: String,
    /// What people call it.
    pub name: Option<String>,
    /// Markdown.
    pub body: Option<String>,
    /// Whether only those who may push see it.
    pub draft: bool,
    /// Whether it is not for everyone yet.
    pub prerelease: bool,
    /// Who made it.
    pub author: User,
    /// When its commit was made.
    pub created_at: DateTime<Utc>,
    /// When it was published; a draft is not.
    pub published_at: Option<DateTime<Utc>>,
    /// Fields that replace whatever the answer would say.
    pub patch: Map<String, Value>,
}

impl Repository {
    /// Publishes a release now, and returns its id.
    pub fn push_release(&mut self, tag: &str) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        let release = Release {
            id,
            tag: tag.to_owned(),
            name: Some(format!("Release {tag}")),
            body: Some("- many improvements\r\n- no bugs".to_owned()),
            draft: false,
            prerelease: false,
            author: User::named("octavia"),
            created_at: now,
            published_at: Some(now),
            patch: Map::new(),
        };
        self.automation.releases.insert(id, release);
        id
    }

    /// All releases, by id.
    pub fn releases(&self) -> impl DoubleEndedIterator<Item = &Release> {
        self.automation.releases.values()
    }

    /// A release, to change it.
    pub fn release_mut(&mut self, id: u64) -> Option<&mut Release> {
        self.automation.releases.get_mut(&id)
    }

    /// Deletes a release.
    pub fn delete_release(&mut self, id: u64) -> Option<Release> {
        self.automation.releases.remove(&id)
    }
}

/// The releases of a repository, the newest first.
pub(super) fn answer(world: &World, repository: &Repository, ask: &Ask) -> Answer {
    let mut all: Vec<&Release> = repository.releases().collect();
    all.sort_by_key(|one| Reverse((one.created_at, one.id)));
    let url = by_number(world, repository, "releases");
    page(ask, &url, &all, None, |one| shapes::release(one, repository, world.base_url()))
}
