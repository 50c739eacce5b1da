//! A repository that is being read, and what is done for each part of it.

use std::collections::HashMap;

use super::reader::Reader;
use super::rows;
use super::run::{Failure, Run};
use crate::api::RepoName;
use crate::github::Source;
use crate::github::model::Issue;
use crate::store::{PageWrite, Reached, Row};

/// A repository that is being read.
pub(super) struct Subject<'a> {
    pub(super) run: &'a Run,
    pub(super) source: Source,
    pub(super) id: i64,
    /// Its name as GitHub spells it.
    pub(super) name: RepoName,
    pub(super) archived: bool,
    pub(super) default_branch: Option<String>,
    /// Whose ETags are of use here: those of the same token, of rows that the same rules have made.
    pub(super) identity: String,
}

impl Subject<'_> {
    /// A page of this repository with nothing on it yet.
    pub(super) fn page(&self, resource: &'static str, reached: Reached) -> PageWrite {
        PageWrite {
            repository_id: Some(self.id),
            resource,
            at: self.run.clock.now(),
            rows: Vec::new(),
            head: None,
            set_aside: Vec::new(),
            seen: None,
            reached,
        }
    }

    /// Reads what belongs to this repository; `what` is its path, for errors.
    pub(super) fn reader<'b>(&'b self, what: &'b str) -> Reader<'b> {
        let (source, identity) = (&self.source, self.identity.as_str());
        Reader { run: self.run, source, identity, what, in_hand: 1 }
    }

    /// The rows of these items, as the rules make them.
    pub(super) async fn rows(&self, items: Vec<Issue>) -> Result<Vec<Row>, Failure> {
        let rules = &self.run.rules;
        let stored: HashMap<i64, Vec<String>> = if rules.keep_any() {
            let numbers: Vec<i64> = items.iter().map(|item| item.number).collect();
            self.run.store.labels(self.id, &numbers).await?.into_iter().collect()
        } else {
            HashMap::new()
        };
        let none = Vec::new();
        let row = |item: Issue| {
            if item.pull_request.is_some() {
                Row::PullFromIssues(Box::new(rows::pull_from_issue(item, self.id)))
            } else {
                let stored = stored.get(&item.number).unwrap_or(&none);
                Row::Issue(Box::new(rows::issue(item, self.id, rules, stored)))
            }
        };
        Ok(items.into_iter().map(row).collect())
    }
}
