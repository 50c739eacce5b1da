//! A proxy between one replica and the API server: it holds, drops, delays, cuts, answers or freezes
//! what a test names. Upstream calls are apart from the client's connection, so they land also after
//! the client has given up.

mod answer;
mod log;
mod rule;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::response::Response;
use http::Method;
use http_body_util::BodyExt;
use kube::Client;
use tokio::sync::watch;

use self::answer::{answer, cut, respond};
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
    /// What no operator may do, and was done. The test fails with it.
    forbidden: Mutex<Vec<String>>,
    /// The writes of a Lease.
    put: Mutex<HashSet<Bytes>>,
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

/// A watch that goes on, and how often it was not yet there when all of them were told that they are
/// too old.
struct Watch {
    watches: watch::Receiver<Watches>,
    before: usize,
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
            put: Mutex::default(),
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
        self.gate(method, path, body, Action::Hold)
    }

    fn gate(
        &self,
        method: Method,
        path: &'static str,
        body: &'static str,
        action: impl FnOnce(watch::Receiver<bool>) -> Action,
    ) -> watch::Sender<bool> {
        let (gate, held) = watch::channel(false);
        let (method, action) = (Some(method), action(held));
        self.rule(Rule { method, path, body, action, times: 1 });
        gate
    }

    /// Holds the answer to the next call of this kind; sending `true` lets it through.
    pub(crate) fn hold_answer(
        &self,
        method: Method,
        path: &'static str,
        body: &'static str,
    ) -> watch::Sender<bool> {
        self.gate(method, path, body, Action::HoldAnswer)
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

    /// Waits until a watch of this kind goes on.
    pub(crate) async fn watched(&self, kind: &str) {
        let begins = |call: &str| call.starts_with("answered ") && call.contains("watch=");
        self.until(kind, |(call, _)| begins(call) && call.contains(kind)).await;
    }

    pub(crate) fn calls(&self) -> usize {
        self.shared.seen.borrow().len()
    }

    /// How many calls with this part have arrived.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.calls_with(part).len()
    }

    /// The calls with this part that have arrived, as method and path with query.
    pub(crate) fn calls_with(&self, part: &str) -> Vec<String> {
        let seen = self.shared.seen.borrow();
        let calls = seen.iter().map(|(call, _)| call);
        let of_client = |call: &&String| !call.starts_with("answered ") && call.contains(part);
        calls.filter(of_client).cloned().collect()
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
            assert!(forbidden.is_empty(), "misuse: {}", forbidden.join(", "));
        }
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let call = format!("{} {}", parts.method, parts.uri);
    shared.judge(&parts.method, &call, &body);
    let logged = shared.log.as_ref().map(|log| log.call(&call, &body));
    let action = shared.action(&parts.method, &call, &body);
    let watch = call.contains("watch=").then(|| shared.watch());
    let answered = call.clone();
    shared.seen.send_modify(|seen| seen.push((call, action.is_some())));
    parts.headers.remove(http::header::HOST);
    parts.headers.remove(http::header::AUTHORIZATION);
    let forwarded = http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    if let Some(moment) = shared.trapped(forwarded.method(), &answered, &body) {
        return shared.spring(moment, forwarded).await;
    }
    let response = match action {
        Some(action) => shared.perform(action, forwarded, watch).await,
        None => {
            let upstream = shared.send(forwarded, std::future::ready(())).await;
            respond(upstream, watch)
        }
    };
    if let (Some(log), Some(number)) = (&shared.log, logged) {
        log.answer(number, Some(response.status().as_u16()));
    }
    response
}

type Call = http::Request<kube::client::Body>;
type Upstream = kube::Result<Response<kube::client::Body>>;

impl Shared {
    /// A watch whose call has arrived.
    fn watch(&self) -> Watch {
        let watches = self.watches.subscribe();
        let before = watches.borrow().expired;
        Watch { watches, before }
    }

    /// Makes the call upstream when the time has come, also if the client has gone by then.
    async fn send(
        self: &Arc<Self>,
        call: Call,
        when: impl Future<Output = ()> + Send + 'static,
    ) -> Upstream {
        let shared = Arc::clone(self);
        let made = tokio::spawn(async move {
            when.await;
            let name = format!("answered {} {}", call.method(), call.uri());
            let upstream = shared.client.send(call).await;
            shared.seen.send_modify(|seen| seen.push((name, false)));
            upstream
        });
        made.await.expect("the call is made")
    }

    /// The write with the trap, at its moment.
    async fn spring(self: &Arc<Self>, moment: Moment, call: Call) -> Response {
        let at_once = std::future::ready(());
        let upstream = match moment {
            Moment::Before => None,
            Moment::Unanswered | Moment::Answered => Some(self.send(call, at_once).await),
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
    async fn perform(
        self: &Arc<Self>,
        action: Action,
        call: Call,
        watch: Option<Watch>,
    ) -> Response {
        let at_once = std::future::ready(());
        match action {
            Action::Answer(status, text) => answer(status, text),
            Action::AnswerInstead(status, text) => {
                let _ = self.send(call, at_once).await;
                answer(status, text)
            }
            Action::DropCall => std::future::pending().await,
            Action::DropAnswer => {
                let _ = self.send(call, at_once).await;
                std::future::pending().await
            }
            Action::HoldAnswer(mut held) => {
                let upstream = self.send(call, at_once).await;
                let _ = held.wait_for(|open| *open).await;
                respond(upstream, None)
            }
            Action::Hold(mut held) => {
                let opened = async move { drop(held.wait_for(|open| *open).await) };
                respond(self.send(call, opened).await, None)
            }
            Action::Delay(time) => {
                let upstream = self.send(call, tokio::time::sleep(time)).await;
                respond(upstream, watch)
            }
            Action::CutBody(bytes) => cut(respond(self.send(call, at_once).await, None), bytes),
        }
    }

    /// Takes note of what no operator may do: no decision may rest on an answer from a cache, and a
    /// write of the Lease has a newer renewTime each time, unless a client repeats it by itself.
    fn judge(&self, method: &Method, call: &str, body: &Bytes) {
        let (path, query) = call.split_once('?').unwrap_or((call, ""));
        let decided = ["/leases/", "/syncrequests/", "/pods/"].iter().any(|it| path.contains(it));
        let cached = query.split('&').any(|it| it == "resourceVersion=0");
        let single = *method == Method::GET && decided && query.contains("resourceVersion=");
        let forbid = |what: &str| {
            let mut forbidden = self.forbidden.lock().unwrap_or_else(PoisonError::into_inner);
            forbidden.push(format!("{call} {what}"));
        };
        if cached || single {
            forbid("asks a cache");
        }
        let of_lease = *method == Method::PUT && path.contains("/leases/");
        if of_lease && !self.put.lock().unwrap_or_else(PoisonError::into_inner).insert(body.clone())
        {
            forbid("is made twice");
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
