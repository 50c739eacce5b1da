//! Which lists are read, from where, and how far back. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::RepoName;

/// How far before the cursor a list is read again: GitHub's replicas lag, and clocks differ.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// A list of issues, as cursors, ETags and quarantine name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IssueList {
    /// All open issues, always completely.
    Open,
    /// Closed ones that changed since the cursor.
    Closed,
}

impl IssueList {
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Open => "issues.open",
            Self::Closed => "issues.closed",
        }
    }

    /// Whether a complete pass moves a cursor.
    pub(super) fn has_cursor(self) -> bool {
        matches!(self, Self::Closed)
    }

    /// The path of the first page.
    ///
    /// By creation, ascending: an item that changes while pages are read does not move. Without a
    /// cursor there is no `since`, because GitHub answers an epoch with nothing.
    #[must_use]
    pub(super) fn first_page(self, name: &RepoName, cursor: Option<DateTime<Utc>>) -> String {
        let state = match self {
            Self::Open => "open",
            Self::Closed => "closed",
        };
        let path =
            format!("/repos/{name}/issues?state={state}&sort=created&direction=asc&per_page=100");
        match cursor.filter(|_| self.has_cursor()) {
            Some(cursor) => {
                format!("{path}&since={}", (cursor - OVERLAP).format("%Y-%m-%dT%H:%M:%SZ"))
            }
            None => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_issues_are_read_from_ten_minutes_before_the_cursor() {
        let name: RepoName = "acme/widgets".parse().unwrap();
        let cursor = DateTime::from_timestamp(1_767_312_000, 0);
        let common = "&sort=created&direction=asc&per_page=100";
        let page = |list: IssueList, cursor| list.first_page(&name, cursor);
        assert_eq!(
            page(IssueList::Closed, cursor),
            format!("/repos/acme/widgets/issues?state=closed{common}&since=2026-01-01T23:50:00Z")
        );
        assert_eq!(
            page(IssueList::Closed, None),
            format!("/repos/acme/widgets/issues?state=closed{common}")
        );
        assert_eq!(
            page(IssueList::Open, cursor),
            format!("/repos/acme/widgets/issues?state=open{common}")
        );
    }
}
