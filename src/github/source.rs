//! Asks GitHub, waits for its limits, asks again when it is ill, and follows it when it has moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use backon::BackoffBuilder;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::message;
use super::auth::{Auth, By, owner_in};
use super::link::is_readable;
use super::octo::{Broken, Octo, Question};
use super::{Access, BaseUrl, Error, Head, Kind, Limits, classify, limit_wait, next, retry_wait};
use crate::api::{ApiUse, RepoName};
use crate::process::clock::Clock;

/// How often a move is followed.
const MOST_HOPS: usize = 3;

/// A client that knows GitHub's manners. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Source {
    octo: Octo,
    base: BaseUrl,
    identity: String,
    auth: Arc<Auth>,
    owner: Option<Arc<str>>,
    clock: Clock,
    usage: Arc<Usage>,
    limits: Arc<Limits>,
}

/// An answer that is one.
#[derive(Debug)]
pub struct Answer {
    pub body: Body,
    /// The ETag under which it may be asked for again.
    pub etag: Option<String>,
    /// The path of the list's next page.
    pub next: Option<String>,
    /// GitHub's time, or ours where it does not say or is ahead of us.
    pub date: DateTime<Utc>,
}

/// What came with an answer.
#[derive(Debug)]
pub enum Body {
    /// As it was when its ETag was given.
    Unchanged,
    Json(Bytes),
}

/// What has been asked of GitHub, counted while it goes on.
#[derive(Debug, Default)]
pub struct Usage {
    requests: AtomicU64,
    not_modified: AtomicU64,
    retried: AtomicU64,
    waited_millis: AtomicU64,
    remaining: AtomicI64,
    remaining_known: AtomicU64,
    heard: AtomicU64,
}

impl Source {
    /// A client with the credentials as they are now. Must be called inside the runtime.
    pub fn connect(access: &Access, clock: Clock) -> Result<Self, Error> {
        let base = access.base.clone();
        let octo = Octo::connect(&base, &access.network)?;
        let auth = Arc::new(Auth::new(Arc::clone(&access.credentials))?);
        let identity = auth.credentials().identity(&base);
        let limits = Arc::new(Limits::new(access.quota_floor));
        let (owner, usage) = (None, Arc::default());
        Ok(Self { octo, base, identity, auth, owner, clock, usage, limits })
    }

    /// What is known of GitHub's limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many answers and parts of answers have come: it grows as long as anything moves.
    pub fn heard(&self) -> u64 {
        self.usage.heard.load(Ordering::Relaxed)
    }

