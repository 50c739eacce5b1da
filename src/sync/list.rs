//! What a list of a repository is to a pass: where it begins, what is on a page, when it is enough.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::run::Failure;
use super::subject::Subject;
use crate::api::RepoName;
use crate::github::{self, BadItem, decode_list};
use crate::store::{Row, SeenPage, SetAside};

/// A list of a repository, and what its pages mean.
#[async_trait]
pub(super) trait List: Send {
    /// Its name in cursors, and, up to the dot, in the quarantine.
    fn resource(&self) -> &'static str;

    /// What an answer should be: `a list of issues`.
    fn expected(&self) -> &'static str;

    /// Whether a complete pass moves a cursor.
    fn has_cursor(&self) -> bool;

    /// Whether a pass reads it to its end in any case, so that the next page may be asked for
    /// before it is known what is on this one.
    fn is_read_whole(&self) -> bool;

    /// The path of the first page.
    fn first_page(&self, name: &RepoName, since: Option<DateTime<Utc>>, size: u8) -> String;

    /// Whether an item that cannot be read is asked for by itself in the next run. If not, the
    /// cursor waits for it.
    fn asks_for_bad_items(&self) -> bool {
        false
    }

    /// Takes note of the items on pages that an earlier part of this pass has stored.
    fn resume(&mut self, numbers: Vec<i64>);

    /// Takes note of a page that is as it was.
    async fn skip(&mut self, at: &At<'_>, seen: &SeenPage) -> Result<Onward, Failure>;

    /// Makes rows of what is on a page.
    async fn take(
        &mut self,
        at: &At<'_>,
        body: &[u8],
        draft: &mut Draft,
    ) -> Result<Onward, Failure>;

    /// Whether something is to be done at GitHub for the page that was taken last. Only once it is
    /// done may the pass go on after this page, and the page be asked for with its ETag.
    fn has_to_act(&self) -> bool {
        false
    }

    /// Does it, once the page is stored.
    async fn act(&mut self, _at: &At<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

/// Where a pass stands.
pub(super) struct At<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// The path of the list, for errors.
    pub(super) what: String,
    pub(super) expected: &'static str,
    /// Up to when everything was stored before; `None` the first time and in a full run.
    pub(super) since: Option<DateTime<Utc>>,
}

/// Whether a pass goes on after a page, if there is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onward {
    More,
    /// What is older is stored already.
    Known,
    /// The limit is reached: what is older than this is not read.
    Cut(Option<DateTime<Utc>>),
}

/// A page that is being made of an answer.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) rows: Vec<Row>,
    pub(super) set_aside: Vec<SetAside>,
    /// The numbers or ids of all that is on it, as far as they can be read.
    pub(super) numbers: Vec<i64>,
}

impl Draft {
    /// The items of the list; those that cannot be read are set aside, under the number that
    /// `number` gives.
    pub(super) fn decode<T: DeserializeOwned>(
        &mut self,
        at: &At<'_>,
        body: &[u8],
        key: Option<&'static str>,
        number: impl Fn(&BadItem) -> Option<i64>,
    ) -> Result<Vec<T>, Failure> {
        let decoded = decode_list::<T>(body, key).map_err(|problem| {
            let (what, expected) = (at.what.clone(), at.expected);
            github::Error::Unreadable { what, expected, problem }
        })?;
        if decoded.nuls > 0 {
            let (name, nuls) = (&at.subject.name, decoded.nuls);
            tracing::info!(repo.name = %name, nuls, "U+0000 was taken out: no database can hold it");
        }
        at.subject.run.met(decoded.items.len());
        self.numbers.extend(decoded.bad.iter().filter_map(number));
        self.set_aside.extend(decoded.bad.into_iter().map(SetAside::from));
        Ok(decoded.items)
    }

    /// Leaves of rows with the same key the first.
    pub(super) fn each_once(&mut self) {
        let mut keys = HashSet::new();
        self.rows.retain(|row| keys.insert((std::mem::discriminant(row), row.item_key())));
    }

    /// Whether nothing can be missing on this page that would never be asked for again: an item
    /// that nobody asks for by itself, or all of a page to which the one before it has `led`.
    pub(super) fn is_whole(&self, asks_for_bad_items: bool, led: bool) -> bool {
        let is_asked_for = |item: &SetAside| {
            let key = item.item_key.as_deref();
            asks_for_bad_items && key.is_some_and(|key| key.parse::<i64>().is_ok())
        };
        self.set_aside.iter().all(is_asked_for) && !(led && self.numbers.is_empty())
    }
}
