//! What the stand-in knows: repositories, a clock, a quota and a token.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::{
    app::App,
    automation::Packages,
    generate::hash,
    issue::User,
    repository::{Gone, Repository},
};

/// The whole state of the stand-in, which a test may change between any two answers.
#[derive(Clone, Debug)]
pub struct World {
    /// The one token that is let in; with none, everybody is.
    pub token: Option<String>,
    /// The GitHub App whose tokens are let in, too.
    pub app: Option<App>,
    /// How many answers are left.
    pub quota: Quota,
    /// How long each answer takes.
    pub latency: Option<Duration>,
    /// Whether the pages of issue lists are linked by cursor (`after=`) and not by number.
    pub cursor_links: bool,
    pub(super) packages: Packages,
    clock: Clock,
    base_url: String,
    /// The owners that are persons, in small letters.
    persons: BTreeSet<String>,
    repositories: BTreeMap<u64, Repository>,
    next_repository_id: u64,
}

impl World {
    /// A world without repositories, token or latency, on real time.
    pub fn empty() -> Self {
        Self {
            token: None,
            app: None,
            quota: Quota::default(),
            latency: None,
            cursor_links: false,
            packages: Packages::default(),
            clock: Clock::default(),
            base_url: "https://api.github.com".to_owned(),
            persons: BTreeSet::new(),
            repositories: BTreeMap::new(),
            next_repository_id: 700_000_001,
        }
    }

    /// The time in this world, in whole seconds as GitHub tells it.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Stops the world's clock at `now`, or with `None` lets it run on real time.
    pub fn set_now(&mut self, now: Option<DateTime<Utc>>) {
        self.clock.set(now);
    }

    /// What all URLs in answers begin with.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The path below which everything is, as on an Enterprise Server, without a slash at the end.
    pub(super) fn base_path(&self) -> &str {
        let place = self.base_url.split_once("://").map_or("", |(_, place)| place);
        place.find('/').map_or("", |at| &place[at..])
    }

    /// Changes what all URLs in answers begin with: for a proxy in front of the stand-in.
    pub fn set_base_url(&mut self, base_url: &str) {
        base_url.trim_end_matches('/').clone_into(&mut self.base_url);
        self.repositories.values_mut().for_each(Repository::forget_json);
    }

    /// The account that owns repositories under this login: an organization, or a person.
    pub fn account(&self, login: &str) -> User {
        let kind = if self.is_person(login) { "User" } else { "Organization" };
        User { id: owner_id(login), login: login.to_owned(), kind: kind.to_owned() }
    }

    /// Makes an owner a person, whom no path of organizations knows.
    pub fn make_person(&mut self, owner: &str) {
        self.persons.insert(owner.to_ascii_lowercase());
        let accounts: Vec<_> =
            self.repositories().map(|one| (one.id(), self.account(one.owner()))).collect();
        for (id, account) in accounts {
            self.by_id_mut(id).expect("it was just found").set_account(account);
        }
    }

    pub(super) fn is_person(&self, owner: &str) -> bool {
        self.persons.contains(&owner.to_ascii_lowercase())
    }

    /// Adds a repository without issues.
    ///
    /// # Panics
    ///
    /// If the name is not `owner/name` or is taken.
    pub fn add_repository(&mut self, full_name: &str) -> &mut Repository {
        assert!(self.find(full_name).is_none(), "there already is a {full_name}");
        let (owner, name) = split(full_name);
        let id = self.next_repository_id;
        self.next_repository_id += 1;
        let repository = Repository::new(id, self.account(owner), name, self.clock.clone());
        self.repositories.entry(id).or_insert(repository)
    }

