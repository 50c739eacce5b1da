//! Pull requests, the last changed first, until what an earlier pass has read.

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::rows;
use crate::api::RepoName;
use crate::github::model::PullRequest;
use crate::store::{Row, SeenPage};
use crate::sync::list::{At, Draft, List, Onward};
use crate::sync::pass::{Pass, Tally};
use crate::sync::run::Failure;
use crate::sync::subject::Subject;
use crate::sync::window::OVERLAP;

pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let list = Pulls { limit: subject.run.limits.pull_requests, met: HashSet::new() };
    Pass::over(list, subject, tally).await?.run().await?;
    Ok(())
}

struct Pulls {
    limit: Option<usize>,
    met: HashSet<i64>,
}

impl Pulls {
    fn onward(&self, at: &At<'_>, oldest: Option<DateTime<Utc>>) -> Onward {
        let read = at.since.map(|since| since - OVERLAP);
        if read.zip(oldest).is_some_and(|(read, oldest)| oldest < read) {
            return Onward::Known;
        }
        match self.limit {
            Some(limit) if self.met.len() >= limit => Onward::Cut(oldest),
            _ => Onward::More,
        }
    }
}

#[async_trait]
impl List for Pulls {
    fn resource(&self) -> &'static str {
        "pulls"
    }

    fn expected(&self) -> &'static str {
        "a list of pull requests"
    }

    fn has_cursor(&self) -> bool {
        true
    }

    fn is_read_whole(&self) -> bool {
        false
    }

    /// There is no `since` here. While pages are read, an item that changes moves to the front and
    /// the others one further: none is missed.
    fn first_page(&self, name: &RepoName, _since: Option<DateTime<Utc>>, size: u8) -> String {
        let size = self.limit.map_or(usize::from(size), |limit| limit.min(size.into()));
        format!("/repos/{name}/pulls?state=all&sort=updated&direction=desc&per_page={size}")
    }

    fn resume(&mut self, numbers: Vec<i64>) {
        self.met.extend(numbers);
    }

    async fn skip(&mut self, at: &At<'_>, seen: &SeenPage) -> Result<Onward, Failure> {
        self.met.extend(&seen.numbers);
        let store = &at.subject.run.store;
        let oldest = store.oldest_update(at.subject.id, &seen.numbers).await?;
        Ok(self.onward(at, oldest))
    }

    async fn take(
        &mut self,
        at: &At<'_>,
        body: &[u8],
        draft: &mut Draft,
    ) -> Result<Onward, Failure> {
        let pulls: Vec<PullRequest> = draft.decode(at, body, None, |bad| bad.number)?;
        draft.numbers.extend(pulls.iter().map(|pull| pull.number));
        self.met.extend(&draft.numbers);
        let oldest = pulls.iter().filter_map(|pull| pull.updated_at).min();
        let row = |pull| Row::Pull(Box::new(rows::pull(pull, at.subject.id)));
        draft.rows = pulls.into_iter().map(row).collect();
        Ok(self.onward(at, oldest))
    }
}
