//! The stand-in behind a proxy that holds all requests and answers against GitHub's own description.
//!
//! One of each for the whole test binary: a client asks the front, which writes down what the proxy
//! behind it objects to, and the proxy asks the stand-in.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::description::Description;
use crate::stand_in::{StandIn, World};

/// One request, its answer, and what the proxy has against them.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Method, path and query.
    pub(crate) asked: String,
    pub(crate) status: u16,
    /// Empty, if all is legal.
    pub(crate) objection: String,
}

/// The stand-in for the length of one test, alone.
pub(crate) struct Judged {
    referee: tokio::sync::MutexGuard<'static, Referee>,
}

struct Referee {
    github: StandIn,
    front: Arc<Front>,
    base_url: String,
}

struct Front {
    /// Where the proxy listens.
    proxy: String,
    client: Client<HttpConnector, Full<Bytes>>,
    description: Description,
    seen: Mutex<Vec<Exchange>>,
}

/// The stand-in with this world, once no other test uses it, or `None` where there is no npm.
///
/// The end of the test fails it if the referee objects to anything.
pub(crate) async fn judged(mut world: World) -> Option<Judged> {
    static REFEREE: OnceLock<Option<tokio::sync::Mutex<Referee>>> = OnceLock::new();
    let begin = || REFEREE.get_or_init(|| start().map(tokio::sync::Mutex::new));
    let referee = tokio::task::spawn_blocking(begin).await.expect("the referee starts");
    let referee = referee.as_ref()?.lock().await;
    world.set_base_url(&referee.base_url);
    referee.github.world(|old| *old = world);
    referee.github.clear_faults();
    referee.github.clear_requests();
    referee.front.take();
    Some(Judged { referee })
}

impl Judged {
    /// Where clients ask.
    pub(crate) fn base_url(&self) -> &str {
        &self.referee.base_url
    }

    /// GitHub's own description.
    pub(crate) fn description(&self) -> &Description {
        &self.referee.front.description
    }

    /// What was asked so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.referee.front.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was asked so far, which the end of the test does not look at any more.
    pub(crate) fn take(&self) -> Vec<Exchange> {
        self.referee.front.take()
    }
}

impl Deref for Judged {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.referee.github
    }
}

impl Drop for Judged {
    fn drop(&mut self) {
        let illegal: Vec<String> = self.take().iter().filter_map(Exchange::shown).collect();
        let text = illegal.join("\n");
        if std::thread::panicking() {
            eprintln!("--- the referee objects to {} exchanges\n{text}", illegal.len());
        } else {
            assert!(illegal.is_empty(), "GitHub's own description forbids this:\n{text}");
        }
    }
}

impl Exchange {
    fn shown(&self) -> Option<String> {
        let Self { asked, status, objection } = self;
        (!objection.is_empty()).then(|| format!("{asked} -> {status}: {objection}"))
    }
}

/// Starts all three in a thread that never ends: the proxy is killed when the thread is gone.
fn start() -> Option<Referee> {
    let description = installed()?;
    let (to_us, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let github = StandIn::start(World::empty()).await;
            let front = Arc::new(Front {
                proxy: proxy(&description, &github.base_url()),
                // The proxy ends a connection that has been idle for some seconds, also while it is
                // asked once more: each call has one of its own.
                client: Client::builder(TokioExecutor::new())
                    .pool_max_idle_per_host(0)
                    .build_http(),
                description: Description::read(&description),
                seen: Mutex::default(),
            });
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let base_url = format!("http://{}", listener.local_addr().expect("an address"));
            let app = Router::new().fallback(pass_on).with_state(Arc::clone(&front));
            to_us.send(Referee { github, front, base_url }).expect("they wait");
            axum::serve(listener, app).await.expect("the front serves");
        });
    });
    Some(started.recv().expect("the referee starts"))
}

/// The path of the description, which is installed if need be, or `None` where there is no npm.
fn installed() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/referee/build");
    let done = Command::new("sh").arg(script).stderr(Stdio::inherit()).output();
    let done = done.expect("sh is there");
    assert!(done.status.success(), "the referee could not be installed: see above");
    let path = String::from_utf8(done.stdout).expect("a path");
    (!path.is_empty()).then(|| PathBuf::from(path.trim_end()))
}

/// Starts the proxy before `upstream`, and gives its address once it listens.
fn proxy(description: &Path, upstream: &str) -> String {
    let program = description.with_file_name("node_modules/.bin/prism");
    let unfollowed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/referee/unfollowed.cjs");
    // The kernel kills it when this thread ends, however that comes.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "node", "--require", unfollowed])
        .arg(program)
        .arg("proxy")
        .arg(description)
        .args([upstream, "--errors", "--port", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("setpriv is there (util-linux)");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let address = address(&mut output);
    // It stops when nobody reads what it says.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut output, &mut std::io::sink());
        child.wait()
    });
    address
}

/// Where the proxy listens, which it says as soon as it does.
fn address(output: &mut impl BufRead) -> String {
    let mut said = String::new();
    loop {
        let read = output.read_line(&mut said).expect("it writes text");
        assert!(read > 0, "the validating proxy has ended, and said:\n{said}");
        if let Some((_, address)) = said.split_once("listening on ") {
            return address.trim().to_owned();
        }
    }
}

impl Front {
    fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), Box<dyn Error>> {
        let (head, body) = self.client.request(request).await?.into_parts();
        Ok((head, body.collect().await?.to_bytes()))
    }
}

/// Passes a request on to the proxy, and its answer back.
async fn pass_on(State(front): State<Arc<Front>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let asked = format!("{} {}", head.method, head.uri);
    let unknown = front.description.unknown_parameters(&head.method, &head.uri);
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    head.uri = format!("{}{}", front.proxy, head.uri).parse().expect("a path is below an address");
    let answer = front.ask(Request::from_parts(head, Full::new(body))).await;
    let (status, objection, response) = match answer {
        Ok((head, body)) => {
            let objection = unknown.or_else(|| objection(&head, &body)).unwrap_or_default();
            (head.status, objection, Response::from_parts(head, Body::from(body)))
        }
        Err(error) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            (StatusCode::BAD_GATEWAY, format!("the proxy does not answer: {error}"), response)
        }
    };
    let exchange = Exchange { asked, status: status.as_u16(), objection };
    front.seen.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    response
}

/// What the proxy says against an exchange: in a header, or as an answer of its own.
fn objection(head: &Parts, body: &Bytes) -> Option<String> {
    let header =
        |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let own = header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.contains("problem+json"));
    let own = own.then(|| String::from_utf8_lossy(body).into_owned());
    header("sl-violations").map(std::borrow::Cow::into_owned).or(own)
}
