//! Answers `GET …/issues`: filters, sorts and pages. Pure.

use axum::http::StatusCode;
use chrono::{DateTime, Utc};

use super::{
    answer::{Answer, Ask},
    issue::{Issue, State, Stored},
    pages::Page,
    repository::Repository,
    world::World,
};

/// GitHub lists no further than this by page number.
const PAGE_NUMBERS_END_AT: usize = 10_000;

/// The page of `repository`'s issues that was asked for.
pub(super) fn answer(world: &World, repository: &Repository, ask: &Ask) -> Answer {
    if !repository.has_issues {
        return Answer::error(StatusCode::GONE, "Issues are disabled for this repo");
    }
    let page = Page::asked(ask);
    let by_cursor = ask.parameter("after").or(ask.parameter("before")).is_some();
    if !by_cursor && page.number.saturating_mul(page.per_page) > PAGE_NUMBERS_END_AT {
        return Answer::error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Pagination with the page parameter is not supported for large datasets, please use \
             cursor based pagination (after/before)",
        );
    }
    let Some(filter) = Filter::asked(ask) else {
        return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
    };
    let list = filter.list(repository);
    let base = world.base_url();
    let url = format!("{base}/repositories/{}/issues", repository.id());
    let (shown, link) = if world.cursor_links || by_cursor {
        let (start, end) = range(&list, &filter, page, ask);
        let after = (end < list.len()).then(|| list[end - 1].cursor());
        let before = (start > 0 && start < end).then(|| list[start].cursor());
        (&list[start..end], page.cursor_links(&url, ask, after, before))
    } else {
        (page.of(&list), page.links(&url, ask, list.len()))
    };
    Answer::raw(StatusCode::OK, join(shown, base, &repository.full_name()).into()).with_link(link)
}

/// What the parameters ask for.
struct Filter {
    state: Option<State>,
    since: Option<DateTime<Utc>>,
    by_update: bool,
    ascending: bool,
}

impl Filter {
    fn asked(ask: &Ask) -> Option<Self> {
        let state = match ask.parameter("state") {
            None | Some("open") => Some(State::Open),
            Some("closed") => Some(State::Closed),
            Some("all") => None,
            Some(_) => return None,
        };
        let since = match ask.parameter("since") {
            None | Some("") => None,
            Some(text) => Some(text.parse().ok()?),
        };
        let by_update = match ask.parameter("sort") {
            None | Some("created") => false,
            Some("updated") => true,
            Some(_) => return None,
        };
        let ascending = match ask.parameter("direction") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return None,
        };
        Some(Self { state, since, by_update, ascending })
    }

    fn list<'a>(&self, repository: &'a Repository) -> Vec<Entry<'a>> {
        // GitHub answers a `since` at the epoch with nothing.
        if self.since.is_some_and(|since| since.timestamp() <= 0) {
            return Vec::new();
        }
        let mut list: Vec<Entry> = repository
            .stored()
            .filter(|stored| self.wants(stored.issue()))
            .map(|stored| Entry { key: self.key(stored.issue()), stored })
            .collect();
        list.sort_unstable_by_key(|entry| entry.key);
        if !self.ascending {
            list.reverse();
        }
        list
    }

    fn wants(&self, issue: &Issue) -> bool {
        self.state.is_none_or(|state| issue.state == state)
            && self.since.is_none_or(|since| issue.updated_at >= since)
    }

    fn key(&self, issue: &Issue) -> Key {
        let at = if self.by_update { issue.updated_at } else { issue.created_at };
        (at.timestamp(), issue.number)
    }
}

/// The place of an issue in a list: its time, and its number among those of the same second.
type Key = (i64, u64);

struct Entry<'a> {
    key: Key,
    stored: &'a Stored,
}

impl Entry<'_> {
    /// The place, as text that nobody is meant to read.
    fn cursor(&self) -> String {
        let text = format!("cursor:v2:{}:{}", self.key.0, self.key.1);
        text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }
}

fn read_cursor(cursor: &str) -> Option<Key> {
    let bytes: Option<Vec<u8>> = (0..cursor.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(cursor.get(at..at + 2)?, 16).ok())
        .collect();
    let text = String::from_utf8(bytes?).ok()?;
    let (at, number) = text.strip_prefix("cursor:v2:")?.split_once(':')?;
    Some((at.parse().ok()?, number.parse().ok()?))
}

/// Where the asked page of a list that is read by cursor begins and ends.
///
/// A cursor is a place and not an item: what it was made from may have moved since.
fn range(list: &[Entry], filter: &Filter, page: Page, ask: &Ask) -> (usize, usize) {
    let earlier = |entry: &Entry, key: Key| {
        if filter.ascending { entry.key < key } else { entry.key > key }
    };
    let cursor = |name| ask.parameter(name).and_then(read_cursor);
    let start = if let Some(key) = cursor("after") {
        list.partition_point(|entry| earlier(entry, key) || entry.key == key)
    } else if let Some(key) = cursor("before") {
        let end = list.partition_point(|entry| earlier(entry, key));
        return (end.saturating_sub(page.per_page), end);
    } else {
        (page.number - 1).saturating_mul(page.per_page).min(list.len())
    };
    (start, (start + page.per_page).min(list.len()))
}

fn join(entries: &[Entry], base: &str, full_name: &str) -> Vec<u8> {
    let mut body = vec![b'['];
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(entry.stored.json(base, full_name));
    }
    body.push(b']');
    body
}