    /// The same client, asking about what belongs to `owner`: an App has a token for each.
    ///
    /// Without it, the owner is the one in the path, and a path without one cannot be asked for by
    /// an App whose installation is not configured.
    #[must_use]
    pub fn for_owner(&self, owner: &str) -> Self {
        Self { owner: Some(owner.into()), ..self.clone() }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Stands for the base URL and who asks: ETags of another are of no use.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The base URL of the GitHub that is asked.
    pub fn base_url(&self) -> &str {
        self.base.as_str()
    }

    /// The whole URL of a path, as ETags are stored under.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The path of a whole URL, if it is below the base URL.
    pub fn path(&self, url: &str) -> Result<String, Error> {
        self.base.path_of("a stored page", url)
    }

    pub fn usage(&self) -> ApiUse {
        self.usage.read()
    }

    /// Asks for `path`, until there is an answer that is one.
    ///
    /// Limits are waited for and never an error; a server that is ill is asked six times; moves
    /// below the base URL are followed.
    pub async fn get(&self, path: &str, etag: Option<&str>) -> Result<Answer, Error> {
        // It stays the same where a move leads to a path without an owner.
        let owner = self.owner.as_deref().or_else(|| owner_in(path));
        self.follow(Question { method: Method::GET, path, etag, body: None, by: By::Token, owner })
            .await
    }

    /// Takes a label off an issue; that either is not there is no error.
    pub async fn remove_label(
        &self,
        repository: &RepoName,
        number: i64,
        label: &str,
    ) -> Result<(), Error> {
        let label = utf8_percent_encode(label, NON_ALPHANUMERIC);
        let path = format!("/repos/{repository}/issues/{number}/labels/{label}");
        match self.change(Method::DELETE, &path, None).await {
            Err(Error::NotFound { .. } | Error::Gone { .. }) => Ok(()),
            done => done,
        }
    }

    /// Puts a label on an issue; that it has it already, or is gone, is no error.
    pub async fn add_label(
        &self,
        repository: &RepoName,
        number: i64,
        label: &str,
    ) -> Result<(), Error> {
        let path = format!("/repos/{repository}/issues/{number}/labels");
        let body = serde_json::json!({"labels": [label]}).to_string();
        match self.change(Method::POST, &path, Some(body)).await {
            Err(Error::NotFound { .. } | Error::Gone { .. }) => Ok(()),
            done => done,
        }
    }

    /// A change that may be asked for again.
    async fn change(&self, method: Method, path: &str, body: Option<String>) -> Result<(), Error> {
        let owner = self.owner.as_deref().or_else(|| owner_in(path));
        let question = Question { method, path, etag: None, body, by: By::Token, owner };
        self.follow(question).await.map(drop)
    }

    /// As [`Source::get`], for any question.
    pub(super) async fn follow(&self, question: Question<'_>) -> Result<Answer, Error> {
        let mut path = question.path.to_owned();
        for _ in 0..=MOST_HOPS {
            match self.ask(&Question { path: &path, ..question.clone() }).await? {
                Ok(answer) => return Ok(answer),
                Err(moved_to) => path = moved_to,
            }
        }
        Err(Error::MovedInCircles { what: what(&path), hops: MOST_HOPS })
    }

    /// As [`Source::follow`], with a move as the inner error.
    async fn ask(&self, question: &Question<'_>) -> Result<Result<Answer, String>, Error> {
        let path = question.path;
        let mut pauses = retry_wait().build();
        let mut limits = 0;
        let mut tries = 0;
        let mut replaced = false;
        let quota = self.auth.quota_of(question);
        loop {
            if let Some(wait) = self.limits.hold(&quota, self.clock.now()) {
                self.wait_for_limit(wait, path).await;
            }
            let signed = self.auth.sign(self, question).await?;
            self.usage.requests.fetch_add(1, Ordering::Relaxed);
            tries += 1;
            let asked = self.octo.ask(question, signed.header.clone(), &self.usage.heard);
            let (last, status) = match asked.await {
                Err(Broken::TooLarge) => {
                    return Err(Error::TooLarge { what: what(path), limit: Broken::LIMIT });
                }
                Err(Broken::Connection(problem)) => (problem, None),
                Ok((head, body)) => {
                    self.usage.note(&head, question.by);
                    self.limits.note(&quota, &head);
                    match classify(&head, &body) {
                        Kind::Unauthorized if !replaced && self.auth.replace(&signed).await => {
                            replaced = true;
                            tries -= 1;
                            continue;
                        }
                        Kind::Limited => {
                            let wait = limit_wait(&head, limits, self.clock.now());
                            self.usage.retried.fetch_add(1, Ordering::Relaxed);
                            self.wait_for_limit(wait, path).await;
                            limits += 1;
                            tries -= 1;
                            continue;
                        }
                        Kind::Ill => {
                            let said = format!("status {}: {}", head.status, message(&body));
                            (said, Some(head.status))
                        }
                        // Whoever answers so has not read the question.
                        Kind::NotModified if question.etag.is_none() => {
                            ("304 without an ETag to compare with".to_owned(), Some(head.status))
                        }
                        Kind::Moved => return self.moved(path, &head).map(Err),
                        kind => return self.answer(path, kind, &head, body).map(Ok),
                    }
                }
            };
            let Some(pause) = pauses.next() else {
                return Err(Error::Ill { what: what(path), tries, last, status });
            };
            tracing::debug!(path, tries, last, "GitHub is asked again");
            self.usage.retried.fetch_add(1, Ordering::Relaxed);
            self.clock.wait(pause).await;
        }
    }

    /// Asks for `path` once, to see how GitHub is: waits for nothing and asks nothing again.
    pub async fn probe(&self, path: &str) -> Result<Answer, Error> {
        let ill = |last, status| Error::Ill { what: what(path), tries: 1, last, status };
        let owner = self.owner.as_deref().or_else(|| owner_in(path));
        let question =
            Question { method: Method::GET, path, etag: None, body: None, by: By::Token, owner };
        let signed = self.auth.sign(self, &question).await?;
        match self.octo.ask(&question, signed.header, &self.usage.heard).await {
            Err(Broken::TooLarge) => {
                Err(Error::TooLarge { what: what(path), limit: Broken::LIMIT })
            }
            Err(Broken::Connection(problem)) => Err(ill(problem, None)),
            Ok((head, body)) => match classify(&head, &body) {
                Kind::Ill => {
                    let said = format!("status {}: {}", head.status, message(&body));
                    Err(ill(said, Some(head.status)))
                }
                kind => self.answer(path, kind, &head, body),
            },
        }
    }

    async fn wait_for_limit(&self, wait: Duration, path: &str) {
        tracing::info!(path, wait_seconds = wait.as_secs(), "waiting for GitHub's limit");
        self.usage.waited(wait);
        self.limits.wait(wait, &self.clock).await;
    }

    fn moved(&self, path: &str, head: &Head) -> Result<String, Error> {
        let to = head.location.as_deref().unwrap_or_default();
        self.base.path_of(&what(path), to)
    }

    fn answer(&self, path: &str, kind: Kind, head: &Head, body: Bytes) -> Result<Answer, Error> {
        let what = || what(path);
        let body = match kind {
            Kind::Ok => Body::Json(body),
            Kind::Empty => Body::Json(Bytes::from_static(b"[]")),
            Kind::NotModified => Body::Unchanged,
            Kind::Unauthorized => return Err(Error::Unauthorized { message: message(&body) }),
            Kind::Forbidden => {
                return Err(Error::Forbidden { what: what(), message: message(&body) });
            }
            Kind::NotFound => return Err(Error::NotFound { what: what() }),
            Kind::Gone => return Err(Error::Gone { what: what(), message: message(&body) }),
            Kind::Conflict | Kind::Refused | Kind::Limited | Kind::Ill | Kind::Moved => {
                let (status, message) = (head.status, message(&body));
                return Err(Error::Refused { what: what(), status, message });
            }
        };
        if head.link.as_deref().is_some_and(|link| !is_readable(link)) {
            let problem = "the Link header names no link".to_owned();
            return Err(Error::Unreadable { what: what(), expected: "a list", problem });
        }
        let next = head.link.as_deref().and_then(next);
        let next = next.map(|url| self.base.path_of(&what(), url)).transpose()?;
        // A cursor beyond our own time would hide for ever what changes before it.
        let now = self.clock.now();
        let date = head.date.map_or(now, |date| date.min(now));
        Ok(Answer { body, etag: head.etag.clone(), next, date })
    }
}

impl Answer {
    /// The JSON that came; nothing where nothing has changed since the ETag that was sent.
    pub fn into_json(self) -> Bytes {
        match self.body {
            Body::Json(body) => body,
            Body::Unchanged => Bytes::new(),
        }
    }
}

impl Usage {
    fn note(&self, head: &Head, by: By) {
        if head.status == 304 {
            self.not_modified.fetch_add(1, Ordering::Relaxed);
        }
        // The App itself has a quota of its own.
        if let Some(remaining) = head.remaining.filter(|_| by == By::Token) {
            self.remaining.store(remaining, Ordering::Relaxed);
            self.remaining_known.store(1, Ordering::Relaxed);
        }
    }

    fn waited(&self, wait: Duration) {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.waited_millis.fetch_add(millis, Ordering::Relaxed);
    }

    fn read(&self) -> ApiUse {
        let number = |counter: &AtomicU64| {
            i64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
        };
        let known = number(&self.remaining_known) > 0;
        ApiUse {
            requests: number(&self.requests),
            not_modified: number(&self.not_modified),
            retried: number(&self.retried),
            waited_seconds: number(&self.waited_millis) / 1000,
            remaining: known.then(|| self.remaining.load(Ordering::Relaxed)),
        }
    }
}

/// What was asked for, in an error: the path without its query.
fn what(path: &str) -> String {
    path.split('?').next().unwrap_or_default().to_owned()
}
