//! The request that ran last: it is seen to before another one runs.

use kube::ResourceExt;

use super::candidate::{after_gone, hindered};
use super::execution::Execution;
use super::observe::show;
use super::status::Change;
use super::track::{Answer, Attempt, Track};
use super::write::{Written, write};
use super::{Context, Error};
use crate::api::{Phase, SyncRequest};
use crate::lease::Got;
use crate::store::{self, RunRecord};

impl Track {
    /// Reads the request of the newest run anew, if that is not the head's; of earlier ones, this was
    /// done before the newest began. The Lease can be had, so that run is over or its holder is lost.
    ///
    /// The request may still be shown as running, and our watch be late: then it is the head, and is
    /// repaired first. Or the write that shows it so is still on its way: it would arrive beside the
    /// head's run. A status is only written over the run number that was seen, so the number of that
    /// run is put there, and whatever its holder may still send is refused.
    ///
    /// An answer if the head is not to run now.
    pub(super) async fn see_to_former(
        &mut self,
        head: &SyncRequest,
        attempt: &mut Attempt,
    ) -> Option<Answer> {
        let newest = match self.ctx.store.history(1).await {
            Ok(newest) => newest.into_iter().next(),
            Err(error) => return Some(self.store_refused(head, &error, attempt).await),
        };
        let record = newest.filter(|record| record.uid != head.uid())?;
        match self.repair(&record, attempt).await {
            Ok(true) => {}
            // Something has changed meanwhile.
            Ok(false) => return Some(Got::Nobody),
            Err(error) => {
                tracing::warn!(
                    error = store::chain(&error),
                    "the request that ran last is not repaired"
                );
                return Some(hindered(attempt));
            }
        }
        let now = self.ctx.queue().head();
        now.is_none_or(|now| Some(now.uid) != head.uid()).then_some(Got::Nobody)
    }

    /// Whether nothing has come in between.
    async fn repair(&mut self, record: &RunRecord, attempt: &Attempt) -> Result<bool, Error> {
        let Some(former) = request_of(record, &self.ctx).await? else { return Ok(true) };
        let number = former.status.as_ref().and_then(|status| status.run_number);
        match former.phase() {
            Phase::Running => show(&former, &self.ctx),
            Phase::Queued if number < Some(record.number.0) && !record.is_final() => {
                // Its run may be a healthy one that was granted after the Lease was read.
                if !self.is_unchanged(attempt).await {
                    return Ok(false);
                }
                let change = Change::LeftBehind { number: record.number };
                let written = write(&former, &change, &self.ctx).await?;
                return Ok(matches!(written, Written::Done(_)));
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Execution {
    /// Looks once more at the request of the run before: its holder may have been granted before us, and have
    /// been activated and have shown it after [`Track::see_to_former`] had looked. From our own activation
    /// on, no older number can be activated. Again and again until the API server has answered; `None`:
    /// the Lease is lost, or the process must end.
    pub(super) async fn close_former(&self) -> Option<()> {
        let Some(record) = &self.former else { return Some(()) };
        if record.uid.as_deref() == Some(&self.live.uid) {
            return Some(());
        }
        while let Err(error) = self.close(record).await {
            tracing::warn!(error = store::chain(&error), "again");
            if self.pause().await {
                return None;
            }
        }
        Some(())
    }

    async fn close(&self, record: &RunRecord) -> Result<(), Error> {
        while let Some(former) = request_of(record, &self.ctx).await? {
            let number = former.status.as_ref().and_then(|status| status.run_number);
            let change = match former.phase() {
                Phase::Running if record.is_final() => self.end_of(record).await,
                Phase::Running => after_gone(&former, Some(record), &self.ctx),
                Phase::Queued if number < Some(record.number.0) && !record.is_final() => {
                    Change::LeftBehind { number: record.number }
                }
                _ => return Ok(()),
            };
            write(&former, &change, &self.ctx).await?;
        }
        Ok(())
    }

    /// The end of that run, with its repositories if the store tells them.
    async fn end_of(&self, record: &RunRecord) -> Change {
        let uid = record.uid.as_deref().unwrap_or_default();
        match self.ctx.store.run_of(uid).await {
            Ok(Some(whole)) if whole.number == record.number => Change::from_record(&whole),
            _ => Change::from_record(record),
        }
    }
}

/// The request of a run as it is now, if it is still there and in a namespace that is ours.
async fn request_of(record: &RunRecord, ctx: &Context) -> Result<Option<SyncRequest>, Error> {
    let (Some(namespace), Some(name)) = (&record.namespace, &record.name) else {
        return Ok(None);
    };
    match ctx.requests(namespace).get_opt(name).await {
        Ok(found) => Ok(found.filter(|it| it.uid() == record.uid)),
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(None),
        Err(source) => Err(Error::Read { request: name.clone(), source }),
    }
}
