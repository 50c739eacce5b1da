//! Which lists are read, from where, how far back, and in pages of which size. Pure.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::api::RepoName;
use crate::store::Resume;

/// How far before the cursor a list is read again: GitHub's replicas lag, and clocks differ.
pub(super) const OVERLAP: TimeDelta = TimeDelta::minutes(10);

/// Nothing has changed before GitHub was there, and `since` an epoch is answered with nothing: a
/// cursor from before comes from a clock that was not set.
const FIRST_YEAR: i32 = 2008;

/// After so long a pass that was cut short begins anew: what it has read is too old by then.
const RESUME_WITHIN: TimeDelta = TimeDelta::hours(1);

/// How many items are asked for on a page. A page that is too much for GitHub is asked for in the
/// next smaller size.
pub(super) const SIZES: [u8; 5] = [100, 50, 25, 12, 10];

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
    pub(super) fn first_page(
        self,
        name: &RepoName,
        since: Option<DateTime<Utc>>,
        size: u8,
    ) -> String {
        let state = match self {
            Self::Open => "open",
            Self::Closed => "closed",
        };
        let path = format!(
            "/repos/{name}/issues?state={state}&sort=created&direction=asc&per_page={size}"
        );
        let since = since.filter(|cursor| cursor.year() >= FIRST_YEAR);
        match since.filter(|_| self.has_cursor()) {
            Some(cursor) => {
                format!("{path}&since={}", (cursor - OVERLAP).format("%Y-%m-%dT%H:%M:%SZ"))
            }
            None => path,
        }
    }
}

/// Whether a pass of this key may go on where one was cut short: the same pass, not long ago.
#[must_use]
pub(super) fn may_resume(resume: &Resume, pass: &str, now: DateTime<Utc>) -> bool {
    let age = now - resume.at;
    resume.pass == pass && age < RESUME_WITHIN && age > -RESUME_WITHIN
}

/// Whether there may be a page after this one that was the last, although it is as it was: an ETag
/// is one of what is on the page, and says nothing of the link to the next. Only a page that was
/// full can have got another after it.
#[must_use]
pub(super) fn may_have_grown(url: &str, items: usize, next: Option<&str>) -> bool {
    next.is_none() && page_size(url).is_some_and(|size| items >= size)
}

/// How many items this URL asks for, if it is that of a list.
fn page_size(url: &str) -> Option<usize> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|part| part.strip_prefix("per_page="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn closed_issues_are_read_from_ten_minutes_before_the_cursor() {
        let name: RepoName = "acme/widgets".parse().unwrap();
        let cursor = DateTime::from_timestamp(1_767_312_000, 0);
        let common = "&sort=created&direction=asc&per_page=100";
        let page = |list: IssueList, cursor| list.first_page(&name, cursor, 100);
        assert_eq!(
            page(IssueList::Closed, cursor),
            format!("/repos/acme/widgets/issues?state=closed{common}&since=2026-01-01T23:50:00Z")
        );
        assert_eq!(
            page(IssueList::Closed, None),
            format!("/repos/acme/widgets/issues?state=closed{common}")
        );
        assert_eq!(
            page(IssueList::Closed, DateTime::from_timestamp(0, 0)),
            page(IssueList::Closed, None)
        );
        assert_eq!(
            page(IssueList::Open, cursor),
            format!("/repos/acme/widgets/issues?state=open{common}")
        );
    }

    #[test]
    fn what_is_kept_of_a_list_is_under_its_own_name() {
        let kept = |list: IssueList| (list.resource(), list.has_cursor());
        assert_eq!(kept(IssueList::Open), ("issues.open", false));
        assert_eq!(kept(IssueList::Closed), ("issues.closed", true));
    }

    #[test]
    fn only_the_same_pass_goes_on_and_only_within_an_hour() {
        let now = DateTime::from_timestamp(1_767_312_000, 0).unwrap();
        let resume = |minutes: i64| Resume {
            pass: "a".into(),
            next_url: "b".into(),
            at: now - TimeDelta::minutes(minutes),
            began_at: now,
            changed: false,
        };
        let rows =
            [(0, "a", true), (59, "a", true), (60, "a", false), (-60, "a", false), (5, "b", false)];
        for (minutes, pass, expected) in rows {
            assert_eq!(may_resume(&resume(minutes), pass, now), expected, "{minutes} {pass}");
        }
        assert!(!may_resume(&resume(-61), "a", now), "a clock that was set back by hours");
    }

    #[test]
    fn only_a_full_last_page_of_a_list_may_have_got_another_after_it() {
        let rows = [
            ("/r/issues?state=open&per_page=100", 100, None, true),
            ("/r/issues?per_page=100&after=x", 100, None, true),
            ("/r/issues?per_page=25", 26, None, true),
            ("/r/issues?state=open&per_page=100", 99, None, false),
            ("/r/issues?state=open&per_page=100", 100, Some("/r/issues?page=2"), false),
            ("/r/issues?per_page=many", 100, None, false),
            ("/r/issues/7", 1, None, false),
            ("/r/per_page=1", 1, None, false),
        ];
        for (url, items, next, expected) in rows {
            assert_eq!(may_have_grown(url, items, next), expected, "{url} {items} {next:?}");
        }
    }

    proptest! {
        #[test]
        fn a_list_is_read_from_before_its_cursor_or_whole(seconds in -70_000_000_000..260_000_000_000_i64) {
            let name: RepoName = "acme/widgets".parse().unwrap();
            let cursor = DateTime::from_timestamp(seconds, 0).unwrap();
            let page = IssueList::Closed.first_page(&name, Some(cursor), 100);
            if let Some((_, since)) = page.split_once("&since=") {
                let since: DateTime<Utc> = since.parse().unwrap();
                prop_assert_eq!(cursor - since, OVERLAP);
                prop_assert!(since.timestamp() > 0);
            } else {
                prop_assert!(cursor.year() < FIRST_YEAR);
            }
            prop_assert!(page.parse::<http::Uri>().is_ok());
        }

        #[test]
        fn a_pass_goes_on_only_within_an_hour_of_either_side(seconds in -20_000..20_000_i64) {
            let now = DateTime::from_timestamp(1_767_312_000, 0).unwrap();
            let at = now + TimeDelta::seconds(seconds);
            let (pass, next_url) = ("a".to_owned(), "b".to_owned());
            let resume = Resume { pass, next_url, at, began_at: now, changed: false };
            prop_assert_eq!(may_resume(&resume, "a", now), seconds.abs() < 3_600);
        }
    }
}
