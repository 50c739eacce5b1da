//! What was asked and what is answered, before it becomes HTTP.

use axum::{
    body::Bytes,
    http::{Method, StatusCode, Uri},
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::form_urlencoded;

/// A request, taken apart.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// Below the base URL.
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// The query as it was written, with its question mark, or nothing.
    pub(super) raw_query: String,
    pub(super) body: Bytes,
}

impl Ask {
    /// A path that does not begin with `base_path` counts as being below it: a proxy may have cut
    /// it off.
    pub(super) fn new(method: Method, uri: &Uri, base_path: &str, body: Bytes) -> Self {
        let raw_query = uri.query().unwrap_or_default();
        Self {
            method,
            path: uri.path().strip_prefix(base_path).unwrap_or(uri.path()).to_owned(),
            query: form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
            raw_query: uri.query().map_or_else(String::new, |query| format!("?{query}")),
            body,
        }
    }

    /// The decoded parts of the path.
    pub(super) fn segments(&self) -> Vec<String> {
        let parts = self.path.split('/').filter(|part| !part.is_empty());
        parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
    }

    /// The value of a parameter, if it was given.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer, without what every answer has.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    pub(super) link: Option<String>,
    pub(super) location: Option<String>,
}

impl Answer {
    pub(super) fn ok(value: &Value) -> Self {
        Self::raw(StatusCode::OK, value.to_string().into())
    }

    pub(super) fn raw(status: StatusCode, body: Bytes) -> Self {
        Self { status, body, link: None, location: None }
    }

    pub(super) fn with_link(mut self, link: Option<String>) -> Self {
        self.link = link;
        self
    }

    /// An error in GitHub's words.
    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.as_str(),
        });
        Self::raw(status, body.to_string().into())
    }

    pub(super) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, "Not Found")
    }

    /// A redirect: for good if only reading was asked, and with the same method otherwise.
    pub(super) fn moved(ask: &Ask, location: String) -> Self {
        let reading = ask.method == Method::GET || ask.method == Method::HEAD;
        let status =
            if reading { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
        let body = json!({
            "message": "Moved Permanently",
            "url": location,
            "documentation_url": "https://docs.github.com/v3/#http-redirects",
        });
        let mut answer = Self::raw(status, body.to_string().into());
        answer.location = Some(location);
        answer
    }
}
