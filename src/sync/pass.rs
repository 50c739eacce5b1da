//! One pass over one list: a page is written while the next is being read.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::put::put;
use super::run::{Failure, Subject};
use super::window::{IssueList, SIZES, may_resume};
use super::write_back::{changes, write_back};
use crate::github::model::Issue;
use crate::github::{self, Answer, Body, decode_list};
use crate::store::{Completion, Counts, Cursor, PageWrite, Reached, Resume, SeenPage, SetAside};

/// What has been done in a repository so far, also when it fails later.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) pages: i64,
    pub(super) counts: Counts,
}

/// The newest `updated_at` under which each number was met in this repository's lists.
pub(super) type Met = HashMap<i64, Option<DateTime<Utc>>>;

/// A pass over one list of a repository.
pub(super) struct Pass<'a> {
    subject: &'a Subject<'a>,
    list: IssueList,
    met: &'a mut Met,
    tally: &'a mut Tally,
    /// GitHub's time when the pass began; of one that begins again, when it first did.
    began_at: Option<DateTime<Utc>>,
    /// Whether it has changed a row, also before it began again.
    changed: bool,
}

/// Where a pass begins.
struct Beginning {
    /// Which pass it is; see [`Resume`].
    key: String,
    path: String,
    /// Whether it goes on where it was cut short.
    resumed: bool,
    /// Whether pages that are remembered are read all the same.
    anew: bool,
}

/// A page on its way from GitHub to the store.
struct Page {
    /// Its items; none when it is as it was.
    body: Option<Bytes>,
    seen: SeenPage,
    /// GitHub's time when it was read.
    date: DateTime<Utc>,
}

impl<'a> Pass<'a> {
    pub(super) fn over(
        list: IssueList,
        subject: &'a Subject<'a>,
        met: &'a mut Met,
        tally: &'a mut Tally,
    ) -> Self {
        Self { subject, list, met, tally, began_at: None, changed: false }
    }

    /// Reads the list to its end. Where its pages are too much for GitHub, it begins again with
    /// pages of half the size: none is skipped.
    pub(super) async fn run(&mut self) -> Result<(), Failure> {
        let (run, id) = (self.subject.run, self.subject.id);
        let known = run.store.cursor(id, self.list.resource(), run.source.base_url()).await?;
        let (mut beginning, mut at) = match self.resume(&known).await? {
            Some(resumed) => resumed,
            None => (self.beginning(&known, SIZES[0]), 0),
        };
        loop {
            let error = match self.read_and_write(&beginning).await {
                Err(Failure::GitHub(error)) => error,
                done => return done,
            };
            let anew = match error {
                _ if error.is_too_much() && at + 1 < SIZES.len() => {
                    at += 1;
                    tracing::info!(repo.name = %self.subject.name, size = SIZES[at], "smaller pages");
                    beginning.anew
                }
                // Pages that are remembered may lead wrong: they are read once more as they are now.
                github::Error::LinkedInCircles { .. } if !beginning.anew => true,
                error => return Err(error.into()),
            };
            beginning = Beginning { anew, ..self.beginning(&known, SIZES[at]) };
        }
    }

    fn beginning(&self, known: &Cursor, size: u8) -> Beginning {
        let run = self.subject.run;
        let since = known.since.filter(|_| !run.full);
        let path = self.list.first_page(&self.subject.name, since, size);
        let first = run.source.url(&path);
        // A full pass reads all of it anew, so only the same request's may be gone on with.
        let key = if run.full { format!("{first}#{}", run.request) } else { first };
        Beginning { key, path, resumed: false, anew: false }
    }

    /// Where the pass goes on that was cut short, with the place of its page size in [`SIZES`].
    async fn resume(&mut self, known: &Cursor) -> Result<Option<(Beginning, usize)>, Failure> {
        let run = self.subject.run;
        let Some(resume) = known.resume.as_ref().filter(|_| !run.dry) else { return Ok(None) };
        for (at, size) in SIZES.iter().enumerate() {
            let begun = self.beginning(known, *size);
            if !may_resume(resume, &begun.key, run.clock.now()) {
                continue;
            }
            let path = self.subject.source.path(&resume.next_url)?;
            let first = run.source.url(&begun.path);
            let Some(numbers) = self.read_before(first, &resume.next_url).await? else {
                return Ok(None);
            };
            self.met.extend(numbers.into_iter().map(|number| (number, None)));
            (self.began_at, self.changed) = (Some(resume.began_at), resume.changed);
            return Ok(Some((Beginning { path, resumed: true, ..begun }, at)));
        }
        Ok(None)
    }

