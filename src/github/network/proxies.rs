//! Which proxy a connection goes through. Pure.

use std::sync::Arc;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::github::Error;

/// The proxies of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, as curl understands them.
///
/// `Debug` shows no password.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

impl Proxies {
    /// Checks what the variables say; an empty one says nothing.
    ///
    /// # Errors
    ///
    /// [`Error::BadProxy`], without the value: there may be a password in it.
    pub fn new(http: &str, https: &str, no: &str) -> Result<Self, Error> {
        check("HTTP_PROXY", http)?;
        check("HTTPS_PROXY", https)?;
        let matcher = Matcher::builder().http(http).https(https).no(no).build();
        Ok(Self(Some(Arc::new(matcher))))
    }

    /// The proxy on the way to `to`, if there is one.
    pub(in crate::github) fn to(&self, to: &Uri) -> Option<Intercept> {
        self.0.as_ref()?.intercept(to)
    }
}

fn check(variable: &'static str, value: &str) -> Result<(), Error> {
    let any = Uri::from_static("http://host.example/");
    let proxy = Matcher::builder().http(value).build().intercept(&any);
    let scheme = proxy.as_ref().and_then(|proxy| proxy.uri().scheme_str());
    match scheme {
        Some("http" | "https") => Ok(()),
        None if value.is_empty() => Ok(()),
        _ => Err(Error::BadProxy { variable }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_have_none() {
        let no = "ghe.example, .internal,127.0.0.1";
        let proxies = Proxies::new("one.example:1", "http://two.example:2", no).unwrap();
        for (to, proxy) in [
            ("http://github.example/", Some("http://one.example:1/")),
            ("https://github.example/", Some("http://two.example:2/")),
            ("https://ghe.example/", None),
            ("https://api.ghe.example/", None),
            ("https://notghe.example/", Some("http://two.example:2/")),
            ("https://git.internal/", None),
            ("http://127.0.0.1:8080/", None),
        ] {
            let found = proxies.to(&to.parse().unwrap()).map(|proxy| proxy.uri().to_string());
            assert_eq!(found.as_deref(), proxy, "{to}");
        }
        assert!(Proxies::default().to(&Uri::from_static("http://a/")).is_none());
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_no_password_is_shown() {
        for bad in ["socks5://user:marked@proxy", "ftp://marked", "http://", "marked word"] {
            let error = Proxies::new("", bad, "").unwrap_err().to_string();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("marked"), "{error}");
        }
        let proxies = Proxies::new("", "http://user:marked@proxy.example:1", "").unwrap();
        assert!(!format!("{proxies:?}").contains("marked"));
    }
}
