//! A proxy between one replica and the API server: it holds, drops, delays, cuts, answers or freezes
//! what a test names. Upstream calls are apart from the client's connection, so they land also after
//! the client has given up.

mod log;
mod rule;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use kube::Client;
use tokio::sync::watch;

use self::log::CallLog;
use self::rule::in_words;
pub(crate) use self::rule::{Action, Moment, Rule};
use super::{Namespace, awaited};

/// The proxy of one replica. Ends when it is dropped.
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
    watches: watch::Sender<Watches>,
    /// What no client of ours may ask. The test fails with it.
    forbidden: Mutex<Vec<String>>,
    log: Option<CallLog>,
    /// The writes that have arrived, in words.
    writes: Mutex<Vec<String>>,
    /// At which of them the process is to be stopped.
    trap: Mutex<Option<(usize, Moment)>>,
    sprung: watch::Sender<bool>,
}

/// What happens to the watches that go on.
#[derive(Clone, Copy, Debug, Default)]
struct Watches {
    /// No event comes through.
    frozen: bool,
    /// How often all of them were told that they are too old.
    expired: usize,
}

impl Proxy {
    /// Before the API server of the tests.
    pub(crate) async fn start(space: &Namespace) -> Self {
        Self::between(space.client.clone(), None).await
    }

