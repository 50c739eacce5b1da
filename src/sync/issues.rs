//! The issues of one repository: its two lists, and then each issue that they do not tell of.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::list::{At, Draft, List, Onward};
use super::pass::{Pass, Tally};
use super::rules::LabelChange;
use super::run::Failure;
use super::single;
use super::subject::Subject;
use super::window::IssueList;
use super::write_back::{changes, write_back};
use crate::api::RepoName;
use crate::github;
use crate::github::model::Issue;
use crate::store::SeenPage;

/// The newest `updated_at` under which each number was met in this repository's lists.
pub(super) type Met = HashMap<i64, Option<DateTime<Utc>>>;

/// Reads both lists and stores what is new, then asks for what is missing in them, what was set
/// aside before, and, in a scheduled run, what does not fit.
pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let mut met = Met::new();
    for list in [IssueList::Open, IssueList::Closed] {
        let issues = Issues { list, met, to_github: Vec::new() };
        met = match Pass::over(issues, subject, tally).await?.run().await {
            // Issues are switched off in this repository: rows stay as they are.
            Err(Failure::GitHub(github::Error::Gone { .. })) => return Ok(()),
            done => done?.0.met,
        };
    }
    single::heal(subject, &mut met, tally).await?;
    single::find_missing(subject, &mut met, tally).await?;
    if subject.run.parts.reconcile {
        single::reconcile(subject, tally).await?;
    }
    Ok(())
}

/// One of the two lists, with what was met in both so far.
struct Issues {
    list: IssueList,
    met: Met,
    /// What is to be changed on GitHub once the page is stored.
    to_github: Vec<(i64, LabelChange)>,
}

#[async_trait]
impl List for Issues {
    fn resource(&self) -> &'static str {
        self.list.resource()
    }

    fn expected(&self) -> &'static str {
        "a list of issues"
    }

    fn has_cursor(&self) -> bool {
        self.list.has_cursor()
    }

    fn is_read_whole(&self) -> bool {
        true
    }

    fn asks_for_bad_items(&self) -> bool {
        true
    }

    fn first_page(&self, name: &RepoName, since: Option<DateTime<Utc>>, size: u8) -> String {
        self.list.first_page(name, since, size)
    }

    fn resume(&mut self, numbers: Vec<i64>) {
        self.met.extend(numbers.into_iter().map(|number| (number, None)));
    }

    async fn skip(&mut self, _at: &At<'_>, seen: &SeenPage) -> Result<Onward, Failure> {
        self.resume(seen.numbers.clone());
        Ok(Onward::More)
    }

    async fn take(
        &mut self,
        at: &At<'_>,
        body: &[u8],
        draft: &mut Draft,
    ) -> Result<Onward, Failure> {
        let items: Vec<Issue> = draft.decode(at, body, None, |bad| bad.number)?;
        let bad = draft.numbers.clone();
        draft.numbers.extend(items.iter().map(|item| item.number));
        draft.rows = at.subject.rows(newest(items, &mut self.met)).await?;
        self.resume(bad);
        self.to_github = changes(at.subject, &draft.rows);
        Ok(Onward::More)
    }

    fn has_to_act(&self) -> bool {
        !self.to_github.is_empty()
    }

    async fn act(&mut self, at: &At<'_>) -> Result<(), Failure> {
        write_back(at.subject, std::mem::take(&mut self.to_github)).await
    }
}

/// The items that are newer than what was met before under their number, each number once.
fn newest(items: Vec<Issue>, met: &mut Met) -> Vec<Issue> {
    let mut kept: Vec<Issue> = Vec::with_capacity(items.len());
    for item in items {
        match met.get(&item.number) {
            Some(before) if *before >= item.updated_at && before.is_some() => continue,
            _ => {}
        }
        met.insert(item.number, item.updated_at);
        match kept.iter_mut().find(|other| other.number == item.number) {
            Some(other) => *other = item,
            None => kept.push(item),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn issue(number: i64, at: Option<i64>) -> Issue {
        let at = at.and_then(|at| DateTime::from_timestamp(1_767_225_600 + at, 0));
        let said = serde_json::json!({"number": number, "state": "open", "updated_at": at});
        serde_json::from_value(said).unwrap()
    }

    proptest! {
        #[test]
        fn of_each_number_the_newest_is_written_last_and_none_twice_on_a_page(
            pages in prop::collection::vec(prop::collection::vec((0..4_i64, 0..5_i64), 0..8), 0..4),
        ) {
            let (mut met, mut written) = (Met::new(), HashMap::new());
            let mut newest_of = HashMap::new();
            for page in &pages {
                let items = page.iter().map(|(number, at)| issue(*number, Some(*at))).collect();
                let kept = newest(items, &mut met);
                let numbers: HashSet<i64> = kept.iter().map(|item| item.number).collect();
                prop_assert_eq!(numbers.len(), kept.len());
                for item in kept {
                    written.insert(item.number, item.updated_at);
                }
                for (number, at) in page {
                    let newest: &mut i64 = newest_of.entry(*number).or_insert(*at);
                    *newest = (*newest).max(*at);
                }
            }
            let right = newest_of.iter().map(|(n, at)| (*n, issue(*n, Some(*at)).updated_at));
            prop_assert_eq!(written, right.collect::<HashMap<_, _>>());
        }
    }
}
