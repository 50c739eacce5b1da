//! The base URL, and the links below it. Pure.

use std::fmt;

use http::Uri;

use super::Error;

/// The address of GitHub's API, which nothing leaves. Ends without a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Checks an address from the configuration. Without `insecure` it must be https, except on
    /// the loopback interface.
    pub fn parse(text: &str, insecure: bool) -> Result<Self, Error> {
        let no = |problem| Error::BadBaseUrl { url: redact(text), problem };
        let uri: Uri = text.parse().map_err(|_| no("it is not a URL"))?;
        let authority = uri.authority().ok_or_else(|| no("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(no("it must not hold a user or a password"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(no("it must not have a query or a fragment"));
        }
        let host = authority.host();
        let loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if insecure || loopback => {}
            Some("http") => return Err(no("use https, or set github.allowInsecure")),
            _ => return Err(no("use https")),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path and query of `url`, if it is below this base.
    pub fn path_of(&self, what: &str, url: &str) -> Result<String, Error> {
        url.strip_prefix(&self.0)
            .filter(|rest| rest.starts_with('/') && rest.parse::<Uri>().is_ok())
            .filter(|rest| !rest.contains(['\\', '#']) && !rest.starts_with("//"))
            .filter(|rest| !leads_up(rest))
            .map(str::to_owned)
            .ok_or_else(|| Error::Foreign { what: what.to_owned(), to: redact(url) })
    }
}

/// Whether a part of the path is `.` or `..`, which a server may take for a way out of the base.
fn leads_up(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path.split('/').any(|part| {
        let part = part.to_ascii_lowercase().replace("%2e", ".");
        part == "." || part == ".."
    })
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The target of `rel="next"` in a `Link` header.
#[must_use]
pub fn next(link: &str) -> Option<&str> {
    let mut rest = link;
    while let Some((_, from)) = rest.split_once('<') {
        let (url, after) = from.split_once('>')?;
        let end = end_of_parameters(after);
        let is_next = after[..end].split(';').any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split_whitespace().any(|rel| rel == "next")
        });
        if is_next {
            return Some(url);
        }
        rest = &after[end..];
    }
    None
}

/// Whether a `Link` header names any link and says what it is to the page. One that does not is
/// broken, and must not be taken for the end of a list.
#[must_use]
pub(super) fn is_readable(link: &str) -> bool {
    let parts = link.split_once('<').and_then(|(_, from)| from.split_once('>'));
    parts.is_some_and(|(_, after)| after.to_ascii_lowercase().contains("rel"))
}

/// Where the comma stands that ends a link's parameters; one inside quotes does not.
fn end_of_parameters(text: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

/// A URL for an error: without what may be secret, and not longer than a line. A password may have any
/// character in it that it should not have, so all up to the last `@` may be one.
fn redact(url: &str) -> String {
    let (hidden, shown) = match url.rsplit_once('@') {
        Some((_, host)) => ("…@", host),
        None => ("", url),
    };
    let plain = shown.split(['?', '#']).next().unwrap_or_default();
    hidden.chars().chain(plain.chars()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_a_password() {
        for (url, shown) in [
            ("https://a/x?page=2", "https://a/x"),
            ("https://me:marked@h/x?q", "…@h/x"),
            ("https://me:mark#ed?@/@h/x", "…@h/x"),
            ("me:marked@h", "…@h"),
        ] {
            assert_eq!(redact(url), shown, "{url}");
        }
    }

    #[test]
    fn next_is_found_wherever_it_stands() {
        let rows = [
            (r#"<https://a/x?page=2>; rel="next", <https://a/x?page=9>; rel="last""#, Some(2)),
            (r#"<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel="next""#, Some(3)),
            (r#"<https://a/x?page=4>;title="a, b";rel="prefetch next""#, Some(4)),
            (r"<https://a/x?page=5>; rel=next", Some(5)),
            (r#"<https://a/x?page=6>; rel="last""#, None),
            ("", None),
            ("<", None),
            ("rel=next", None),
        ];
        for (link, page) in rows {
            let expected = page.map(|page| format!("https://a/x?page={page}"));
            assert_eq!(next(link), expected.as_deref(), "{link}");
        }
    }

    #[test]
    fn a_header_without_a_link_is_broken() {
        assert!(is_readable(r#"<https://a/x?page=9>; rel="last""#));
        for broken in ["", "<", "<https://a/x?page=2", "rel=\"next\"", "<https://a/x?page=2>; r"] {
            assert!(!is_readable(broken), "{broken}");
        }
    }

    #[test]
    fn only_what_is_below_the_base_is_followed() {
        let base = BaseUrl::parse("https://api.github.com/", false).unwrap();
        assert_eq!(base.path_of("a page", "https://api.github.com/x?y=1").unwrap(), "/x?y=1");
        for foreign in [
            "https://evil.test/x",
            "https://api.github.com.evil.test/x",
            "https://api.github.com@evil.test/x",
            "https://api.github.com",
            "https://api.github.com//evil.test/x",
            "https://api.github.com/\\evil.test",
            "http://api.github.com/x",
            "//evil.test/x",
            "/x",
            "file:///etc/passwd",
            "https://api.github.com/x/../y",
            "https://api.github.com/%2E%2e",
            "https://api.github.com/.?x=1",
        ] {
            assert!(base.path_of("a page", foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn a_base_url_is_https_and_nothing_but_a_place() {
        assert!(BaseUrl::parse("https://ghe.example/api/v3", false).is_ok());
        assert!(BaseUrl::parse("http://127.0.0.1:8080", false).is_ok());
        assert!(BaseUrl::parse("http://ghe.example", true).is_ok());
        for bad in [
            "http://ghe.example",
            "ftp://ghe.example",
            "https://user:secret@ghe.example",
            "https://ghe.example?x=1",
            "https://ghe.example#x",
            "ghe.example/api",
            "",
        ] {
            let error = BaseUrl::parse(bad, false).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