    /// All repositories, by id.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.values()
    }

    /// The repository of this id, if it exists.
    pub fn by_id(&self, id: u64) -> Option<&Repository> {
        self.repositories.get(&id)
    }

    /// The repository of this id, to change it.
    pub fn by_id_mut(&mut self, id: u64) -> Option<&mut Repository> {
        self.repositories.get_mut(&id)
    }

    /// The repository that has this name now, whatever the case.
    pub fn find(&self, full_name: &str) -> Option<&Repository> {
        let (owner, name) = full_name.split_once('/')?;
        self.repositories().find(|repository| {
            repository.name().eq_ignore_ascii_case(name)
                && repository.owner().eq_ignore_ascii_case(owner)
        })
    }

    /// The repository that last had this name and has another one now.
    pub fn find_former(&self, full_name: &str) -> Option<&Repository> {
        self.repositories()
            .find(|one| one.renamed_from.iter().any(|old| old.eq_ignore_ascii_case(full_name)))
    }

    /// The repository that has this name now, whatever the case.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn repository(&self, full_name: &str) -> &Repository {
        self.find(full_name).unwrap_or_else(|| panic!("there is no repository {full_name}"))
    }

    /// The repository that has this name now, to change it.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn repository_mut(&mut self, full_name: &str) -> &mut Repository {
        let id = self.repository(full_name).id();
        self.by_id_mut(id).expect("it was just found")
    }

    /// Gives a repository another name or owner: the old name is answered 301 until it is taken.
    ///
    /// # Panics
    ///
    /// If there is no such repository, or the new name is taken by another.
    pub fn rename_repository(&mut self, old: &str, new: &str) {
        let id = self.repository(old).id();
        let taken = self.find(new).is_some_and(|other| other.id() != id);
        assert!(!taken, "there already is a {new}");
        let (owner, name) = split(new);
        let account = self.account(owner);
        for other in self.repositories.values_mut() {
            other.renamed_from.retain(|former| !former.eq_ignore_ascii_case(old));
        }
        self.repository_mut(old).rename(account, name);
    }

    /// Deletes a repository: its names and its id are answered 404 from now on.
    ///
    /// # Panics
    ///
    /// If there is no such repository.
    pub fn delete_repository(&mut self, full_name: &str) -> Repository {
        let id = self.repository(full_name).id();
        self.repositories.remove(&id).expect("it was just found")
    }

    /// Moves an issue to another repository, where it gets the number that is returned.
    ///
    /// # Panics
    ///
    /// If one of the repositories, or the issue, does not exist.
    pub fn transfer_issue(&mut self, from: &str, number: u64, to: &str) -> u64 {
        let now = self.now();
        let target = self.repository(to);
        let (repository, new_number) = (target.id(), target.next_number());
        let gone = Gone::Transferred { repository, number: new_number };
        let mut issue = self
            .repository_mut(from)
            .take_issue(number, gone)
            .unwrap_or_else(|| panic!("{from} has no issue {number}"));
        let target = self.repository_mut(to);
        issue.id = target.issue_id(new_number);
        issue.number = new_number;
        issue.updated_at = now;
        target.put_issue(issue);
        new_number
    }
}

/// How many answers are left until when.
#[derive(Clone, Debug)]
pub struct Quota {
    /// How many answers a window has.
    pub limit: u64,
    /// How many of them were given.
    pub used: u64,
    /// How long a window lasts.
    pub window: TimeDelta,
    /// When the window ends; with `None`, it begins with the next answer.
    pub resets_at: Option<DateTime<Utc>>,
}

impl Default for Quota {
    fn default() -> Self {
        Self { limit: 5_000, used: 0, window: TimeDelta::hours(1), resets_at: None }
    }
}

impl Quota {
    /// How many answers are left.
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Uses up all of it until `resets_at`.
    pub fn exhaust(&mut self, resets_at: DateTime<Utc>) {
        self.used = self.limit;
        self.resets_at = Some(resets_at);
    }

    /// Begins a new window if there is none or the last is over, and says when it ends.
    pub(super) fn roll(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.resets_at.is_some_and(|at| at <= now) {
            self.used = 0;
            self.resets_at = None;
        }
        *self.resets_at.get_or_insert(now + self.window)
    }
}

/// The world's clock, of which every repository has a handle.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    stopped_at: Arc<Mutex<Option<DateTime<Utc>>>>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "GitHub's clock is not the operator's")]
    pub(super) fn now(&self) -> DateTime<Utc> {
        let stopped_at = *self.stopped_at.lock().unwrap_or_else(PoisonError::into_inner);
        stopped_at.unwrap_or_else(Utc::now).trunc_subsecs(0)
    }

    fn set(&self, now: Option<DateTime<Utc>>) {
        *self.stopped_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

fn split(full_name: &str) -> (&str, &str) {
    full_name
        .split_once('/')
        .filter(|(owner, name)| !owner.is_empty() && !name.is_empty() && !name.contains('/'))
        .unwrap_or_else(|| panic!("{full_name:?} is not owner/name"))
}

/// The number of an owner; the same login always gives the same.
pub(super) fn owner_id(login: &str) -> u64 {
    1_000 + hash(login.to_ascii_lowercase().as_bytes()) % 200_000_000
}
