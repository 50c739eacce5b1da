//! Cuts a list into pages and links them as GitHub does. Pure.

use url::form_urlencoded;

use super::answer::Ask;

/// Which page was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// Counted from 1.
    pub(super) number: usize,
    /// At most 100.
    pub(super) per_page: usize,
}

impl Page {
    pub(super) fn asked(ask: &Ask) -> Self {
        let number = |name| ask.parameter(name).and_then(|value| value.parse::<usize>().ok());
        Self {
            number: number("page").unwrap_or(1).max(1),
            per_page: number("per_page").filter(|count| *count > 0).unwrap_or(30).min(100),
        }
    }

    /// The part of `items` that is on this page.
    pub(super) fn of<T>(self, items: &[T]) -> &[T] {
        let start = (self.number - 1).saturating_mul(self.per_page).min(items.len());
        let end = (start + self.per_page).min(items.len());
        &items[start..end]
    }

    /// The links to the other pages of `total` items, or `None` if there is only one page.
    pub(super) fn links(self, url: &str, ask: &Ask, total: usize) -> Option<String> {
        let last = total.div_ceil(self.per_page).max(1);
        let mut links = Vec::new();
        let to = |number: usize| url_with(url, ask, &[("page", &number.to_string())]);
        if self.number > 1 {
            links.push((to((self.number - 1).min(last)), "prev"));
        }
        if self.number < last {
            links.push((to(self.number + 1), "next"));
            links.push((to(last), "last"));
        }
        if self.number > 1 {
            links.push((to(1), "first"));
        }
        header(links)
    }

    /// The links to the next and the previous page of a list that is read by cursor.
    pub(super) fn cursor_links(
        self,
        url: &str,
        ask: &Ask,
        after: Option<String>,
        before: Option<String>,
    ) -> Option<String> {
        let mut links = Vec::new();
        if let Some(after) = after {
            let number = (self.number + 1).to_string();
            links.push((url_with(url, ask, &[("after", &after), ("page", &number)]), "next"));
        }
        if let Some(before) = before {
            let number = self.number.saturating_sub(1).max(1).to_string();
            links.push((url_with(url, ask, &[("before", &before), ("page", &number)]), "prev"));
        }
        header(links)
    }
}

/// The asked URL with another place in the list.
fn url_with(url: &str, ask: &Ask, place: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let kept = ask.query.iter().filter(|(k, _)| !["page", "after", "before"].contains(&k.as_str()));
    query.extend_pairs(kept).extend_pairs(place);
    format!("{url}?{}", query.finish())
}

fn header(links: Vec<(String, &str)>) -> Option<String> {
    let links: Vec<String> =
        links.into_iter().map(|(url, rel)| format!("<{url}>; rel=\"{rel}\"")).collect();
    (!links.is_empty()).then(|| links.join(", "))
}
