//! The lines of a history that a violation is about, as a table.

use std::fmt::Write;

use super::{Accepted, History, Kept, Violation};

/// How many lines are shown of each order.
const LINES: usize = 60;

/// The lines that name what the violations name, or else the last ones.
pub(super) fn table(history: &History, violations: &[Violation]) -> String {
    let mut text = String::from("at the API server:\n");
    for line in concerned(history.kept.iter().map(kept).collect(), violations) {
        let _ = writeln!(text, "  {line}");
    }
    text += "in the database:\n";
    for line in concerned(history.accepted.iter().map(accepted).collect(), violations) {
        let _ = writeln!(text, "  {line}");
    }
    text += "runs:\n";
    for run in &history.runs {
        let why = run.takeover.as_deref().unwrap_or("");
        let _ = writeln!(text, "  {} {} of {} {why}", run.number, run.state, run.request);
    }
    text
}

fn concerned(lines: Vec<String>, violations: &[Violation]) -> Vec<String> {
    let words: Vec<&str> = violations
        .iter()
        .flat_map(|it| it.what.split(|it: char| !it.is_alphanumeric() && !"-_".contains(it)))
        // Uids and holders, no words of ours.
        .filter(|it| it.len() > 14)
        .collect();
    let named = lines.iter().filter(|line| words.iter().any(|word| line.contains(word)));
    let named: Vec<_> = named.take(LINES).cloned().collect();
    match named.is_empty() {
        true => lines.into_iter().rev().take(LINES).rev().collect(),
        false => named,
    }
}

fn kept(kept: &Kept) -> String {
    match kept {
        Kept::Lease(lease) => {
            let holder = lease.holder.as_deref().unwrap_or("nobody");
            format!("Lease: {holder}, run {}, renewed {:?}", lease.number, lease.renewed_at)
        }
        Kept::LeaseGone => "Lease: deleted".to_owned(),
        Kept::Request(it) => format!("{}: {}, run {:?}", it.uid, it.phase.as_str(), it.run),
        Kept::RequestGone(uid) => format!("{uid}: deleted"),
    }
}

fn accepted(accepted: &Accepted) -> String {
    match accepted {
        Accepted::Activated { run, holder } => format!("run {run} activated by {holder}"),
        Accepted::Row { run, table } => format!("{table}: a row of run {run}"),
    }
}
