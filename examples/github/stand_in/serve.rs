//! Turns HTTP requests into answers: log, gates, faults, token, quota, ETags and gzip.

use std::{
    collections::HashMap,
    future,
    hash::{DefaultHasher, Hasher},
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header},
};
use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};

use super::{
    answer::{Answer, Ask},
    app::{App, is_for_app},
    automation::is_about_packages,
    chaos,
    door::Line,
    faults::{self, Fault, Faults},
    gate::Gates,
    log::{Log, Logged},
    repository::Repository,
    routes,
    world::World,
};

/// No request of ours has a longer body.
const LONGEST_REQUEST: usize = 1024 * 1024;

/// Packing a page takes longer than all the rest, so pages are packed once; so many are kept.
const PACKED_PAGES: usize = 512;

/// What the server and the handle on it share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) log: Log,
    pub(super) faults: Mutex<Faults>,
    pub(super) gates: Gates,
    packed: Mutex<HashMap<u64, Bytes>>,
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            log: Log::default(),
            faults: Mutex::default(),
            gates: Gates::default(),
            packed: Mutex::default(),
        }
    }

    pub(super) fn with_world<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers one request.
pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LONGEST_REQUEST).await else {
        // Whoever asked is gone, or sends more than GitHub would take.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    };
    let (ask, alias, token_ok, latency, now) = shared.with_world(|world| {
        let ask = Ask::new(head.method, &head.uri, world.base_path(), body);
        let token_ok = is_let_in(world, &ask.path, &head.headers);
        let alias = alias(world, &ask.path);
        (ask, alias, token_ok, world.latency, world.now())
    });
    let sequence = shared.log.enter(Logged {
        sequence: 0,
        method: ask.method.clone(),
        path_and_query: format!("{}{}", head.uri.path(), ask.raw_query),
        token_ok,
        if_none_match: text(&head.headers, &header::IF_NONE_MATCH).map(str::to_owned),
        status: None,
    });
    let fault = {
        let mut faults = shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.due(&ask, alias.as_deref())
    };
    if let Some(latency) = latency {
        tokio::time::sleep(latency).await;
    }
    shared.gates.pass(&ask, alias.as_deref()).await;
    let asked = (&ask, &head.headers);
    let response = give(&shared, &line, asked, sequence, (fault, now)).await;
    shared.log.answered(sequence, response.status().as_u16());
    response
}

/// The real answer, or what the fault makes of it.
async fn give(
    shared: &Shared,
    line: &Line,
    (ask, headers): (&Ask, &HeaderMap),
    sequence: u64,
    (fault, now): (Option<Fault>, DateTime<Utc>),
) -> Response<Body> {
    let real = || respond(shared, ask, headers, sequence);
    match fault {
        None => real().map(Body::from),
        Some(Fault::Chaos { .. }) => unreachable!("it was made another fault, or none"),
        Some(Fault::Spoilt { seed }) => {
            let base = shared.with_world(|world| world.base_url().to_owned());
            chaos::spoil(respond(shared, ask, &unpacked(headers), sequence), ask, &base, seed)
        }
        Some(Fault::Slow { delay }) => {
            tokio::time::sleep(delay).await;
            real().map(Body::from)
        }
        Some(Fault::CutBody { after }) => faults::cut(real(), after),
        Some(Fault::Reset) => {
            line.reset();
            future::pending().await
        }
        Some(Fault::Status { status, headers, body }) => {
            let base = shared.with_world(|world| world.base_url().to_owned());
            scripted(status, &headers, body, (now, &base))
        }
        Some(Fault::HugeBody { bytes }) => json_of(faults::huge(bytes)),
        Some(Fault::GzipBomb { bytes }) => {
            let mut response = json_of(faults::gzip_bomb(bytes));
            set(response.headers_mut(), header::CONTENT_ENCODING, "gzip");
            response
        }
    }
}

