//! The base URL, and what is said to be below it. Pure.
//!
//! The input is text: the base on its first line, a URL on the second, then a `Link` header.

use singletrack::github::{BaseUrl, next};
use url::Url;

/// What is followed is below the base, by the rules of another library than the one that is used.
pub fn links(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(3, '\n');
    let mut next_line = || lines.next().unwrap_or_default();
    let (base, url, link) = (next_line(), next_line(), next_line());
    let linked = next(link);
    if let Some(linked) = linked {
        assert!(link.contains(&format!("<{linked}>")), "{linked}");
    }
    for insecure in [false, true] {
        let Ok(base) = BaseUrl::parse(base, insecure) else { continue };
        assert_place(&base, insecure);
        assert_below(&base, url);
        if let Some(linked) = linked {
            assert_below(&base, linked);
        }
        let below = format!("{base}/repos/a/b?x=1");
        assert_eq!(base.path_of("a page", &below).as_deref().ok(), Some("/repos/a/b?x=1"));
    }
}

/// A base is a place and nothing else.
fn assert_place(base: &BaseUrl, insecure: bool) {
    let Ok(url) = Url::parse(base.as_str()) else { return };
    assert!(url.username().is_empty() && url.password().is_none(), "{base}");
    assert!(url.query().is_none() && url.fragment().is_none(), "{base}");
    let loopback =
        ["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str().unwrap_or_default());
    assert!(
        url.scheme() == "https" || (url.scheme() == "http" && (insecure || loopback)),
        "{base}"
    );
}

/// A URL is refused, or is below the base.
pub(super) fn assert_below(base: &BaseUrl, url: &str) {
    let Ok(path) = base.path_of("a page", url) else { return };
    assert_eq!(format!("{base}{path}"), url);
    assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
    let (Ok(base), Ok(url)) = (Url::parse(base.as_str()), Url::parse(url)) else { return };
    let place =
        |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port());
    assert_eq!(place(&url), place(&base), "{url} is elsewhere");
    let folder = format!("{}/", base.path().trim_end_matches('/'));
    assert!(url.path().starts_with(&folder), "{url} is above {base}");
}
