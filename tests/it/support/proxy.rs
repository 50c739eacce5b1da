//! A proxy between one replica and the API server: it holds, drops, answers or freezes what a test
//! names. Upstream calls are apart from the client's connection, so they land also after the client
//! has given up.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use kube::Client;
use tokio::sync::watch;

use super::{Namespace, awaited};

/// Which calls a rule is about.
#[derive(Clone)]
pub(crate) struct Rule {
    pub(crate) method: Method,
    /// A part of the path.
    pub(crate) path: &'static str,
    /// A part of the body that is sent; empty for any.
    pub(crate) body: &'static str,
    pub(crate) action: Action,
    /// How many calls it is about, then it is used up.
    pub(crate) times: usize,
}

#[derive(Clone)]
pub(crate) enum Action {
    /// Forwards the call only when the gate is opened.
    Hold(watch::Receiver<bool>),
    /// Forwards the call, and never answers.
    DropAnswer,
    /// Forwards the call, and answers only when the gate is opened.
    HoldAnswer(watch::Receiver<bool>),
    /// Forwards the call, and gives this answer instead of the real one.
    AnswerInstead(StatusCode, String),
    /// Answers by itself.
    Answer(StatusCode, String),
}

/// When the process is to be stopped by the write that its rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is never made.
    Before,
    /// It was made, and nobody will hear the answer.
    Unanswered,
    /// It was made and answered.
    Answered,
}

impl Moment {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::Unanswered, Self::Answered];
}

/// The proxy of one replica. Ends when it is dropped, and fails the test if it has seen what no
/// operator may do.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    address: String,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    client: Client,
    rules: Mutex<Vec<Rule>>,
    /// What has arrived, as method and path with query, and whether a rule took it; and what was
    /// answered upstream.
    seen: watch::Sender<Vec<(String, bool)>>,
    frozen: watch::Sender<bool>,
    /// The writes that have arrived, in words.
    writes: Mutex<Vec<String>>,
    /// At which of them the process is to be stopped.
    trap: Mutex<Option<(usize, Moment)>>,
    sprung: watch::Sender<bool>,
    /// The writes of a Lease.
    put: Mutex<HashSet<Bytes>>,
    /// What no operator may do, and was done.
    misuse: Mutex<Vec<String>>,
}

impl Proxy {
    pub(crate) async fn start(space: &Namespace) -> Self {
        let shared = Arc::new(Shared {
            client: space.client.clone(),
            rules: Mutex::default(),
            seen: watch::Sender::default(),
            frozen: watch::Sender::new(false),
            writes: Mutex::default(),
            trap: Mutex::default(),
            sprung: watch::Sender::new(false),
            put: Mutex::default(),
            misuse: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let app = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("the proxy serves");
        });
        Self { shared, address, server }
    }

