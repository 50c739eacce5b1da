//! One repository and its issues.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    automation::Automation,
    issue::{Issue, Stored, User},
    world::Clock,
};

/// A repository, which keeps its id under every name.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "these are GitHub's own fields")]
pub struct Repository {
    id: u64,
    owner: User,
    name: String,
    /// Whether only those who are let in see it.
    pub private: bool,
    /// Whether it can only be read.
    pub archived: bool,
    /// Whether it began as a copy of another.
    pub fork: bool,
    /// Whether it has issues at all; if not, asking for them is answered 410.
    pub has_issues: bool,
    /// The branch that is shown first.
    pub default_branch: String,
    /// One line.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its description last changed.
    pub updated_at: DateTime<Utc>,
    /// When somebody last pushed.
    pub pushed_at: DateTime<Utc>,
    /// The full names it had before, which are answered 301.
    pub renamed_from: Vec<String>,
    issues: BTreeMap<u64, Stored>,
    gone: BTreeMap<u64, Gone>,
    pub(super) automation: Automation,
    clock: Clock,
}

/// Why a number that was used has no issue any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was deleted: 410.
    Deleted,
    /// It has moved to another repository: 301.
    Transferred { repository: u64, number: u64 },
}

impl Repository {
    pub(super) fn new(id: u64, owner: User, name: &str, clock: Clock) -> Self {
        let now = clock.now();
        Self {
            id,
            owner,
            name: name.to_owned(),
            private: false,
            archived: false,
            fork: false,
            has_issues: true,
            default_branch: "main".to_owned(),
            description: Some(format!("Everything about {name}")),
            created_at: now,
            updated_at: now,
            pushed_at: now,
            renamed_from: Vec::new(),
            issues: BTreeMap::new(),
            gone: BTreeMap::new(),
            automation: Automation::default(),
            clock,
        }
    }

    /// The time in the world that it is in.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The number that identifies it for ever.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The owner's login.
    pub fn owner(&self) -> &str {
        &self.owner.login
    }

    /// The owner's number.
    pub fn owner_id(&self) -> u64 {
        self.owner.id
    }

    /// Whose it is: a person or an organization.
    pub fn account(&self) -> &User {
        &self.owner
    }

    pub(super) fn set_account(&mut self, owner: User) {
        self.owner = owner;
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `owner/name`, in its own case.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner.login, self.name)
    }

    /// The issue of this number, if it is here.
    pub fn issue(&self, number: u64) -> Option<&Issue> {
        self.issues.get(&number).map(Stored::issue)
    }

    /// The issue of this number, to change it without touching its `updated_at`.
    pub fn issue_mut(&mut self, number: u64) -> Option<&mut Issue> {
        self.issues.get_mut(&number).map(Stored::issue_mut)
    }

    /// All issues and pull requests, by number.
    pub fn issues(&self) -> impl Iterator<Item = &Issue> {
        self.issues.values().map(Stored::issue)
    }

    /// What became of a number that is no issue any more.
    pub fn gone(&self, number: u64) -> Option<Gone> {
        self.gone.get(&number).copied()
    }

    /// The number the next issue would get.
    pub fn next_number(&self) -> u64 {
        let used = self.issues.keys().chain(self.gone.keys()).max();
        used.map_or(1, |highest| highest + 1)
    }

    /// Opens an issue now, instead of any other of this number.
    pub fn open_issue(&mut self, number: u64, title: &str) -> &mut Issue {
        let issue = Issue::new(self.issue_id(number), number, title, self.clock.now());
        self.put_issue(issue)
    }

    /// Puts an issue here as it is, instead of any other of its number.
    pub fn put_issue(&mut self, issue: Issue) -> &mut Issue {
        let number = issue.number;
        self.gone.remove(&number);
        self.issues.insert(number, Stored::new(issue));
        self.issues.get_mut(&number).expect("it was just put there").issue_mut()
    }

    /// Changes an issue now: its `updated_at` is the time of the change.
    ///
    /// # Panics
    ///
    /// If there is no such issue.
    pub fn edit_issue(&mut self, number: u64, edit: impl FnOnce(&mut Issue)) -> &mut Issue {
        let now = self.clock.now();
        let issue = self.existing(number);
        edit(issue);
        issue.updated_at = now;
        issue
    }

    /// Closes an issue now.
    ///
    /// # Panics
    ///
    /// If there is no such issue.
    pub fn close_issue(&mut self, number: u64) -> &mut Issue {
        let now = self.clock.now();
        let issue = self.existing(number);
        issue.close(now);
        issue
    }

    /// Opens a closed issue again now.
    ///
    /// # Panics
    ///
    /// If there is no such issue.
    pub fn reopen_issue(&mut self, number: u64) -> &mut Issue {
        let now = self.clock.now();
        let issue = self.existing(number);
        issue.reopen(now);
        issue
    }

    /// Deletes an issue: asking for it is answered 410 from now on.
    pub fn delete_issue(&mut self, number: u64) -> Option<Issue> {
        self.take_issue(number, Gone::Deleted)
    }

    /// Takes an issue away without a trace: asking for it is answered 404 from now on.
    pub fn lose_issue(&mut self, number: u64) -> Option<Issue> {
        self.issues.remove(&number).map(Stored::into_issue)
    }

    pub(super) fn take_issue(&mut self, number: u64, gone: Gone) -> Option<Issue> {
        let stored = self.issues.remove(&number)?;
        self.gone.insert(number, gone);
        Some(stored.into_issue())
    }

    /// The id an issue opened here gets; no two repositories give out the same.
    pub(super) fn issue_id(&self, number: u64) -> u64 {
        self.id * 1_000_000 + number
    }

    pub(super) fn stored(&self) -> impl Iterator<Item = &Stored> {
        self.issues.values()
    }

    pub(super) fn stored_issue(&self, number: u64) -> Option<&Stored> {
        self.issues.get(&number)
    }

    pub(super) fn rename(&mut self, owner: User, name: &str) {
        self.renamed_from.push(self.full_name());
        self.owner = owner;
        name.clone_into(&mut self.name);
        self.updated_at = self.clock.now();
        self.forget_json();
    }

    pub(super) fn forget_json(&mut self) {
        self.issues.values_mut().for_each(Stored::forget_json);
    }

    fn existing(&mut self, number: u64) -> &mut Issue {
        let full_name = self.full_name();
        self.issue_mut(number).unwrap_or_else(|| panic!("{full_name} has no issue {number}"))
    }
}
