//! What GitHub sends before a body. Pure.
//!
//! The input is an answer as text: the status, then a header a line, an empty line, the body.

use std::time::Duration;

use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue};
use singletrack::github::{BaseUrl, Head, Kind, classify, limit_wait, next};

use super::links::assert_below;

const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// An answer is something, its waits end, and what it points to is below the base.
pub fn headers(input: &[u8]) {
    let (status, headers, body) = answer(input);
    let head = Head::read(status, &headers);
    let kind = classify(&head, body);
    match status {
        204 => assert_eq!(kind, Kind::Empty),
        304 => assert_eq!(kind, Kind::NotModified),
        429 => assert_eq!(kind, Kind::Limited),
        500.. => assert_eq!(kind, Kind::Ill),
        200..=299 => assert!(matches!(kind, Kind::Ok | Kind::Ill)),
        _ => assert_ne!(kind, Kind::Ok),
    }
    let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
    for nth in [0, 1, 6, 7, 31, 32, 64, u32::MAX] {
        let wait = limit_wait(&head, nth, now);
        assert!((Duration::from_secs(1)..=LONGEST).contains(&wait), "{wait:?}");
    }
    if let Some(etag) = &head.etag {
        // One tag and nothing that stands for others, which may be sent back as it came.
        let inner = etag.strip_prefix("W/").unwrap_or(etag);
        let inner = inner.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        assert!(inner.is_some_and(|inner| !inner.contains('"')), "{etag}");
        assert!(HeaderValue::from_str(etag).is_ok());
    }
    let Ok(base) = BaseUrl::parse("https://ghe.example/api/v3", false) else { unreachable!() };
    let linked = head.link.as_deref().and_then(next);
    for url in linked.into_iter().chain(head.location.as_deref()) {
        assert_below(&base, url);
    }
}

fn answer(input: &[u8]) -> (u16, HeaderMap, &[u8]) {
    let mut rest = input;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        line
    };
    let status = std::str::from_utf8(line()).ok().and_then(|text| text.trim().parse().ok());
    let mut headers = HeaderMap::new();
    loop {
        let line = line();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.trim_ascii()), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    (status.filter(|status| (200..1000).contains(status)).unwrap_or(200), headers, rest)
}
