//! The transport: octocrab over hyper and rustls, with limits on size and time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, header};
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use secrecy::SecretString;
use tokio::time::timeout;
use tower_http::decompression::DecompressionLayer;

use super::{BaseUrl, Error, Head};

/// The largest page that is read, unpacked.
const LARGEST_PAGE: usize = 64 << 20;
/// How long to wait for a connection, for the head of an answer, and for each part of its body.
const CONNECT: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(60);
const PART: Duration = Duration::from_secs(30);

/// A client of one base URL with one token.
#[derive(Clone)]
pub(super) struct Octo(Octocrab);

/// An answer that never came, or not whole: asking again may help.
#[derive(Debug)]
pub(super) enum Broken {
    Connection(String),
    TooLarge,
}

impl Octo {
    /// Must be called inside the runtime.
    pub(super) fn connect(base: &BaseUrl, token: SecretString) -> Result<Self, Error> {
        let uri = base
            .as_str()
            .parse()
            .map_err(|_| Error::BadBaseUrl { url: base.to_string(), problem: "it is not a URL" })?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| Error::Client(error.to_string()))?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(http);
        let client: Client<_, OctoBody> = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .build(https);
        let octo = OctocrabBuilder::new_empty()
            .with_service(client)
            .with_layer(&DecompressionLayer::new().gzip(true))
            .with_layer(&BaseUriLayer::new(uri))
            .with_auth(AuthState::AccessToken { token })
            .build();
        match octo {
            Ok(octo) => Ok(Self(octo)),
            Err(never) => match never {},
        }
    }

    /// Asks for a path below the base URL and reads the whole answer. Each part that comes is
    /// counted in `parts`.
    pub(super) async fn get(
        &self,
        path: &str,
        etag: Option<&str>,
        parts: &AtomicU64,
    ) -> Result<(Head, Bytes), Broken> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header(header::USER_AGENT, concat!("singletrack/", env!("CARGO_PKG_VERSION")))
            .header("x-github-api-version", "2022-11-28");
        if let Some(etag) = etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let request = request.body(OctoBody::empty()).map_err(|error| broken(&error))?;
        let answer = timeout(HEAD, self.0.execute(request)).await;
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
