//! What may go wrong with an answer.

use std::collections::HashMap;
use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{Response, StatusCode},
};
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};

use super::{answer::Ask, chaos, matcher::Matcher};

/// What happens instead of, or to, an answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer, with exactly these headers and a `Date`, which may be among them; `{base}` in
    /// a header stands for the base URL.
    ///
    /// It costs nothing of the quota, and is JSON if its headers say nothing else.
    Status { status: StatusCode, headers: Vec<(String, String)>, body: Vec<u8> },
    /// The real answer, with its real length declared, whose body ends after so many bytes.
    CutBody { after: usize },
    /// No answer: the connection is reset.
    Reset,
    /// The real answer, after this delay.
    Slow { delay: Duration },
    /// A JSON list of at least so many bytes, sent as they are made.
    HugeBody { bytes: u64 },
    /// Whatever comes to the mind of this seed, for about every third answer: see `chaos`.
    Chaos { seed: u64 },
    /// The real answer with something wrong about it that this seed chooses.
    Spoilt { seed: u64 },
    /// A gzipped JSON list of at least so many bytes once unpacked, and a thousandth of it before.
    GzipBomb { bytes: u64 },
}

impl Fault {
    /// An answer of this status whose body is a JSON value.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self::Status { status, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    /// An answer of this status in GitHub's words.
    pub fn message(status: StatusCode, message: &str) -> Self {
        let url = "https://docs.github.com/rest";
        let body = json!({"message": message, "documentation_url": url, "status": status.as_str()});
        Self::json(status, &body)
    }

    /// A page for people: what a proxy in front of GitHub says.
    pub fn html(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Unicorn!");
        let body = format!("<!DOCTYPE html>\n<html><body><h1>{reason}</h1></body></html>\n");
        let headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::Status { status, headers, body: body.into_bytes() }
    }

    /// A redirect to another place.
    pub fn redirect(status: StatusCode, location: &str) -> Self {
        Self::message(status, "Moved Permanently").with_header("location", location)
    }

    /// The secondary rate limit, which only its message tells from other refusals.
    pub fn secondary_limit(status: StatusCode) -> Self {
        Self::message(
            status,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try \
             again. If you reach out to GitHub Support for help, please include the request ID.",
        )
    }

    /// Adds a header to an answer of its own; other faults have none.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Status { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// The faults to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    injected: Vec<Injected>,
    /// How often each path was asked for while there was chaos.
    asked: HashMap<String, usize>,
}

#[derive(Debug)]
struct Injected {
    matcher: Matcher,
    skip: usize,
    times: Option<usize>,
    fault: Fault,
}

impl Faults {
    pub(super) fn add(
        &mut self,
        matcher: Matcher,
        skip: usize,
        times: Option<usize>,
        fault: Fault,
    ) {
        self.injected.push(Injected { matcher, skip, times, fault });
    }

    pub(super) fn clear(&mut self) {
        self.injected.clear();
    }

    /// The fault of this request, if it has one.
    ///
    /// The first that is due happens; the others wait, but all count the requests they skip.
    pub(super) fn due(&mut self, ask: &Ask, alias: Option<&str>) -> Option<Fault> {
        let mut due = None;
        for one in self.injected.iter_mut().filter(|one| one.matcher.fits(ask, alias)) {
            if one.skip > 0 {
                one.skip -= 1;
            } else if due.is_none() && one.times != Some(0) {
                one.times = one.times.map(|times| times - 1);
                due = Some(one.fault.clone());
            }
        }
        match due {
            Some(Fault::Chaos { seed }) => {
                let path = format!("{}{}", ask.path, ask.raw_query);
                let nth = self.asked.entry(path).or_default();
                *nth += 1;
                chaos::fault(seed, ask, *nth)
            }
            due => due,
        }
    }
}

/// The same answer, cut off after so many bytes of its body.
pub(super) fn cut(answer: Response<Bytes>, after: usize) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    parts.headers.insert("content-length", body.len().into());
    let start = body.slice(..after.min(body.len()));
    let end = stream::once(async {
        // What was sent before the error reaches the client only if there is time to flush it.
        tokio::task::yield_now().await;
        Err(std::io::Error::other("the body is cut here"))
    });
    Response::from_parts(parts, Body::from_stream(stream::iter([Ok(start)]).chain(end)))
}

const PIECE: usize = 64 * 1024;

/// A list of at least `bytes` bytes.
pub(super) fn huge(bytes: u64) -> Body {
    let start = "{\"id\":1,\"title\":\"";
    let title = "x".repeat(PIECE - start.len() - 3);
    let item = Bytes::from(format!("{start}{title}\"}},"));
    let items = repeat(item, bytes);
    let tail = stream::iter([Bytes::from_static(b"{\"id\":2}]")]);
    let list = stream::iter([Bytes::from_static(b"[")]).chain(items).chain(tail);
    Body::from_stream(list.map(Ok::<_, std::io::Error>))
}

/// The gzip stream of an empty list with at least `bytes` spaces in it.
///
/// A full flush makes each piece independent of those before it, so one piece is packed once and
/// sent as often as needed.
pub(super) fn gzip_bomb(bytes: u64) -> Body {
    const UNPACKED: usize = 1024 * 1024;
    let times = bytes.div_ceil(UNPACKED as u64);
    let spaces = vec![b' '; UNPACKED];
    let mut packer = Compress::new(Compression::best(), false);
    let mut head = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    head.extend(pack(&mut packer, b"[", FlushCompress::Full));
    let piece = Bytes::from(pack(&mut packer, &spaces, FlushCompress::Full));
    let mut tail = pack(&mut packer, b"]", FlushCompress::Finish);

    let crc_of = |data: &[u8]| {
        let mut crc = Crc::new();
        crc.update(data);
        crc
    };
    let (mut crc, of_spaces) = (crc_of(b"["), crc_of(&spaces));
    (0..times).for_each(|_| crc.combine(&of_spaces));
    crc.combine(&crc_of(b"]"));
    tail.extend(crc.sum().to_le_bytes());
    tail.extend(crc.amount().to_le_bytes());

    let middle = stream::iter((0..times).map(move |_| piece.clone()));
    let all = stream::iter([Bytes::from(head)]).chain(middle).chain(stream::iter([tail.into()]));
    Body::from_stream(all.map(Ok::<_, std::io::Error>))
}

fn pack(packer: &mut Compress, data: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut output = Vec::with_capacity(data.len() / 100 + 1024);
    packer.compress_vec(data, &mut output, flush).expect("there is room for all of it");
    output
}

fn repeat(piece: Bytes, bytes: u64) -> impl Stream<Item = Bytes> + Send {
    let times = bytes.div_ceil(PIECE as u64);
    stream::iter((0..times).map(move |_| piece.clone()))
}
