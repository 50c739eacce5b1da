//! Says which requests a fault or a gate is for. Pure.

use axum::http::Method;

use super::answer::Ask;

/// A description that some requests fit.
///
/// A repository's two paths are one: what is said about `/repos/acme/w1/issues` is also true of
/// `/repositories/7/issues`, to which GitHub's links lead, and the other way round.
#[derive(Clone, Debug)]
pub struct Matcher {
    method: Option<Method>,
    path: Path,
    with: Vec<(String, String)>,
    without: Vec<String>,
}

#[derive(Clone, Debug)]
enum Path {
    Any,
    Is(String),
    StartsWith(String),
    Contains(String),
}

impl Matcher {
    /// Every request.
    pub fn any() -> Self {
        Self { method: None, path: Path::Any, with: Vec::new(), without: Vec::new() }
    }

    /// A GET of exactly this path.
    pub fn get(path: &str) -> Self {
        Self::method(Method::GET).path(path)
    }

    /// A POST to exactly this path.
    pub fn post(path: &str) -> Self {
        Self::method(Method::POST).path(path)
    }

    /// A DELETE of exactly this path.
    pub fn delete(path: &str) -> Self {
        Self::method(Method::DELETE).path(path)
    }

    /// Every request of this method.
    pub fn method(method: Method) -> Self {
        Self { method: Some(method), ..Self::any() }
    }

    /// Only exactly this path, whatever its case.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = Path::Is(path.to_ascii_lowercase());
        self
    }

    /// Only paths that begin with this, whatever their case.
    #[must_use]
    pub fn path_starts_with(mut self, start: &str) -> Self {
        self.path = Path::StartsWith(start.to_ascii_lowercase());
        self
    }

    /// Only paths that contain this, whatever their case.
    #[must_use]
    pub fn path_contains(mut self, part: &str) -> Self {
        self.path = Path::Contains(part.to_ascii_lowercase());
        self
    }

    /// Only requests with this parameter, among others.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.with.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Only requests without a parameter of this name: the first page has no `page`.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.without.push(name.to_owned());
        self
    }

    /// Whether `ask`, whose path is also known as `alias`, is meant.
    pub(super) fn fits(&self, ask: &Ask, alias: Option<&str>) -> bool {
        self.method.as_ref().is_none_or(|method| *method == ask.method)
            && (self.path.fits(&ask.path) || alias.is_some_and(|alias| self.path.fits(alias)))
            && self.with.iter().all(|pair| ask.query.contains(pair))
            && self.without.iter().all(|name| ask.parameter(name).is_none())
    }
}

impl Path {
    fn fits(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Is(whole) => path.eq_ignore_ascii_case(whole),
            Self::StartsWith(start) => {
                path.get(..start.len()).is_some_and(|path| path.eq_ignore_ascii_case(start))
            }
            Self::Contains(part) => path.to_ascii_lowercase().contains(part),
        }
    }
}
