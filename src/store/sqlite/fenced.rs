//! The transaction in which a run writes: it has read the fence, and a dry run leaves no trace.

use std::ops::{Deref, DerefMut};

use sqlx::{Sqlite as Db, Transaction};

use super::Sqlite;
use crate::lease::{RunNumber, Tenure};
use crate::store::Error;

/// A transaction of the active run.
pub(super) struct Fenced {
    tx: Transaction<'static, Db>,
    number: RunNumber,
    dry: bool,
    doing: &'static str,
}

impl Fenced {
    /// Begins, if the run that `tenure` belongs to is the active one.
    pub(super) async fn begin(
        store: &Sqlite,
        tenure: &Tenure,
        doing: &'static str,
    ) -> Result<Self, Error> {
        let mut tx = store.begin(doing).await?;
        let (active, holder, dry): (i64, String, bool) = sqlx::query_as(
            "SELECT active, holder, coalesce((SELECT dry_run FROM sync_runs \
             WHERE run_number = active), 0) FROM sync_fence",
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(|source| Error::of(doing, source))?;
        if active == tenure.number().0 && holder == tenure.holder().as_str() {
            Ok(Self { tx, number: tenure.number(), dry, doing })
        } else {
            Err(Error::Superseded { number: tenure.number(), active: RunNumber(active) })
        }
    }

    /// Whether what is written will be taken back.
    pub(super) fn is_dry(&self) -> bool {
        self.dry
    }

    /// Commits data. A dry run has counted it, and takes it back.
    pub(super) async fn commit_data(mut self) -> Result<(), Error> {
        if self.dry {
            return self.tx.rollback().await.map_err(|source| Error::of(self.doing, source));
        }
        sqlx::query("UPDATE sync_runs SET committed = 1 WHERE run_number = ?1 AND committed = 0")
            .bind(self.number.0)
            .execute(&mut *self.tx)
            .await
            .map_err(|source| Error::of(self.doing, source))?;
        self.commit_history().await
    }

    /// Commits what belongs to the history, also in a dry run.
    pub(super) async fn commit_history(self) -> Result<(), Error> {
        self.tx.commit().await.map_err(|source| Error::of(self.doing, source))
    }
}

impl Deref for Fenced {
    type Target = Transaction<'static, Db>;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

impl DerefMut for Fenced {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tx
    }
}
