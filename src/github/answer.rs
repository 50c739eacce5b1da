//! What an answer of GitHub's is, whatever its status says. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, header};

/// The headers that mean something to us.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub status: u16,
    pub etag: Option<String>,
    /// The raw `Link` header.
    pub link: Option<String>,
    pub location: Option<String>,
    /// GitHub's time.
    pub date: Option<DateTime<Utc>>,
    pub retry_after: Option<Duration>,
    pub remaining: Option<i64>,
    pub reset: Option<DateTime<Utc>>,
    /// Whether it says that its body is HTML.
    pub html: bool,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ok,
    /// 204: nothing is there, which is an answer.
    Empty,
    NotModified,
    Moved,
    Unauthorized,
    Forbidden,
    NotFound,
    Gone,
    /// 409: the repository is empty.
    Conflict,
    /// Another 4xx.
    Refused,
    /// A rate limit, whichever: wait and ask again.
    Limited,
    /// The server is ill: ask again.
    Ill,
}

impl Head {
    /// Reads the headers. What cannot be read counts as absent.
    pub fn read(status: u16, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let number = |name: &str| text(name).and_then(|value| value.trim().parse::<i64>().ok());
        let date = text("date").and_then(http_date);
        let content_type = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        Self {
            status,
            etag: text("etag").filter(|etag| is_etag(etag)).map(str::to_owned),
            // One that is no text is there all the same: see `Source`.
            link: headers.get("link").map(|value| String::from_utf8_lossy(value.as_bytes()).into()),
            location: text("location").map(str::to_owned),
            date,
            retry_after: text("retry-after").and_then(|value| retry_after(value, date)),
            remaining: number("x-ratelimit-remaining"),
            reset: number("x-ratelimit-reset").and_then(epoch),
            html: content_type.to_ascii_lowercase().contains("html"),
        }
    }
}

/// Says what an answer with this head and body is.
#[must_use]
pub fn classify(head: &Head, body: &[u8]) -> Kind {
    match head.status {
        304 => return Kind::NotModified,
        204 => return Kind::Empty,
        301 | 302 | 303 | 307 | 308 => return Kind::Moved,
        429 => return Kind::Limited,
        _ => {}
    }
    // Proxies and GitHub's own error pages answer in HTML, with any status.
    if head.html || first_byte(body) == Some(b'<') {
        return Kind::Ill;
    }
    match head.status {
        200..=299 => Kind::Ok,
        403 if is_limit(head, body) => Kind::Limited,
        401 => Kind::Unauthorized,
        403 | 451 => Kind::Forbidden,
        404 => Kind::NotFound,
        410 => Kind::Gone,
        409 => Kind::Conflict,
        400..=499 => Kind::Refused,
        _ => Kind::Ill,
    }
}

/// What GitHub says in its error body, bounded; never the body of a page.
#[must_use]
pub(super) fn message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: String,
    }
    let said = serde_json::from_slice::<Said>(body).map(|said| said.message);
    let text = said.unwrap_or_else(|_| "no message".to_owned());
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A 403 is a wait, and not a refusal, when it says so in any of three ways.
fn is_limit(head: &Head, body: &[u8]) -> bool {
    let said = message(body).to_ascii_lowercase();
    head.retry_after.is_some()
        || head.remaining == Some(0)
        || said.contains("rate limit")
        || said.contains("abuse detection")
}

fn first_byte(body: &[u8]) -> Option<u8> {
    body.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Seconds, or a date that counts from the same answer's date.
fn retry_after(value: &str, date: Option<DateTime<Utc>>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(value)?;
    Some((until - date?).to_std().unwrap_or_default())
}

/// Whether it is one tag. Sent back, `*` or a list would stand for any version.
fn is_etag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let opaque = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    opaque.is_some_and(|opaque| !opaque.contains('"'))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|at| at.with_timezone(&Utc))
}

/// An instant from seconds, or from milliseconds where a server counts in those.
fn epoch(number: i64) -> Option<DateTime<Utc>> {
    const YEAR_5000: i64 = 95_617_584_000;
    let seconds = if number > YEAR_5000 { number / 1000 } else { number };
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Head {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Head::read(status, &map)
    }

    #[track_caller]
    fn check(status: u16, headers: &[(&'static str, &'static str)], body: &str, kind: Kind) {
        assert_eq!(classify(&head(status, headers), body.as_bytes()), kind);
    }

    #[test]
    fn a_limit_is_told_from_a_refusal() {
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        check(403, &[], r#"{"message":"Resource not accessible"}"#, Kind::Forbidden);
        check(403, &[("x-ratelimit-remaining", "4000")], secondary, Kind::Limited);
        check(403, &[("x-ratelimit-remaining", "0")], "", Kind::Limited);
        check(403, &[("retry-after", "1")], "{}", Kind::Limited);
        check(429, &[], "", Kind::Limited);
    }

    #[test]
    fn html_is_an_illness_with_any_status() {
        for status in [200, 403, 404, 500] {
            check(status, &[("content-type", "text/html")], "", Kind::Ill);
            check(status, &[], "\n <!DOCTYPE html>", Kind::Ill);
        }
        check(502, &[], "", Kind::Ill);
        check(200, &[], "[]", Kind::Ok);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_from_the_same_answer() {
        let date = ("date", "Thu, 01 Jan 2026 00:00:00 GMT");
        let later = ("retry-after", "Thu, 01 Jan 2026 00:00:30 GMT");
        let earlier = ("retry-after", "Wed, 31 Dec 2025 00:00:00 GMT");
        let of = |headers: &[(&'static str, &'static str)]| head(429, headers).retry_after;
        assert_eq!(of(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(of(&[date, later]), Some(Duration::from_secs(30)));
        assert_eq!(of(&[date, earlier]), Some(Duration::ZERO));
        assert_eq!(of(&[later]), None);
        assert_eq!(of(&[("retry-after", "soon")]), None);
        assert_eq!(of(&[("retry-after", "-1")]), None);
    }

    #[test]
    fn only_one_tag_is_an_etag() {
        let of = |etag| head(200, &[("etag", etag)]).etag;
        for good in [r#""abc""#, r#"W/"abc""#, r#""""#] {
            assert_eq!(of(good).as_deref(), Some(good));
        }
        for bad in ["*", "abc", "", r#"""#, r#"W/"a", "b""#, r#"w/"a""#] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_message_is_short_and_on_one_line() {
        let long = format!(r#"{{"message":"a\nb{}"}}"#, "x".repeat(500));
        assert_eq!(message(long.as_bytes()).len(), 200);
        assert_eq!(message(b"a\nb"), "no message");
        assert!(message(long.as_bytes()).starts_with("abxx"));
    }
}
