//! The releases of a repository, newest first, up to the limit.

use std::collections::HashSet;

use super::rows;
use super::whole::{Item, WholeList};
use crate::github::model::Release;
use crate::store::{Row, Vanished};
use crate::sync::pass::{Extent, Pass, Tally};
use crate::sync::run::Failure;
use crate::sync::subject::Subject;

pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let item = |release: Release, repository_id| Item {
        id: release.id,
        created_at: release.created_at,
        row: Row::Release(Box::new(rows::release(release, repository_id))),
    };
    let list = WholeList {
        resource: "releases",
        expected: "a list of releases",
        path: "releases",
        key: None,
        limit: Some(subject.run.limits.releases),
        ids: HashSet::new(),
        item,
    };
    let (list, extent) = Pass::over(list, subject, tally).await?.run().await?;
    // Beyond the limit there may be others, of which nothing is known.
    if extent == Extent::Whole {
        let ids = list.ids.into_iter().collect();
        let which = Vanished::ReleasesBut { repository_id: subject.id, ids };
        tally.counts.removed += subject.run.vanish(&which).await?;
    }
    Ok(())
}
