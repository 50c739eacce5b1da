//! Reads the pages of a list one after the other, and how far ahead of the writer.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::run::{Failure, Run};
use crate::github::{self, Answer, Body, Source};
use crate::store::SeenPage;

/// A page on its way from GitHub to the store.
pub(super) struct Page {
    /// Its items; none when it is as it was.
    pub(super) body: Option<Bytes>,
    pub(super) seen: SeenPage,
    /// GitHub's time when it was read.
    pub(super) date: DateTime<Utc>,
    /// Given back with the page: only then is another asked for.
    _in_hand: OwnedSemaphorePermit,
}

/// A list that is read page by page.
pub(super) struct Reader<'a> {
    pub(super) run: &'a Run,
    pub(super) source: &'a Source,
    /// Whose ETags are of use.
    pub(super) identity: &'a str,
    /// What is read, for errors.
    pub(super) what: &'a str,
    /// How many pages are in hand at most: with one, none is asked for before the one before it is
    /// done with.
    pub(super) in_hand: usize,
}

impl Reader<'_> {
    /// Reads from the page at `path` on, until the last, or until nobody wants another; with `anew`
    /// also what is as it was.
    pub(super) async fn read(
        &self,
        path: &str,
        anew: bool,
        to_writer: mpsc::Sender<Page>,
    ) -> Result<(), Failure> {
        let hands = Arc::new(Semaphore::new(self.in_hand));
        let mut next = Some(path.to_owned());
        let mut walked = HashSet::new();
        while let Some(path) = next {
            let in_hand = Arc::clone(&hands).acquire_owned().await;
            // It is never closed.
            let Ok(in_hand) = in_hand else { return Ok(()) };
            if to_writer.is_closed() {
                return Ok(());
            }
            let (body, seen, date) = self.ask(&path, anew).await?;
            walked.insert(seen.url.clone());
            // Before it is stored, so that this page does not lead there again.
            if seen.next_url.as_ref().is_some_and(|next| walked.contains(next)) {
                return Err(github::Error::LinkedInCircles { what: self.what.to_owned() }.into());
            }
            next = seen.next_url.as_deref().map(|next| self.source.path(next)).transpose()?;
            if to_writer.send(Page { body, seen, date, _in_hand: in_hand }).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The page at `path` as it is now, and GitHub's time: nothing in place of the body when it is
    /// as it is remembered.
    pub(super) async fn ask(
        &self,
        path: &str,
        anew: bool,
    ) -> Result<(Option<Bytes>, SeenPage, DateTime<Utc>), Failure> {
        let url = self.source.url(path);
        let seen = match anew {
            true => None,
            false => self.run.remembered(&url, self.identity).await?,
        };
        let etag = seen.as_ref().map(|seen| seen.etag.as_str());
        let Answer { body, etag, next, date } =
            self.run.until_stopped(self.source.get(path, etag)).await??;
        match (body, seen) {
            (Body::Unchanged, Some(seen)) => Ok((None, seen, date)),
            (Body::Unchanged, None) => Err(github::Error::Refused {
                what: self.what.to_owned(),
                status: 304,
                message: "nothing was known that could be unchanged".to_owned(),
            }
            .into()),
            (Body::Json(body), _) => {
                let seen = SeenPage {
                    url,
                    identity: self.identity.to_owned(),
                    etag: etag.unwrap_or_default(),
                    next_url: next.map(|path| self.source.url(&path)),
                    numbers: Vec::new(),
                };
                Ok((Some(body), seen, date))
            }
        }
    }
}
