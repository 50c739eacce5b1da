//! One pass over one list: a page is written while the next is being read.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use super::list::{At, Draft, List, Onward};
use super::put::{put, with_changes};
use super::reader::{Page, Reader};
use super::run::Failure;
use super::subject::Subject;
use super::window::{SIZES, may_resume};
use crate::github;
use crate::store::{Completion, Counts, Cursor, PageWrite, Reached, Resume, SeenPage};

/// What has been done in a repository so far, also when it fails later.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) pages: i64,
    pub(super) counts: Counts,
    /// Whether the limits have cut off the older part of a list.
    pub(super) truncated: bool,
}

/// How a pass has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Each item of the list has been met, in this run or an earlier part of the pass.
    Whole,
    /// Something was left out: it is known already, beyond the limit, or cannot be read.
    Part,
}

/// A pass over one list of a repository.
pub(super) struct Pass<'a, L> {
    subject: &'a Subject<'a>,
    list: L,
    tally: &'a mut Tally,
    /// What is known from earlier passes.
    known: Cursor,
    /// GitHub's time when the pass began; of one that begins again, when it first did.
    began_at: Option<DateTime<Utc>>,
    /// Whether it has changed a row, also before it began again.
    changed: bool,
    /// Whether nothing is missing on its pages.
    whole: bool,
    /// Whether it has come to the last page, and not only to one that was enough.
    ended: bool,
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

impl<'a, L: List> Pass<'a, L> {
    /// A pass that has not begun, with what is known of the list from earlier ones.
    pub(super) async fn over(
        list: L,
        subject: &'a Subject<'a>,
        tally: &'a mut Tally,
    ) -> Result<Self, Failure> {
        let (run, resource) = (subject.run, list.resource());
        let known = run.store.cursor(subject.id, resource, run.source.base_url()).await?;
        let (whole, ended) = (true, false);
        Ok(Self { subject, list, tally, known, began_at: None, changed: false, whole, ended })
    }