/// The other path of what is asked, if it is about a repository that exists.
fn alias(world: &World, path: &str) -> Option<String> {
    let mut parts = path.trim_start_matches('/').splitn(4, '/');
    let below = |rest: Option<&str>| rest.map_or_else(String::new, |rest| format!("/{rest}"));
    match (parts.next()?, parts.next()?) {
        ("repositories", id) => {
            let name = world.by_id(id.parse().ok()?)?.full_name();
            let rest = path.trim_start_matches('/').splitn(3, '/').nth(2);
            Some(format!("/repos/{name}{}", below(rest)))
        }
        ("repos", owner) => {
            let id = world.find(&format!("{owner}/{}", parts.next()?)).map(Repository::id)?;
            Some(format!("/repositories/{id}{}", below(parts.next())))
        }
        _ => None,
    }
}

fn is_let_in(world: &World, path: &str, headers: &HeaderMap) -> bool {
    let given = given_token(headers).unwrap_or_default();
    match (&world.app, &world.token) {
        (None, None) => true,
        (Some(app), _) if is_for_app(path) => app.is_own(given, world.now()),
        (app, token) => {
            let of_app = |app: &App| app.owner_of(given, world.now()).is_some();
            token.as_deref() == Some(given) || app.as_ref().is_some_and(of_app)
        }
    }
}

fn given_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, given) = text(headers, &header::AUTHORIZATION)?.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then_some(given)
}

/// Whether the token is that of an installation for another owner than this path's.
fn is_of_another(world: &World, path: &str, headers: &HeaderMap) -> bool {
    let given = given_token(headers).unwrap_or_default();
    let owner = world.app.as_ref().and_then(|app| app.owner_of(given, world.now()));
    let by_name = path.strip_prefix("/repos/").and_then(|rest| rest.split('/').next());
    let by_id = || {
        let id = path.strip_prefix("/repositories/")?.split('/').next()?.parse().ok()?;
        world.by_id(id).map(Repository::owner)
    };
    let asked = by_name.or_else(by_id);
    owner.zip(asked).is_some_and(|(owner, asked)| !owner.eq_ignore_ascii_case(asked))
}

/// Whether an App asks for packages, of which it is told nothing whatever its permissions.
fn is_app_for_packages(world: &World, path: &str, headers: &HeaderMap) -> bool {
    let given = given_token(headers).unwrap_or_default();
    let is_app = world.app.as_ref().and_then(|app| app.owner_of(given, world.now())).is_some();
    is_app && is_about_packages(path)
}

