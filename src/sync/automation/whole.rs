//! A list that has no cursor: it is read from its first page each time, to its end or to the limit.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::api::RepoName;
use crate::store::{Row, SeenPage};
use crate::sync::list::{At, Draft, List, Onward};
use crate::sync::run::Failure;

/// The list, and the ids that were met in it.
pub(super) struct WholeList<T> {
    pub(super) resource: &'static str,
    pub(super) expected: &'static str,
    /// Below the repository's own path.
    pub(super) path: &'static str,
    /// Where in the answer the list stands.
    pub(super) key: Option<&'static str>,
    pub(super) limit: Option<usize>,
    /// Each once, also when the list begins again.
    pub(super) ids: HashSet<i64>,
    /// What an item is known by, when it was created, and its row.
    pub(super) item: fn(T, i64) -> Item,
}

pub(super) struct Item {
    pub(super) id: i64,
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) row: Row,
}

impl<T> WholeList<T> {
    fn onward(&self, oldest: Option<DateTime<Utc>>) -> Onward {
        match self.limit {
            Some(limit) if self.ids.len() >= limit => Onward::Cut(oldest),
            _ => Onward::More,
        }
    }
}

#[async_trait]
impl<T: DeserializeOwned + Send> List for WholeList<T> {
    fn resource(&self) -> &'static str {
        self.resource
    }

    fn expected(&self) -> &'static str {
        self.expected
    }

    fn has_cursor(&self) -> bool {
        false
    }

    fn is_read_whole(&self) -> bool {
        self.limit.is_none()
    }

    fn first_page(&self, name: &RepoName, _since: Option<DateTime<Utc>>, size: u8) -> String {
        let size = self.limit.map_or(usize::from(size), |limit| limit.min(size.into()));
        format!("/repos/{name}/{}?per_page={size}", self.path)
    }

    fn resume(&mut self, numbers: Vec<i64>) {
        self.ids.extend(numbers);
    }

    async fn skip(&mut self, _at: &At<'_>, seen: &SeenPage) -> Result<Onward, Failure> {
        self.ids.extend(&seen.numbers);
        Ok(self.onward(None))
    }

    async fn take(
        &mut self,
        at: &At<'_>,
        body: &[u8],
        draft: &mut Draft,
    ) -> Result<Onward, Failure> {
        let items: Vec<T> = draft.decode(at, body, self.key, |bad| bad.id)?;
        let items: Vec<Item> =
            items.into_iter().map(|item| (self.item)(item, at.subject.id)).collect();
        draft.numbers.extend(items.iter().map(|item| item.id));
        self.ids.extend(&draft.numbers);
        let oldest = items.iter().filter_map(|item| item.created_at).min();
        draft.rows = items.into_iter().map(|item| item.row).collect();
        Ok(self.onward(oldest))
    }
}
