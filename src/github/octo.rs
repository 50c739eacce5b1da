//! The transport: octocrab over hyper and rustls, with limits on size and time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use tokio::time::timeout;
use tower_http::decompression::DecompressionLayer;

use super::auth::By;
use super::{BaseUrl, Error, Head, Network};

/// The largest page that is read, unpacked.
const LARGEST_PAGE: usize = 64 << 20;
/// How long to wait for the head of an answer, and for each part of its body.
const HEAD: Duration = Duration::from_secs(60);
const PART: Duration = Duration::from_secs(30);

/// A client of one base URL. Who asks is said with each question.
#[derive(Clone)]
pub(super) struct Octo {
    octocrab: Octocrab,
    /// For a proxy that passes questions on, and does not make a tunnel for them.
    proxy_login: Option<HeaderValue>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    pub(super) method: Method,
    /// Below the base URL, with its query.
    pub(super) path: &'a str,
    pub(super) etag: Option<&'a str>,
    pub(super) by: By,
    /// What is sent along, as JSON.
    pub(super) body: Option<String>,
    /// Whose repositories it is about, if that is known.
    pub(super) owner: Option<&'a str>,
}

/// An answer that never came, or not whole: asking again may help.
#[derive(Debug)]
pub(super) enum Broken {
    Connection(String),
    TooLarge,
}

impl Octo {
    /// Must be called inside the runtime.
    pub(super) fn connect(base: &BaseUrl, network: &Network) -> Result<Self, Error> {
        let uri: Uri = base
            .as_str()
            .parse()
            .map_err(|_| Error::BadBaseUrl { url: base.to_string(), problem: "it is not a URL" })?;
        let plain = uri.scheme_str() == Some("http");
        let proxy = network.proxies.to(&uri).filter(|_| plain);
        let proxy_login = proxy.and_then(|proxy| proxy.basic_auth().cloned());
        let client: Client<_, OctoBody> = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .build(network.connector()?);
        let octo = OctocrabBuilder::new_empty()
            .with_service(client)
            .with_layer(&DecompressionLayer::new().gzip(true))
            .with_layer(&BaseUriLayer::new(uri))
            .with_auth(AuthState::None)
            .build();
        match octo {
            Ok(octocrab) => Ok(Self { octocrab, proxy_login }),
            Err(never) => match never {},
        }
    }

    /// Asks below the base URL and reads the whole answer. Each part that comes is counted in
    /// `parts`.
    pub(super) async fn ask(
        &self,
        question: &Question<'_>,
        authorization: HeaderValue,
        parts: &AtomicU64,
    ) -> Result<(Head, Bytes), Broken> {
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(question.path)
            .header(header::AUTHORIZATION, authorization)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header(header::USER_AGENT, concat!("singletrack/", env!("CARGO_PKG_VERSION")))
            .header("x-github-api-version", "2022-11-28");
        if let Some(etag) = question.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(login) = &self.proxy_login {
            request = request.header(header::PROXY_AUTHORIZATION, login);
        }
        let body = match &question.body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                OctoBody::from(json.clone())
            }
            None => OctoBody::empty(),
        };
        let request = request.body(body).map_err(|error| broken(&error))?;
        let answer = timeout(HEAD, self.octocrab.execute(request)).await;
        let answer = answer.map_err(|_| Broken::Connection(format!("no answer in {HEAD:?}")))?;
        let answer = answer.map_err(|error| broken(&error))?;
        let head = Head::read(answer.status().as_u16(), answer.headers());
        let mut body = answer.into_body();
        let mut read = BytesMut::new();
        loop {
            let part = timeout(PART, body.frame()).await;
            let part = part.map_err(|_| Broken::Connection(format!("silent for {PART:?}")))?;
            parts.fetch_add(1, Ordering::Relaxed);
            let Some(part) = part.transpose().map_err(|error| broken(&error))? else {
                return Ok((head, read.freeze()));
            };
            let Ok(data) = part.into_data() else { continue };
            if read.len() + data.len() > LARGEST_PAGE {
                return Err(Broken::TooLarge);
            }
            read.extend_from_slice(&data);
        }
    }
}

impl Broken {
    pub(super) const LIMIT: usize = LARGEST_PAGE;
}

/// The innermost cause: octocrab's own texts are just the name of the layer.
fn broken(error: &dyn std::error::Error) -> Broken {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Broken::Connection(cause.to_string())
}