    /// The numbers on the pages before `until`, as they were remembered. `None` when one is not.
    async fn read_before(&self, first: String, until: &str) -> Result<Option<Vec<i64>>, Failure> {
        let run = self.subject.run;
        let (mut numbers, mut walked) = (Vec::new(), HashSet::new());
        let mut url = first;
        while url != until {
            let seen = run.store.seen_page(&url, &self.subject.identity).await?;
            let Some(SeenPage { next_url: Some(next), numbers: on_page, .. }) = seen else {
                return Ok(None);
            };
            numbers.extend(on_page);
            if !walked.insert(url) {
                return Ok(None);
            }
            url = next;
        }
        Ok(Some(numbers))
    }

    async fn read_and_write(&mut self, beginning: &Beginning) -> Result<(), Failure> {
        let (to_writer, from_reader) = mpsc::channel(1);
        let reader = Reader { subject: self.subject };
        let read = reader.read(beginning, to_writer);
        let (read, written) = tokio::join!(read, self.write(beginning, from_reader));
        // A writer that fails makes the reader stop, so its error is the cause.
        written.and(read)
    }

    async fn write(
        &mut self,
        beginning: &Beginning,
        mut from_reader: mpsc::Receiver<Page>,
    ) -> Result<(), Failure> {
        let (mut whole, mut promised) = (true, beginning.resumed);
        while let Some(page) = from_reader.recv().await {
            let began_at = *self.began_at.get_or_insert(page.date);
            let reached = self.reached(beginning, &page, began_at);
            self.tally.pages += 1;
            let led_here = std::mem::replace(&mut promised, true);
            let mut write = match page.body {
                Some(body) => self.decode(&body, page.seen, reached).await?,
                None => {
                    self.skip(&page.seen);
                    // In the middle of a pass there is nothing to write then.
                    if matches!(reached, Reached::Page(_)) {
                        continue;
                    }
                    self.subject.page(self.list.resource(), reached)
                }
            };
            whole &= is_whole(&write, led_here);
            write.reached = as_far_as(write.reached, whole);
            let to_github = changes(self.subject, &write);
            let counts = put(self.subject.run, write).await?;
            self.changed |= counts.changed();
            self.tally.counts += counts;
            write_back(self.subject, to_github).await?;
        }
        Ok(())
    }

    fn reached(&self, beginning: &Beginning, page: &Page, began_at: DateTime<Utc>) -> Reached {
        let (run, changed) = (self.subject.run, self.changed);
        match &page.seen.next_url {
            Some(next_url) => Reached::Page(Resume {
                pass: beginning.key.clone(),
                next_url: next_url.clone(),
                at: run.clock.now(),
                began_at,
                changed,
            }),
            None => Reached::End(Completion {
                source: run.source.base_url().to_owned(),
                cursor: self.list.has_cursor().then_some(began_at),
                changed,
                horizon: None,
            }),
        }
    }

    /// Counts the items of a page that is as it was.
    fn skip(&mut self, seen: &SeenPage) {
        self.tally.counts.unchanged += i64::try_from(seen.numbers.len()).unwrap_or(i64::MAX);
        self.met.extend(seen.numbers.iter().map(|number| (*number, None)));
        self.subject.run.met(seen.numbers.len());
    }