    /// Reads the list to its end, and gives it back. Where its pages are too much for GitHub, it
    /// begins again with pages of half the size: none is skipped.
    pub(super) async fn run(mut self) -> Result<(L, Extent), Failure> {
        let (mut beginning, mut at) = match self.resume().await? {
            Some(resumed) => resumed,
            None => (self.beginning(SIZES[0]), 0),
        };
        loop {
            let error = match self.read_and_write(&beginning).await {
                Ok(()) if self.whole && self.ended => return Ok((self.list, Extent::Whole)),
                Ok(()) => return Ok((self.list, Extent::Part)),
                Err(Failure::GitHub(error)) => error,
                Err(other) => return Err(other),
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
            self.whole = true;
            beginning = Beginning { anew, ..self.beginning(SIZES[at]) };
        }
    }

    fn beginning(&self, size: u8) -> Beginning {
        let run = self.subject.run;
        let path = self.list.first_page(&self.subject.name, self.since(), size);
        let first = run.source.url(&path);
        // What another request has read may be from before this one was created: it would not see
        // what has changed in between. So only the same request's is gone on with.
        let key = format!("{first}#{}", run.request);
        Beginning { key, path, resumed: false, anew: false }
    }

    fn since(&self) -> Option<DateTime<Utc>> {
        self.known.since.filter(|_| !self.subject.run.full)
    }

    /// Where the pass goes on that was cut short, with the place of its page size in [`SIZES`].
    async fn resume(&mut self) -> Result<Option<(Beginning, usize)>, Failure> {
        let run = self.subject.run;
        let resume = self.known.resume.clone().filter(|_| !run.dry);
        let Some(resume) = resume else { return Ok(None) };
        for (at, size) in SIZES.iter().enumerate() {
            let begun = self.beginning(*size);
            if !may_resume(&resume, &begun.key, run.clock.now()) {
                continue;
            }
            let path = self.subject.source.path(&resume.next_url)?;
            let first = run.source.url(&begun.path);
            let Some(numbers) = self.read_before(first, &resume.next_url).await? else {
                return Ok(None);
            };
            self.list.resume(numbers);
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
        let subject = self.subject;
        let at = At {
            subject,
            what: beginning.path.split('?').next().unwrap_or_default().to_owned(),
            expected: self.list.expected(),
            since: self.since(),
        };
        let reader = Reader {
            run: subject.run,
            source: &subject.source,
            identity: &subject.identity,
            what: &at.what,
            in_hand: if self.list.is_read_whole() { 2 } else { 1 },
        };
        let read = reader.read(&beginning.path, beginning.anew, to_writer);
        let (read, written) = tokio::join!(read, self.write(&at, beginning, from_reader));
        // A writer that fails makes the reader stop, so its error is the cause.
        written.and(read)
    }

    async fn write(
        &mut self,
        at: &At<'_>,
        beginning: &Beginning,
        mut from_reader: mpsc::Receiver<Page>,
    ) -> Result<(), Failure> {
        let mut promised = beginning.resumed;
        while let Some(page) = from_reader.recv().await {
            let led = std::mem::replace(&mut promised, true);
            let began_at = *self.began_at.get_or_insert(page.date);
            self.tally.pages += 1;
            let (draft, onward) = self.draft(at, &page).await?;
            let reached = self.reached(beginning, &page.seen, onward, began_at);
            let goes_on = matches!(reached, Reached::Page(_));
            if let Reached::End(Completion { horizon: Some(_), .. }) = reached {
                self.tally.truncated = true;
            }
            // In the middle of a pass there is nothing to write for a page that is as it was.
            if draft.is_some() || !goes_on {
                let write = self.page(draft, &page.seen, reached, led);
                self.put(at, write).await?;
            }
            if !goes_on {
                // Before the page is given back, so that no other is asked for.
                from_reader.close();
            }
        }
        Ok(())
    }

    /// Stores the page, and does what is to be done for it at GitHub. That is done when the rows
    /// are stored, as the store knows whether this run may still write, and before the page counts
    /// as read: if it fails, or the process ends in between, the page is read and it is done again.
    async fn put(&mut self, at: &At<'_>, write: PageWrite) -> Result<(), Failure> {
        if !self.list.has_to_act() {
            return self.put_counted(write).await.map(drop);
        }
        let rest = self.subject.page(write.resource, Reached::Nothing);
        let rest = PageWrite { at: write.at, reached: write.reached, ..rest };
        let seen = write.seen.map(|seen| SeenPage { etag: String::new(), ..seen });
        let first = PageWrite { seen, reached: Reached::Nothing, ..write };
        let changed = self.put_counted(first).await?;
        self.list.act(at).await?;
        match with_changes(rest.reached, changed) {
            Reached::Nothing => Ok(()),
            reached => self.put_counted(PageWrite { reached, ..rest }).await.map(drop),
        }
    }

    /// Stores it and counts. Gives whether it has changed a row.
    async fn put_counted(&mut self, write: PageWrite) -> Result<bool, Failure> {
        let counts = put(self.subject.run, write).await?;
        self.changed |= counts.changed();
        self.tally.counts += counts;
        Ok(counts.changed())
    }

    /// What is on the page, unless it is as it was.
    async fn draft(
        &mut self,
        at: &At<'_>,
        page: &Page,
    ) -> Result<(Option<Draft>, Onward), Failure> {
        let Some(body) = &page.body else {
            let items = page.seen.numbers.len();
            self.tally.counts.unchanged += i64::try_from(items).unwrap_or(i64::MAX);
            self.subject.run.met(items);
            return Ok((None, self.list.skip(at, &page.seen).await?));
        };
        let mut draft = Draft::default();
        let onward = self.list.take(at, body, &mut draft).await?;
        draft.each_once();
        Ok((Some(draft), onward))
    }

    fn reached(
        &mut self,
        beginning: &Beginning,
        seen: &SeenPage,
        onward: Onward,
        began_at: DateTime<Utc>,
    ) -> Reached {
        let (run, changed) = (self.subject.run, self.changed);
        let end = |horizon| {
            Reached::End(Completion {
                source: run.source.base_url().to_owned(),
                cursor: self.list.has_cursor().then_some(began_at),
                changed,
                horizon,
            })
        };
        match (&seen.next_url, onward) {
            (None, _) => {
                self.ended = true;
                end(None)
            }
            (Some(next_url), Onward::More) => Reached::Page(Resume {
                pass: beginning.key.clone(),
                next_url: next_url.clone(),
                at: run.clock.now(),
                began_at,
                changed,
            }),
            (Some(_), Onward::Known) => end(self.known.horizon),
            // Of a last page that is as it was, what an earlier pass has said is still so.
            (Some(_), Onward::Cut(oldest)) => end(oldest.or(self.known.horizon).or(Some(began_at))),
        }
    }

    /// The page as it is written. After one that is not whole the pass neither moves the cursor nor
    /// goes on from a later page: the next pass reads it again.
    fn page(
        &mut self,
        draft: Option<Draft>,
        seen: &SeenPage,
        reached: Reached,
        led: bool,
    ) -> PageWrite {
        let mut write = self.subject.page(self.list.resource(), Reached::Nothing);
        if let Some(draft) = draft {
            self.whole &= draft.is_whole(self.list.asks_for_bad_items(), led);
            // Without an ETag the page is read again until nothing on it is bad any more.
            let bad = !draft.set_aside.is_empty();
            let etag = if bad { String::new() } else { seen.etag.clone() };
            write.seen = Some(SeenPage { etag, numbers: draft.numbers, ..seen.clone() });
            (write.rows, write.set_aside) = (draft.rows, draft.set_aside);
        }
        write.reached = match reached {
            reached if self.whole => reached,
            Reached::End(end) => Reached::End(Completion { cursor: None, ..end }),
            Reached::Page(_) | Reached::Nothing => Reached::Nothing,
        };
        write
    }
}
