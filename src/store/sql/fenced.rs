//! The transaction in which a run writes: it has read the fence, and a dry run leaves no trace.

use std::ops::{Deref, DerefMut};

use sqlx::AssertSqlSafe;

use super::{Tables, Transaction};
use crate::lease::{RunNumber, Tenure};
use crate::store::Error;

/// A transaction of the active run.
pub(super) struct Fenced {
    tx: Transaction,
    number: RunNumber,
    dry: bool,
}

impl Fenced {
    /// Begins, if the run that `tenure` belongs to is the active one. None is activated before this
    /// ends.
    pub(super) async fn begin(
        tables: &Tables,
        tenure: &Tenure,
        doing: &'static str,
    ) -> Result<Self, Error> {
        let mut tx = tables.write(doing).await?;
        let for_share = tx.words().for_share;
        let (active, holder, dry): (i64, String, bool) = tx
            .query(AssertSqlSafe(format!(
                "SELECT active, holder, coalesce((SELECT dry_run FROM sync_runs \
                 WHERE run_number = active), false) FROM sync_fence {for_share}"
            )))
            .one()
            .await?;
        if active == tenure.number().0 && holder == tenure.holder().as_str() {
            Ok(Self { tx, number: tenure.number(), dry })
        } else {
            let (number, active) = (tenure.number(), RunNumber(active));
            let run = (number.0, active.0);
            tracing::info!(run.number = run.0, run.active = run.1, "a late write was refused");
            Err(Error::Superseded { number, active })
        }
    }

    /// Whether what is written will be taken back.
    pub(super) fn is_dry(&self) -> bool {
        self.dry
    }

    /// Commits data. A dry run has counted it, and takes it back.
    pub(super) async fn commit_data(mut self) -> Result<(), Error> {
        if self.dry {
            return self.tx.rollback().await;
        }
        // Only the first of a run's transactions writes this row, so that the others do not wait
        // for each other.
        self.tx
            .query(
                "UPDATE sync_runs SET committed = true \
                 WHERE run_number = $1 AND committed = false",
            )
            .bind(self.number.0)
            .execute()
            .await?;
        self.commit_history().await
    }

    /// Commits what belongs to the history, also in a dry run.
    pub(super) async fn commit_history(self) -> Result<(), Error> {
        self.tx.commit().await
    }
}

impl Deref for Fenced {
    type Target = Transaction;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

impl DerefMut for Fenced {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tx
    }
}
