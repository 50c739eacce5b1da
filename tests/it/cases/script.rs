//! A GitHub that gives the answers of one case, in turn.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::Value;

use super::case::{Answer, Case};

pub(super) struct Script {
    shared: Arc<Shared>,
    base_url: String,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    answers: Vec<(Key, Vec<Reply>)>,
    asked: Mutex<Asked>,
    base_url: String,
}

/// What was asked for.
#[derive(Default)]
struct Asked {
    /// How often each key was.
    times: BTreeMap<usize, usize>,
    /// Every method and URL.
    requests: Vec<(String, String)>,
}

/// An answer, ready to be sent.
struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// `GET /path?a=b`: matches when the method and the path are the same and the query has at least
/// these parameters.
struct Key {
    text: String,
    method: String,
    path: String,
    query: Vec<(String, String)>,
}

impl Script {
    pub(super) async fn start(case: &Case) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut answers: Vec<(Key, Vec<Reply>)> = case
            .answers
            .iter()
            .map(|(key, answers)| (Key::read(key), answers.iter().map(Reply::from).collect()))
            .collect();
        // The longest match wins.
        answers.sort_by_key(|(key, _)| std::cmp::Reverse(key.text.len()));
        let base = base_url.clone();
        let shared = Arc::new(Shared { answers, asked: Mutex::default(), base_url: base });
        let app = Router::new().fallback(reply).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("it serves");
        });
        Self { shared, base_url, server }
    }

    pub(super) fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// The URLs that were asked for.
    pub(super) fn requests(&self) -> Vec<String> {
        let asked = self.shared.asked.lock().expect("not poisoned");
        asked.requests.iter().map(|(_, url)| url.clone()).collect()
    }

    /// How many tokens an App asked for.
    pub(super) fn minted(&self) -> usize {
        let asked = self.shared.asked.lock().expect("not poisoned");
        let is_minting =
            |(method, url): &&(String, String)| method == "POST" && url.ends_with("/access_tokens");
        asked.requests.iter().filter(is_minting).count()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl From<&Answer> for Reply {
    fn from(answer: &Answer) -> Self {
        let body = match &answer.body {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        Self { status: answer.status, headers: answer.headers.clone(), body }
    }
}

impl Key {
    fn read(text: &str) -> Self {
        let (method, url) = text.split_once(' ').expect("METHOD /path");
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        Self {
            text: text.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: parameters(query),
        }
    }

    fn matches(&self, method: &str, path: &str, query: &[(String, String)]) -> bool {
        self.method == method && self.path == path && self.query.iter().all(|p| query.contains(p))
    }
}

fn parameters(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

async fn reply(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (method, uri) = (request.method().as_str(), request.uri());
    let query = parameters(uri.query().unwrap_or_default());
    let mut asked = shared.asked.lock().expect("not poisoned");
    asked.requests.push((method.to_owned(), uri.to_string()));
    let found = shared.answers.iter().position(|(key, _)| key.matches(method, uri.path(), &query));
    let Some(found) = found else {
        let body = Body::from(r#"{"message":"Not Found"}"#);
        return Response::builder().status(404).body(body).expect("a response");
    };
    let replies = &shared.answers[found].1;
    let times = asked.times.entry(found).or_default();
    let reply = &replies[(*times).min(replies.len() - 1)];
    *times += 1;
    let mut response = Response::builder().status(reply.status);
    let typed = reply.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
    if !typed {
        response = response.header("content-type", "application/json; charset=utf-8");
    }
    for (name, value) in &reply.headers {
        let value = value.replace("https://api.github.test", &shared.base_url);
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body.clone())).expect("a response")
}
