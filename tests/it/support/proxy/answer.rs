//! What the proxy answers with: the upstream's answer, whole or cut, or one of its own.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::Watch;

/// The upstream's answer; each part of a watch waits while the watches are frozen.
pub(super) fn respond(
    upstream: kube::Result<Response<kube::client::Body>>,
    watch: Option<Watch>,
) -> Response {
    let (parts, body) = match upstream {
        Err(error) => return answer(StatusCode::BAD_GATEWAY, error.to_string()),
        Ok(upstream) => upstream.into_parts(),
    };
    let Some(Watch { watches, before }) = watch else {
        return Response::from_parts(parts, Body::new(body));
    };
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
pub(super) fn cut(response: Response, bytes: usize) -> Response {
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

pub(super) fn answer(status: StatusCode, text: String) -> Response {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(text)).expect("a response")
}
