//! Makes connections: direct ones, through a tunnel, or to a proxy that passes questions on.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use super::Proxies;

type BoxError = Box<dyn Error + Send + Sync>;

/// Connects to where the proxies say.
///
/// What is asked over https goes through a tunnel, in which the proxy sees nothing of it.
#[derive(Clone)]
pub(in crate::github) struct Route {
    proxies: Proxies,
    direct: HttpConnector,
    to_proxy: HttpsConnector<HttpConnector>,
}

impl Route {
    pub(super) fn new(
        proxies: Proxies,
        direct: HttpConnector,
        to_proxy: HttpsConnector<HttpConnector>,
    ) -> Self {
        Self { proxies, direct, to_proxy }
    }

    async fn connect(mut self, to: Uri) -> Result<Line, BoxError> {
        let Some(proxy) = self.proxies.to(&to) else {
            let stream = self.direct.call(to).await?;
            return Ok(Line { stream: MaybeHttpsStream::Http(stream), passes_on: false });
        };
        if to.scheme_str() != Some("https") {
            let stream = self.to_proxy.call(proxy.uri().clone()).await?;
            return Ok(Line { stream, passes_on: true });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.to_proxy);
        if let Some(login) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(login.clone());
        }
        Ok(Line { stream: tunnel.call(to).await?, passes_on: false })
    }
}

impl Service<Uri> for Route {
    type Response = Line;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Line, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The connectors below are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(self.clone().connect(to))
    }
}

/// A connection, and whether its other end passes questions on: it must be told whole URLs.
pub(in crate::github) struct Line {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    passes_on: bool,
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.passes_on)
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