    /// The page as it is written: the newest of each number, the rest set aside or left out.
    async fn decode(
        &mut self,
        body: &[u8],
        seen: SeenPage,
        reached: Reached,
    ) -> Result<PageWrite, Failure> {
        let (run, name) = (self.subject.run, &self.subject.name);
        let decoded = decode_list::<Issue>(body, None).map_err(|problem| {
            let what = format!("/repos/{name}/issues");
            github::Error::Unreadable { what, expected: "a list of issues", problem }
        })?;
        if decoded.nuls > 0 {
            let nuls = decoded.nuls;
            tracing::info!(repo.name = %name, nuls, "U+0000 was taken out: no database can hold it");
        }
        let bad_numbers = decoded.bad.iter().filter_map(|bad| bad.number);
        let numbers: Vec<i64> =
            decoded.items.iter().map(|item| item.number).chain(bad_numbers).collect();
        let items = newest(decoded.items, self.met);
        self.met.extend(decoded.bad.iter().filter_map(|bad| Some((bad.number?, None))));
        run.met(items.len());
        let mut write = self.subject.page(self.list.resource(), reached);
        self.subject.add(items, &mut write).await?;
        write.set_aside = decoded.bad.into_iter().map(SetAside::from).collect();
        // Without an ETag the page is read again until nothing on it is bad any more.
        let etag = if write.set_aside.is_empty() { seen.etag } else { String::new() };
        write.seen = Some(SeenPage { etag, numbers, ..seen });
        Ok(write)
    }
}

/// Whether nothing can be missing on this page that would never be asked for again: an item without
/// a readable number, or all of a page to which the one before it has led.
fn is_whole(write: &PageWrite, promised: bool) -> bool {
    let is_known =
        |item: &SetAside| item.item_key.as_deref().is_some_and(|key| key.parse::<i64>().is_ok());
    let is_empty = write.seen.as_ref().is_some_and(|seen| seen.numbers.is_empty());
    write.set_aside.iter().all(is_known) && !(promised && is_empty)
}

/// How far a pass has come. After a page that is not whole it neither moves the cursor nor goes on
/// from a later page: the next pass reads it again.
fn as_far_as(reached: Reached, whole: bool) -> Reached {
    match reached {
        reached if whole => reached,
        Reached::End(end) => Reached::End(Completion { cursor: None, ..end }),
        Reached::Page(_) | Reached::Nothing => Reached::Nothing,
    }
}

/// Reads page after page, ahead of the writer.
struct Reader<'a> {
    subject: &'a Subject<'a>,
}

impl Reader<'_> {
    async fn read(&self, from: &Beginning, to_writer: mpsc::Sender<Page>) -> Result<(), Failure> {
        let (run, source) = (self.subject.run, &self.subject.source);
        let mut path = Some(from.path.clone());
        let mut walked = HashSet::new();
        while let Some(this) = path {
            let url = source.url(&this);
            walked.insert(url.clone());
            let seen = match from.anew {
                true => None,
                false => run.remembered(&url, &self.subject.identity).await?,
            };
            let etag = seen.as_ref().map(|seen| seen.etag.as_str());
            let answer = run.until_stopped(source.get(&this, etag)).await??;
            let date = answer.date;
            let (body, seen) = self.page(url, seen, answer)?;
            // Before it is stored, so that this page does not lead there again.
            if seen.next_url.as_ref().is_some_and(|next| walked.contains(next)) {
                let what = format!("/repos/{}/issues", self.subject.name);
                return Err(github::Error::LinkedInCircles { what }.into());
            }
            path = seen.next_url.as_deref().map(|next| source.path(next)).transpose()?;
            if to_writer.send(Page { body, seen, date }).await.is_err() {
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
    ) -> Result<(Option<Bytes>, SeenPage), Failure> {
        match (answer.body, seen) {
            (Body::Unchanged, Some(seen)) => Ok((None, seen)),
            (Body::Unchanged, None) => Err(github::Error::Refused {
                what: self.subject.name.to_string(),
                status: 304,
                message: "nothing was known that could be unchanged".to_owned(),
            }
            .into()),
            (Body::Json(body), _) => {
                let source = &self.subject.source;
                let seen = SeenPage {
                    url,
                    identity: self.subject.identity.clone(),
                    etag: answer.etag.unwrap_or_default(),
                    next_url: answer.next.map(|path| source.url(&path)),
                    numbers: Vec::new(),
                };
                Ok((Some(body), seen))
            }
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

#[cfg(test)]
mod tests {
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
