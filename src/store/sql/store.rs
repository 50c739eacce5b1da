//! The contract of the store, kept by the tables in either database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::settled::settled;
use super::{Tables, automation, cursors, history, owner, pages, repositories, runs, upkeep};
use crate::lease::{RunNumber, Tenure};
use crate::store::{
    Activation, Counts, Cursor, Error, KnownPackage, KnownRun, Missing, NewRun, PageWrite, Removal,
    RepositoryRecord, RepositoryRow, Retention, RunEnd, RunRecord, SeenPage, Store, Untrack,
    Vanished,
};

/// What is a store by its tables.
pub trait Backed: Send + Sync {
    #[doc(hidden)]
    fn tables(&self) -> &Tables;
}

#[async_trait]
impl<B: Backed> Store for B {
    async fn prepare(&self, owner: &str) -> Result<(), Error> {
        settled(|| owner::prepare(self.tables(), owner)).await
    }

    async fn newest(&self) -> Result<RunNumber, Error> {
        runs::newest(self.tables()).await
    }

    async fn ticket(&self, floor: RunNumber) -> Result<RunNumber, Error> {
        settled(|| runs::ticket(self.tables(), floor)).await
    }

    async fn activate(&self, tenure: &Tenure, run: &NewRun) -> Result<Activation, Error> {
        settled(|| runs::activate(self.tables(), tenure, run)).await
    }

    async fn finish(&self, tenure: &Tenure, end: &RunEnd) -> Result<(), Error> {
        settled(|| runs::finish(self.tables(), tenure, end)).await
    }

    async fn run_of(&self, request_uid: &str) -> Result<Option<RunRecord>, Error> {
        history::run_of(self.tables(), request_uid).await
    }

    async fn answer_of(&self, request_uid: &str) -> Result<Option<RunRecord>, Error> {
        history::answer_of(self.tables(), request_uid).await
    }

    async fn history(&self, limit: u32) -> Result<Vec<RunRecord>, Error> {
        history::newest(self.tables(), limit).await
    }

    async fn put_repository(
        &self,
        tenure: &Tenure,
        row: &RepositoryRow,
        seen: Option<&SeenPage>,
    ) -> Result<(), Error> {
        settled(|| repositories::put(self.tables(), tenure, row, seen)).await
    }

    async fn repository_id(&self, full_name: &str) -> Result<Option<i64>, Error> {
        repositories::id(self.tables(), full_name).await
    }

    async fn repositories_named(&self, full_name: &str) -> Result<Vec<i64>, Error> {
        repositories::named(self.tables(), full_name).await
    }

    async fn repository(&self, id: i64) -> Result<Option<RepositoryRow>, Error> {
        repositories::get(self.tables(), id).await
    }

    async fn latest_commit(&self, id: i64) -> Result<Option<String>, Error> {
        repositories::latest_commit(self.tables(), id).await
    }

    async fn labels(
        &self,
        repository_id: i64,
        numbers: &[i64],
    ) -> Result<Vec<(i64, Vec<String>)>, Error> {
        pages::labels(self.tables(), repository_id, numbers).await
    }

    async fn put_page(&self, tenure: &Tenure, page: &PageWrite) -> Result<Counts, Error> {
        settled(|| pages::put(self.tables(), tenure, page)).await
    }

    async fn seen_page(&self, url: &str, identity: &str) -> Result<Option<SeenPage>, Error> {
        pages::seen(self.tables(), url, identity).await
    }

    async fn cursor(
        &self,
        repository_id: i64,
        resource: &str,
        source: &str,
    ) -> Result<Cursor, Error> {
        cursors::get(self.tables(), repository_id, resource, source).await
    }

    async fn missing(&self, repository_id: i64, met: &[i64]) -> Result<Missing, Error> {
        upkeep::missing(self.tables(), repository_id, met).await
    }

    async fn unfit(&self, repository_id: i64, done: &str) -> Result<Vec<(i64, bool)>, Error> {
        upkeep::unfit(self.tables(), repository_id, done).await
    }

    async fn set_aside(&self, repository_id: i64, kind: &str) -> Result<Vec<String>, Error> {
        upkeep::set_aside(self.tables(), repository_id, kind).await
    }

    async fn remove(
        &self,
        tenure: &Tenure,
        repository_id: i64,
        removals: &[Removal],
        at: DateTime<Utc>,
    ) -> Result<i64, Error> {
        settled(|| upkeep::remove(self.tables(), tenure, repository_id, removals, at)).await
    }

    async fn known_runs(&self, ids: &[i64]) -> Result<Vec<KnownRun>, Error> {
        automation::known_runs(self.tables(), ids).await
    }

    async fn unfinished_runs(&self, repository_id: i64) -> Result<Vec<i64>, Error> {
        automation::unfinished_runs(self.tables(), repository_id).await
    }

    async fn oldest_update(
        &self,
        repository_id: i64,
        numbers: &[i64],
    ) -> Result<Option<DateTime<Utc>>, Error> {
        automation::oldest_update(self.tables(), repository_id, numbers).await
    }

    async fn known_packages(&self, ids: &[i64]) -> Result<Vec<KnownPackage>, Error> {
        automation::known_packages(self.tables(), ids).await
    }

    async fn vanish(
        &self,
        tenure: &Tenure,
        which: &Vanished,
        at: DateTime<Utc>,
    ) -> Result<i64, Error> {
        settled(|| automation::vanish(self.tables(), tenure, which, at)).await
    }

    async fn untrack(&self, tenure: &Tenure, which: &Untrack) -> Result<(), Error> {
        settled(|| upkeep::untrack(self.tables(), tenure, which)).await
    }

    async fn prune(
        &self,
        tenure: &Tenure,
        retention: &Retention,
        now: DateTime<Utc>,
    ) -> Result<i64, Error> {
        upkeep::prune(self.tables(), tenure, retention, now).await
    }

    async fn put_outcome(&self, tenure: &Tenure, record: &RepositoryRecord) -> Result<(), Error> {
        settled(|| runs::put_outcome(self.tables(), tenure, record)).await
    }

    async fn adopt(&self, owner: &str) -> Result<Option<String>, Error> {
        settled(|| owner::adopt(self.tables(), owner)).await
    }
}