/// The real answer of the world as it is now.
fn respond(shared: &Shared, ask: &Ask, asked: &HeaderMap, sequence: u64) -> Response<Bytes> {
    let (answer, mut headers, hash) = shared.with_world(|world| answer(world, ask, asked));
    let request_id = format!("C0DE:{sequence:06X}:{:08X}:{:08X}", hash >> 32, hash & 0xffff_ffff);
    set(&mut headers, HeaderName::from_static("x-github-request-id"), &request_id);
    let mut body = answer.body;
    if !body.is_empty() {
        set(&mut headers, header::CONTENT_TYPE, "application/json; charset=utf-8");
        let accepted = text(asked, &header::ACCEPT_ENCODING).unwrap_or_default();
        if accepted.contains("gzip") {
            set(&mut headers, header::CONTENT_ENCODING, "gzip");
            body = packed(shared, hash, &body);
        }
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    response
}

/// The answer, the headers that come from the world, and the hash of the body.
fn answer(world: &mut World, ask: &Ask, asked: &HeaderMap) -> (Answer, HeaderMap, u64) {
    let now = world.now();
    let resets_at = world.quota.roll(now);
    let is_free = ask.path == "/rate_limit";
    let mut headers = standard_headers(now);
    let mut answer = if !is_let_in(world, &ask.path, asked) {
        Answer::error(StatusCode::UNAUTHORIZED, "Bad credentials")
    } else if let Some(mut app) = world.app.take_if(|_| is_for_app(&ask.path)) {
        let segments = ask.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let answer = app.answer(world, ask.method.as_str(), &segments);
        world.app = Some(app);
        answer
    } else if is_of_another(world, &ask.path, asked) {
        Answer::not_found()
    } else if is_app_for_packages(world, &ask.path, asked) {
        Answer::error(StatusCode::FORBIDDEN, "Resource not accessible by integration")
    } else if world.quota.remaining() == 0 && !is_free {
        let message = "API rate limit exceeded for user ID 1. If you reach out to GitHub Support \
                       for help, please include the request ID.";
        Answer::error(StatusCode::FORBIDDEN, message)
    } else {
        let answer = routes::answer(world, ask);
        world.quota.used += u64::from(!is_free);
        answer
    };
    let hash = hash_of(&answer.body);
    if answer.status == StatusCode::OK {
        let etag = format!("W/\"{hash:016x}{:016x}\"", hash.rotate_left(31) ^ 0x5bd1_e995);
        if ask.method == Method::GET && knows(asked, &etag) {
            answer.status = StatusCode::NOT_MODIFIED;
            answer.body = Bytes::new();
            // What the client knows already costs nothing.
            world.quota.used -= u64::from(!is_free);
        }
        set(&mut headers, header::ETAG, &etag);
    }
    if let Some(link) = &answer.link {
        set(&mut headers, header::LINK, link);
    }
    if let Some(location) = &answer.location {
        set(&mut headers, header::LOCATION, location);
    }
    if answer.status != StatusCode::UNAUTHORIZED {
        for (name, number) in [
            ("x-ratelimit-limit", world.quota.limit.into()),
            ("x-ratelimit-remaining", world.quota.remaining().into()),
            ("x-ratelimit-used", world.quota.used.into()),
            ("x-ratelimit-reset", resets_at.timestamp().into()),
            ("x-ratelimit-resource", HeaderValue::from_static("core")),
        ] {
            headers.insert(name, number);
        }
    }
    (answer, headers, hash)
}

fn standard_headers(now: DateTime<Utc>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    set(&mut headers, header::DATE, &http_date(now));
    set(&mut headers, header::SERVER, "github.com");
    set(&mut headers, header::CACHE_CONTROL, "private, max-age=60, s-maxage=60");
    set(
        &mut headers,
        header::VARY,
        "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, X-Requested-With",
    );
    for (name, value) in [
        ("x-github-media-type", "github.v3; format=json"),
        ("x-github-api-version-selected", "2022-11-28"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
}

/// Whether the client says that it has this version.
fn knows(asked: &HeaderMap, etag: &str) -> bool {
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = text(asked, &header::IF_NONE_MATCH).unwrap_or_default();
    known.split(',').any(|tag| tag.trim() == "*" || weak(tag) == weak(etag))
}

fn packed(shared: &Shared, hash: u64, body: &[u8]) -> Bytes {
    let lock = || shared.packed.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get(&hash) {
        return known.clone();
    }
    let packed = gzip(body);
    let mut known = lock();
    if known.len() >= PACKED_PAGES {
        known.clear();
    }
    known.insert(hash, packed.clone());
    packed
}

fn gzip(body: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(body).and_then(|()| packer.finish()).expect("memory takes everything").into()
}

/// An answer that a test made up, with the headers it wants.
fn scripted(
    status: StatusCode,
    headers: &[(String, String)],
    body: Vec<u8>,
    (now, base): (DateTime<Utc>, &str),
) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    set(response.headers_mut(), header::CONTENT_TYPE, "application/json; charset=utf-8");
    set(response.headers_mut(), header::DATE, &http_date(now));
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a test names real headers");
        set(response.headers_mut(), name, &value.replace("{base}", base));
    }
    response
}

/// The same headers from a client that takes no packed answer.
fn unpacked(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(header::ACCEPT_ENCODING);
    headers
}

fn json_of(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    set(response.headers_mut(), header::CONTENT_TYPE, "application/json; charset=utf-8");
    response
}

fn hash_of(body: &[u8]) -> u64 {
    // The standard library's hasher is fast in debug builds too.
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("header values here are printable");
    headers.insert(name, value);
}