    /// A kubeconfig, in `folder`, that leads through this proxy.
    pub(crate) fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("kubeconfig-{}", self.address.replace(':', "-")));
        let mut file = std::fs::File::create(&path).expect("a file");
        let text = format!(
            "apiVersion: v1\nkind: Config\n\
             clusters: [{{name: p, cluster: {{server: \"http://{}\"}}}}]\n\
             contexts: [{{name: p, context: {{cluster: p, user: p}}}}]\n\
             users: [{{name: p, user: {{}}}}]\ncurrent-context: p\n",
            self.address
        );
        file.write_all(text.as_bytes()).expect("it can be written");
        path
    }

    pub(crate) fn rule(&self, rule: Rule) {
        self.shared.rules.lock().expect("not poisoned").push(rule);
    }

    /// Holds the next call of this kind; sending `true` lets it through.
    pub(crate) fn hold(
        &self,
        method: Method,
        path: &'static str,
        body: &'static str,
    ) -> watch::Sender<bool> {
        let (gate, held) = watch::channel(false);
        self.rule(Rule { method, path, body, action: Action::Hold(held), times: 1 });
        gate
    }

    /// Holds the answer to the next call of this kind; sending `true` lets it through.
    pub(crate) fn hold_answer(
        &self,
        method: Method,
        path: &'static str,
        body: &'static str,
    ) -> watch::Sender<bool> {
        let (gate, held) = watch::channel(false);
        self.rule(Rule { method, path, body, action: Action::HoldAnswer(held), times: 1 });
        gate
    }

    /// Sets a trap at the write with this number, from 0 on.
    pub(crate) fn set_trap(&self, write: usize, moment: Moment) {
        *self.shared.trap.lock().expect("not poisoned") = Some((write, moment));
    }

    /// Waits until the trap has sprung: the write is as its moment says, and no later one has been
    /// heard of.
    pub(crate) async fn sprung(&self) {
        let mut sprung = self.shared.sprung.subscribe();
        awaited("the write comes", sprung.wait_for(|it| *it)).await.expect("the proxy lives");
    }

    /// The writes that have arrived, in words.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.shared.writes.lock().expect("not poisoned").clone()
    }

    /// Lets no event of any watch through until it is thawed.
    pub(crate) fn freeze_watches(&self, frozen: bool) {
        self.shared.frozen.send_replace(frozen);
    }

    /// Waits until a rule has taken a call whose path has this part.
    pub(crate) async fn taken(&self, path: &str) {
        self.until(path, |(call, taken)| *taken && call.contains(path)).await;
    }

    /// Waits until a call with this beginning has arrived after the first `before` calls.
    pub(crate) async fn called_after(&self, before: usize, call: &str) {
        let mut seen = self.shared.seen.subscribe();
        let found = seen.wait_for(|seen| seen.iter().skip(before).any(|(c, _)| c.contains(call)));
        awaited(call, found).await.expect("the proxy lives");
    }

    pub(crate) fn calls(&self) -> usize {
        self.shared.seen.borrow().len()
    }

    /// How many calls with this part have arrived.
    pub(crate) fn count(&self, part: &str) -> usize {
        let seen = self.shared.seen.borrow();
        let call = |call: &str| !call.starts_with("answered ") && call.contains(part);
        seen.iter().filter(|(it, _)| call(it)).count()
    }

    async fn until(&self, what: &str, holds: impl Fn(&(String, bool)) -> bool) {
        let mut seen = self.shared.seen.subscribe();
        let found = seen.wait_for(|seen| seen.iter().any(&holds));
        awaited(what, found).await.expect("the proxy lives");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
        let misuse = self.shared.misuse.lock().expect("not poisoned");
        assert!(misuse.is_empty() || std::thread::panicking(), "misuse: {}", misuse.join(", "));
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let call = format!("{} {}", parts.method, parts.uri);
    shared.mind(&parts.method, &call, &body);
    let action = shared.action(&parts.method, &call, &body);
    let (watches, answered) = (call.contains("watch="), call.clone());
    shared.seen.send_modify(|seen| seen.push((call, action.is_some())));
    parts.headers.remove(http::header::HOST);
    parts.headers.remove(http::header::AUTHORIZATION);
    let forwarded = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    let client = shared.client.clone();
    match shared.trapped(forwarded.method(), &answered, &body) {
        Some(Moment::Before) => {
            shared.sprung.send_replace(true);
            return std::future::pending().await;
        }
        Some(Moment::Unanswered) => {
            let _ = client.send(forwarded).await;
            shared.sprung.send_replace(true);
            return std::future::pending().await;
        }
        Some(Moment::Answered) => {
            let upstream = client.send(forwarded).await;
            tokio::spawn(async move { shared.sprung.send_replace(true) });
            return respond(upstream, None);
        }
        None => {}
    }
    match action {
        Some(Action::Answer(status, text)) => answer(status, text),
        Some(Action::DropAnswer) => {
            let _ = client.send(forwarded).await;
            std::future::pending().await
        }
        Some(Action::HoldAnswer(mut held)) => {
            let upstream = client.send(forwarded).await;
            let _ = held.wait_for(|open| *open).await;
            respond(upstream, None)
        }
        Some(Action::AnswerInstead(status, text)) => {
            let _ = client.send(forwarded).await;
            answer(status, text)
        }
        Some(Action::Hold(mut held)) => {
            let upstream = tokio::spawn(async move {
                let _ = held.wait_for(|open| *open).await;
                client.send(forwarded).await
            });
            let upstream = upstream.await;
            shared.answered(&answered);
            respond(upstream.expect("the call is made"), None)
        }
        None => {
            let upstream = client.send(forwarded).await;
            shared.answered(&answered);
            respond(upstream, watches.then(|| shared.frozen.subscribe()))
        }
    }
}

