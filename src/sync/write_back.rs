//! Writes to GitHub what the rules make of the labels of closed issues, if the rules say so.

use super::rules::LabelChange;
use super::run::Failure;
use super::subject::Subject;
use crate::store::{IssueRow, Row};

/// What is to be changed on GitHub for each of the issues among these rows.
pub(super) fn changes(subject: &Subject<'_>, rows: &[Row]) -> Vec<(i64, LabelChange)> {
    // Nothing of an archived repository can be changed, and a dry run changes nothing.
    if subject.archived || subject.run.dry {
        return Vec::new();
    }
    let rules = &subject.run.rules;
    let of = |row: &IssueRow| {
        let closed = row.state == "closed";
        rules.to_write_back(&row.github_labels, closed).map(|change| (row.number, change))
    };
    rows.iter().filter_map(Row::issue).filter_map(of).collect()
}

/// Makes the changes. One that was made before is no error, and neither is an issue that is gone,
/// so a run that was cut off may repeat it.
pub(super) async fn write_back(
    subject: &Subject<'_>,
    changes: Vec<(i64, LabelChange)>,
) -> Result<(), Failure> {
    let (run, source, name) = (subject.run, &subject.source, &subject.name);
    for (number, LabelChange { remove, add }) in changes {
        for label in remove {
            run.until_stopped(source.remove_label(name, number, &label)).await??;
        }
        if let Some(label) = add {
            run.until_stopped(source.add_label(name, number, &label)).await??;
        }
        run.stored();
    }
    Ok(())
}