    /// Before the API server of this client, with a log of the calls in this file under the name of
    /// the replica.
    pub(crate) async fn between(client: Client, log: Option<(&Path, &str)>) -> Self {
        let shared = Arc::new(Shared {
            client,
            log: log.map(|(path, replica)| CallLog::create(path, replica)),
            forbidden: Mutex::default(),
            rules: Mutex::default(),
            seen: watch::Sender::default(),
            watches: watch::Sender::default(),
            writes: Mutex::default(),
            trap: Mutex::default(),
            sprung: watch::Sender::new(false),
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
        self.rule(Rule { method: Some(method), path, body, action: Action::Hold(held), times: 1 });
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
        self.shared.watches.send_modify(|watches| watches.frozen = frozen);
    }

    /// Tells every watch that goes on, also a frozen one, that it is too old: 410 Gone. What it would
    /// have said is lost, and whoever watches must list again.
    pub(crate) fn expire_watches(&self) {
        self.shared.watches.send_modify(|watches| watches.expired += 1);
    }

    /// Takes all rules back. What they keep waiting stays so.
    pub(crate) fn clear(&self) {
        self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
        let forbidden = self.shared.forbidden.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::thread::panicking() {
            assert!(forbidden.is_empty(), "no decision may rest on a cached answer: {forbidden:?}");
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let call = format!("{} {}", parts.method, parts.uri);
    shared.judge(&parts.method, &call);
    let logged = shared.log.as_ref().map(|log| log.call(&call, &body));
    let action = shared.action(&parts.method, &call, &body);
    let watches = call.contains("watch=");
    let answered = call.clone();
    shared.seen.send_modify(|seen| seen.push((call, action.is_some())));
    parts.headers.remove(http::header::HOST);
    parts.headers.remove(http::header::AUTHORIZATION);
    let forwarded = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    if let Some(moment) = shared.trapped(forwarded.method(), &answered, &body) {
        return shared.spring(moment, forwarded).await;
    }
    let response = match action {
        Some(action) => shared.perform(action, forwarded, watches).await,
        None => {
            let upstream = shared.client.send(forwarded).await;
            shared.seen.send_modify(|seen| seen.push((format!("answered {answered}"), false)));
            respond(upstream, watches.then(|| shared.watches.subscribe()))
        }
    };
    if let (Some(log), Some(number)) = (&shared.log, logged) {
        log.answer(number, Some(response.status().as_u16()));
    }
    response
}

type Call = http::Request<kube::client::Body>;

impl Shared {
    /// The write with the trap, at its moment.
    async fn spring(&self, moment: Moment, call: Call) -> Response {
        let upstream = match moment {
            Moment::Before => None,
            Moment::Unanswered | Moment::Answered => Some(self.client.send(call).await),
        };
        if let (Moment::Answered, Some(upstream)) = (moment, upstream) {
            let sprung = self.sprung.clone();
            tokio::spawn(async move { sprung.send_replace(true) });
            return respond(upstream, None);
        }
        self.sprung.send_replace(true);
        std::future::pending().await
    }

    /// What a rule wants to happen to a call.
    async fn perform(&self, action: Action, call: Call, watches: bool) -> Response {
        let client = self.client.clone();
        match action {
            Action::Answer(status, text) => answer(status, text),
            Action::DropCall => std::future::pending().await,
            Action::DropAnswer => {
                let _ = client.send(call).await;
                std::future::pending().await
            }
            Action::HoldAnswer(mut held) => {
                let upstream = client.send(call).await;
                let _ = held.wait_for(|open| *open).await;
                respond(upstream, None)
            }
            Action::Hold(mut held) => {
                let upstream = tokio::spawn(async move {
                    let _ = held.wait_for(|open| *open).await;
                    client.send(call).await
                });
                respond(upstream.await.expect("the call is made"), None)
            }
            Action::Delay(time) => {
                let upstream = tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    client.send(call).await
                });
                let watches = watches.then(|| self.watches.subscribe());
                respond(upstream.await.expect("the call is made"), watches)
            }
            Action::CutBody(bytes) => cut(respond(client.send(call).await, None), bytes),
        }
    }

    /// No decision of ours may rest on an answer from a cache, and every one of ours is read singly.
    fn judge(&self, method: &Method, call: &str) {
        let (path, query) = call.split_once('?').unwrap_or((call, ""));
        let decided = ["/leases/", "/syncrequests/", "/pods/"].iter().any(|it| path.contains(it));
        let cached = query.split('&').any(|it| it == "resourceVersion=0");
        let single = *method == Method::GET && decided && query.contains("resourceVersion=");
        if cached || single {
            self.forbidden.lock().unwrap_or_else(PoisonError::into_inner).push(call.to_owned());
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
        let rule = rules.iter_mut().find(|rule| rule.fits(method, call, body))?;
        rule.times -= 1;
        Some(rule.action.clone())
    }
}

/// The upstream's answer; each part of a watch waits while the watches are frozen.
fn respond(
    upstream: kube::Result<Response<kube::client::Body>>,
    watches: Option<watch::Receiver<Watches>>,
) -> Response {
    let (parts, body) = match upstream {
        Err(error) => return answer(StatusCode::BAD_GATEWAY, error.to_string()),
        Ok(upstream) => upstream.into_parts(),
    };
    let Some(watches) = watches else { return Response::from_parts(parts, Body::new(body)) };
    let before = watches.borrow().expired;
    let state = Some((body, watches));
    let frames = futures::stream::unfold(state, move |state| async move {
        let (mut body, mut watches) = state?;
        let mut expired = watches.clone();
        let next = async {
            let frame = body.frame().await?;
            let _ = watches.wait_for(|watches| !watches.frozen).await;
            Some(frame)
        };
        tokio::select! {
            frame = next => Some((frame?, Some((body, watches)))),
            Ok(_) = expired.wait_for(|watches| watches.expired > before) => {
                Some((Ok(Frame::data(Bytes::from(TOO_OLD))), None))
            }
        }
    });
    Response::from_parts(parts, Body::new(StreamBody::new(frames)))
}

/// What the API server says at the end of a watch that cannot go on.
const TOO_OLD: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"#,
    r#""status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

/// Breaks the connection after so many bytes.
fn cut(response: Response, bytes: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let state = (body.into_data_stream(), bytes);
    let frames = futures::stream::unfold(Some(state), |state| async move {
        let (mut body, left) = state?;
        match futures::StreamExt::next(&mut body).await? {
            Ok(data) if data.len() <= left => {
                let left = left - data.len();
                Some((Ok(data), Some((body, left))))
            }
            Ok(_) => Some((Err(std::io::Error::other("cut")), None)),
            Err(error) => Some((Err(std::io::Error::other(error)), None)),
        }
    });
    Response::from_parts(parts, Body::from_stream(frames))
}

fn answer(status: StatusCode, text: String) -> Response {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(text)).expect("a response")
}
