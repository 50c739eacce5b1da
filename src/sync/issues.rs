//! The issues of one repository: its open list and its closed list, each in pages.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::rows;
use super::run::{Failure, Run};
use super::window::IssueList;
use crate::api::RepoName;
use crate::github::model::Issue;
use crate::github::{self, Answer, Body, decode_list};
use crate::store::{self, Completion, Counts, IssueRow, PageWrite, PullRow, SeenPage, SetAside};

/// What has been done in a repository so far, also when it fails later.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) pages: i64,
    pub(super) counts: Counts,
}

/// A page on its way from GitHub to the store.
struct Page {
    /// Its items; none when it is as it was.
    body: Option<bytes::Bytes>,
    seen: Option<SeenPage>,
    /// GitHub's time when the pass began.
    began_at: DateTime<Utc>,
    last: bool,
}

/// The newest `updated_at` under which each number was met in this repository's lists.
type Met = HashMap<i64, Option<DateTime<Utc>>>;

/// Reads both lists and stores what is new.
pub(super) async fn sync(
    run: &Run,
    name: &RepoName,
    repository_id: i64,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut met = Met::new();
    for list in [IssueList::Open, IssueList::Closed] {
        let cursor = match list.has_cursor() && !run.full {
            true => run.store.cursor(repository_id, list.resource()).await?,
            false => None,
        };
        let reader = Reader { run, name, repository_id, list };
        match reader.pass(list.first_page(name, cursor), &mut met, tally).await {
            // Issues are switched off in this repository: rows stay as they are.
            Err(Failure::GitHub(github::Error::Gone { .. })) => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

struct Reader<'a> {
    run: &'a Run,
    name: &'a RepoName,
    repository_id: i64,
    list: IssueList,
}

impl Reader<'_> {
    /// One pass over the list. A page is written while the next is being read.
    async fn pass(&self, first: String, met: &mut Met, tally: &mut Tally) -> Result<(), Failure> {
        let (to_writer, from_reader) = mpsc::channel(1);
        let (read, written) =
            tokio::join!(self.read(first, to_writer), self.write(from_reader, met, tally));
        // A writer that fails makes the reader stop, so its error is the cause.
        written.and(read)
    }

    async fn read(&self, first: String, to_writer: mpsc::Sender<Page>) -> Result<(), Failure> {
        let source = self.run.source.for_owner(self.name.owner());
        let mut began_at = None;
        let mut path = Some(first);
        while let Some(this) = path {
            let url = source.url(&this);
            let seen = match self.run.full {
                true => None,
                false => self.run.store.seen_page(&url, source.identity()).await?,
            };
            let etag = seen.as_ref().map(|seen| seen.etag.as_str());
            let answer = self.run.until_stopped(source.get(&this, etag)).await??;
            let began_at = *began_at.get_or_insert(answer.date);
            let (body, seen) = self.page(url, seen, answer)?;
            path = match seen.as_ref().and_then(|seen| seen.next_url.as_deref()) {
                Some(next) => Some(source.path(next)?),
                None => None,
            };
            let page = Page { body, seen, began_at, last: path.is_none() };
            if to_writer.send(page).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What the answer is: the page that was stored with its ETag, or a new one.
    fn page(
        &self,
        url: String,
        seen: Option<SeenPage>,
        answer: Answer,
    ) -> Result<(Option<bytes::Bytes>, Option<SeenPage>), Failure> {
        match (answer.body, seen) {
            (Body::Unchanged, Some(seen)) => Ok((None, Some(seen))),
            (Body::Unchanged, None) => Err(github::Error::Refused {
                what: self.name.to_string(),
                status: 304,
                message: "nothing was known that could be unchanged".to_owned(),
            }
            .into()),
            (Body::Json(body), _) => {
                let next_url = answer.next.map(|path| self.run.source.url(&path));
                let seen = SeenPage {
                    url,
                    identity: self.run.source.identity().to_owned(),
                    etag: answer.etag.unwrap_or_default(),
                    next_url,
                    numbers: Vec::new(),
                };
                Ok((Some(body), Some(seen)))
            }
        }
    }

    async fn write(
        &self,
        mut from_reader: mpsc::Receiver<Page>,
        met: &mut Met,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let mut changed = false;
        while let Some(page) = from_reader.recv().await {
            let completes = page.last.then_some(Completion {
                cursor: self.list.has_cursor().then_some(page.began_at),
                changed,
            });
            let write = match page.body {
                Some(body) => self.decode(&body, page.seen, completes, met).await?,
                None => {
                    let numbers = page.seen.map(|seen| seen.numbers).unwrap_or_default();
                    tally.counts.unchanged += i64::try_from(numbers.len()).unwrap_or(i64::MAX);
                    met.extend(numbers.into_iter().map(|number| (number, None)));
                    self.empty(completes)
                }
            };
            tally.pages += 1;
            // A page in the middle of which nothing is new needs no transaction.
            if write.seen.is_none() && write.completes.is_none() && is_empty(&write) {
                continue;
            }
            let counts = put(self.run, write).await?;
            changed |= counts.changed();
            tally.counts += counts;
        }
        Ok(())
    }

    /// The page as it is written: the newest of each number, the rest set aside or left out.
    async fn decode(
        &self,
        body: &[u8],
        seen: Option<SeenPage>,
        completes: Option<Completion>,
        met: &mut Met,
    ) -> Result<PageWrite, Failure> {
        let decoded = decode_list::<Issue>(body, None).map_err(|problem| {
            let what = format!("/repos/{}/issues", self.name);
            github::Error::Unreadable { what, expected: "a list of issues", problem }
        })?;
        let numbers: Vec<i64> = decoded.items.iter().map(|item| item.number).collect();
        let items = newest(decoded.items, met);
        self.run.met(items.len());
        let stored = self.stored_labels(&items).await?;
        let none = Vec::new();
        let mut write = self.empty(completes);
        for item in items {
            if item.pull_request.is_some() {
                write.pulls.push(rows::pull(item, self.repository_id));
            } else {
                let stored = stored.get(&item.number).unwrap_or(&none);
                write.issues.push(rows::issue(item, self.repository_id, &self.run.rules, stored));
            }
        }
        let aside =
            |bad: github::BadItem| SetAside { item_key: bad.key, error: bad.error, raw: bad.raw };
        write.set_aside = decoded.bad.into_iter().map(aside).collect();
        // Without the ETag, the page is read again until nothing on it is bad any more.
        let whole = write.set_aside.is_empty();
        let seen = seen.filter(|seen| whole && !seen.etag.is_empty());
        write.seen = seen.map(|seen| SeenPage { numbers, ..seen });
        Ok(write)
    }

    async fn stored_labels(&self, items: &[Issue]) -> Result<HashMap<i64, Vec<String>>, Failure> {
        if !self.run.rules.keep_any() {
            return Ok(HashMap::new());
        }
        let numbers: Vec<i64> = items.iter().map(|item| item.number).collect();
        Ok(self.run.store.labels(self.repository_id, &numbers).await?.into_iter().collect())
    }

    fn empty(&self, completes: Option<Completion>) -> PageWrite {
        PageWrite {
            repository_id: self.repository_id,
            resource: self.list.resource(),
            at: self.run.clock.now(),
            issues: Vec::new(),
            pulls: Vec::new(),
            set_aside: Vec::new(),
            seen: None,
            completes,
        }
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

fn is_empty(page: &PageWrite) -> bool {
    page.issues.is_empty() && page.pulls.is_empty() && page.set_aside.is_empty()
}

/// Writes the page. If the database refuses a row, each is written alone, and what is still refused
/// is set aside.
async fn put(run: &Run, page: PageWrite) -> Result<Counts, Failure> {
    match run.store.put_page(&run.tenure, &page).await {
        Err(store::Error::Refused { .. }) => {}
        other => return Ok(other?),
    }
    let mut counts = Counts::default();
    let rest = PageWrite { issues: vec![], pulls: vec![], seen: None, completes: None, ..page };
    let mut set_aside = rest.set_aside.clone();
    let singles = page.issues.iter().map(Single::Issue).chain(page.pulls.iter().map(Single::Pull));
    for single in singles {
        let alone = single.alone(&rest);
        match run.store.put_page(&run.tenure, &alone).await {
            Err(error @ store::Error::Refused { .. }) => set_aside.push(single.aside(&error)),
            other => counts += other?,
        }
    }
    let completes = page.completes.map(|completion| Completion {
        changed: completion.changed || counts.changed(),
        ..completion
    });
    let last = PageWrite { set_aside, completes, ..rest };
    counts += run.store.put_page(&run.tenure, &last).await?;
    Ok(counts)
}

/// One row that is written alone.
enum Single<'a> {
    Issue(&'a IssueRow),
    Pull(&'a PullRow),
}

impl Single<'_> {
    fn alone(&self, rest: &PageWrite) -> PageWrite {
        let mut page = PageWrite { set_aside: Vec::new(), ..rest.clone() };
        match self {
            Self::Issue(row) => page.issues.push((*row).clone()),
            Self::Pull(row) => page.pulls.push((*row).clone()),
        }
        page
    }

    fn aside(&self, error: &store::Error) -> SetAside {
        let (number, raw) = match self {
            Self::Issue(row) => (row.number, serde_json::to_string(row)),
            Self::Pull(row) => (row.number, serde_json::to_string(row)),
        };
        SetAside {
            item_key: Some(number.to_string()),
            error: store::chain(error),
            raw: raw.unwrap_or_else(|_| "null".to_owned()),
        }
    }
}