impl Shared {
    fn answered(&self, call: &str) {
        self.seen.send_modify(|seen| seen.push((format!("answered {call}"), false)));
    }

    /// Takes note of what no operator may do.
    fn mind(&self, method: &Method, call: &str, body: &Bytes) {
        let mut misuse = self.misuse.lock().expect("not poisoned");
        // No decision may rest on an answer from a cache.
        if call.contains("resourceVersion=0&") || call.ends_with("resourceVersion=0") {
            misuse.push(format!("{call} asks a cache"));
        }
        // Each has a newer renewTime, unless a client repeats it by itself.
        let of_lease = *method == Method::PUT && call.contains("/leases/");
        if of_lease && !self.put.lock().expect("not poisoned").insert(body.clone()) {
            misuse.push(format!("{call} is made twice"));
        }
    }

    /// Counts a write, and says whether it is the one with the trap.
    fn trapped(&self, method: &Method, call: &str, body: &Bytes) -> Option<Moment> {
        // A question about rights is no write.
        if method == Method::GET || call.contains("selfsubject") {
            return None;
        }
        let mut writes = self.writes.lock().expect("not poisoned");
        let number = writes.len();
        writes.push(in_words(method, call, body));
        let trap = *self.trap.lock().expect("not poisoned");
        trap.filter(|(write, _)| *write == number).map(|(_, moment)| moment)
    }

    fn action(&self, method: &Method, call: &str, body: &Bytes) -> Option<Action> {
        let mut rules = self.rules.lock().expect("not poisoned");
        let sent = String::from_utf8_lossy(body);
        let rule = rules.iter_mut().find(|rule| {
            rule.times > 0
                && rule.method == *method
                && call.contains(rule.path)
                && sent.contains(rule.body)
        })?;
        rule.times -= 1;
        Some(rule.action.clone())
    }
}

/// The upstream's answer; each part of a watch waits while the watches are frozen.
fn respond(
    upstream: kube::Result<Response<kube::client::Body>>,
    frozen: Option<watch::Receiver<bool>>,
) -> Response {
    let (parts, body) = match upstream {
        Err(error) => return answer(StatusCode::BAD_GATEWAY, error.to_string()),
        Ok(upstream) => upstream.into_parts(),
    };
    let Some(frozen) = frozen else { return Response::from_parts(parts, Body::new(body)) };
    let frames = futures::stream::unfold((body, frozen), |(mut body, mut frozen)| async move {
        let frame = body.frame().await?;
        let _ = frozen.wait_for(|frozen| !frozen).await;
        Some((frame, (body, frozen)))
    });
    Response::from_parts(parts, Body::new(StreamBody::new(frames)))
}

/// A write in words that are the same in each run of the same story.
fn in_words(method: &Method, call: &str, body: &Bytes) -> String {
    let kind = ["leases", "events", "syncrequests"].into_iter().find(|kind| call.contains(kind));
    let sent = String::from_utf8_lossy(body);
    let phases = ["Queued", "Running", "Succeeded", "PartiallySucceeded", "Failed", "Cancelled"];
    let phase = phases.into_iter().find(|phase| sent.contains(&format!("\"phase\":\"{phase}\"")));
    let says = phase.or_else(|| sent.contains("progress").then_some("progress"));
    let held = sent.contains("holderIdentity\":\"").then_some("held");
    let empty = sent.contains("holderIdentity\":\"\"").then_some("free");
    let says = says.or(empty).or(held).unwrap_or("");
    format!("{method} {} {says}", kind.unwrap_or("something"))
}

fn answer(status: StatusCode, text: String) -> Response {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(text)).expect("a response")
}
