//! The workflows of a repository: always all of them.

use std::collections::HashSet;

use super::rows;
use super::whole::{Item, WholeList};
use crate::github::model::Workflow;
use crate::store::{Row, Vanished};
use crate::sync::pass::{Extent, Pass, Tally};
use crate::sync::run::Failure;
use crate::sync::subject::Subject;

pub(super) async fn sync(subject: &Subject<'_>, tally: &mut Tally) -> Result<(), Failure> {
    let item = |workflow: Workflow, repository_id| Item {
        id: workflow.id,
        created_at: workflow.created_at,
        row: Row::Workflow(rows::workflow(workflow, repository_id)),
    };
    let list = WholeList {
        resource: "workflows",
        expected: "a list of workflows",
        path: "actions/workflows",
        key: Some("workflows"),
        limit: None,
        ids: HashSet::new(),
        item,
    };
    let (list, extent) = Pass::over(list, subject, tally).await?.run().await?;
    if extent == Extent::Whole {
        let ids = list.ids.into_iter().collect();
        let which = Vanished::WorkflowsBut { repository_id: subject.id, ids };
        tally.counts.removed += subject.run.vanish(&which).await?;
    }
    Ok(())
}
