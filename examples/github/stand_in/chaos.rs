//! Answers at random, from a seed: the same seed does the same to the n-th request for a path,
//! whatever else is asked at the same time. Pure.
//!
//! Nothing here is a lie that only looks like the truth, such as a shorter list or another title:
//! no client could tell. What is told is broken, refused, or contradicts itself.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Response, StatusCode},
};
use serde_json::{Value, json};

use super::{
    answer::Ask,
    faults::Fault,
    generate::{Dice, hash},
};

/// What comes out of range, out of form, or from another time.
const JUNK: [&str; 12] = [
    "",
    "0",
    "-1",
    "1",
    "7200",
    "18446744073709551616",
    "95617584000",
    "soon",
    "\"",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Thu, 01 Jan 0001 00:00:00 GMT",
];

const STATUSES: [u16; 24] = [
    201, 202, 204, 206, 301, 302, 304, 307, 400, 403, 403, 404, 405, 409, 410, 418, 422, 429, 429,
    451, 500, 502, 503, 504,
];

/// What happens to the `nth` request for this path; for most, nothing.
pub(super) fn fault(seed: u64, ask: &Ask, nth: usize) -> Option<Fault> {
    let place = format!("{} {}{} {nth}", ask.method, ask.path, ask.raw_query);
    let mut dice = Dice(seed ^ hash(place.as_bytes()));
    if !dice.one_in(3) {
        return None;
    }
    let small = |dice: &mut Dice, limit| usize::try_from(dice.below(limit)).unwrap_or_default();
    Some(match dice.below(20) {
        0..=5 => status(&mut dice, ask),
        6 => Fault::CutBody { after: small(&mut dice, 3_000) },
        7 => Fault::Reset,
        8 => Fault::Slow { delay: Duration::from_millis(dice.below(10)) },
        9 => Fault::HugeBody { bytes: 200_000 },
        10 => gzip_garbage(&mut dice),
        11 => Fault::html(StatusCode::OK),
        12 => another_type(&mut dice, ask),
        _ => Fault::Spoilt { seed: dice.roll() },
    })
}

/// Any status, with words of its own and headers that may make no sense.
fn status(dice: &mut Dice, ask: &Ask) -> Fault {
    let status = match dice.one_in(3) {
        // Among them, now and then, a 401, which ends a run.
        true => u16::try_from(200 + dice.below(400)).unwrap_or(500),
        false => STATUSES[usize::try_from(dice.below(24)).unwrap_or_default()],
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    let mut fault = match status.is_redirection() {
        true => Fault::redirect(status, &destination(dice, ask)),
        false if status == StatusCode::NO_CONTENT => {
            Fault::Status { status, headers: Vec::new(), body: Vec::new() }
        }
        false if dice.one_in(3) => Fault::secondary_limit(status),
        false => Fault::message(status, "chaos"),
    };
    for name in ["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date", "etag"] {
        if dice.one_in(3) {
            fault = fault.with_header(name, junk(dice));
        }
    }
    fault
}

/// In circles, elsewhere, or nowhere.
fn destination(dice: &mut Dice, ask: &Ask) -> String {
    match dice.below(3) {
        0 => format!("{{base}}{}{}", ask.path, ask.raw_query),
        1 => "https://evil.example/repos/acme/widgets-0".to_owned(),
        _ => junk(dice).to_owned(),
    }
}

fn junk(dice: &mut Dice) -> &'static str {
    JUNK[usize::try_from(dice.below(12)).unwrap_or_default()]
}

fn gzip_garbage(dice: &mut Dice) -> Fault {
    let body = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &dice.roll().to_le_bytes()].concat();
    Fault::Status { status: StatusCode::OK, headers: Vec::new(), body }
        .with_header("content-encoding", "gzip")
}

/// Whether a list is asked for, alone and not in an object.
fn is_list(ask: &Ask) -> bool {
    let lists = ["/issues", "/releases", "/pulls", "/commits", "/packages", "/versions"];
    lists.iter().any(|end| ask.path.ends_with(end))
}

/// Whether the order of what is asked for means something that nothing in it contradicts.
fn is_in_order(ask: &Ask) -> bool {
    ["/runs", "/pulls", "/commits", "/versions"].iter().any(|end| ask.path.ends_with(end))
}

/// JSON of another type than was asked for, which is never a list where a list was.
fn another_type(dice: &mut Dice, ask: &Ask) -> Fault {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let is_list = is_list(ask);
    let body = match dice.below(7) {
        0 => "{}".to_owned(),
        1 => "null".to_owned(),
        2 => "\"text\"".to_owned(),
        3 => "1e999".to_owned(),
        4 => deep,
        5 => format!("[{deep},null,5,[]]"),
        _ if is_list => "{\"items\":[]}".to_owned(),
        _ => "[]".to_owned(),
    };
    Fault::Status { status: StatusCode::OK, headers: Vec::new(), body: body.into_bytes() }
}

/// The real answer with something wrong about it.
pub(super) fn spoil(real: Response<Bytes>, ask: &Ask, base: &str, seed: u64) -> Response<Body> {
    let mut dice = Dice(seed);
    let (mut parts, mut body) = real.into_parts();
    let mut set = |name: &'static str, value: &str| match HeaderValue::from_str(value) {
        Ok(value) => drop(parts.headers.insert(HeaderName::from_static(name), value)),
        Err(_) => drop(parts.headers.remove(name)),
    };
    match dice.below(6) {
        0 => set("content-type", ["text/plain", "text/html", "", "image/png"][pick(&mut dice, 4)]),
        1 => {
            let here = format!("{base}{}{}", ask.path, ask.raw_query);
            let next = [
                format!("<{here}>; rel=\"next\""),
                format!("<{here}&page=1>; rel=\"next\""),
                "<https://evil.example/x>; rel=\"next\"".to_owned(),
                format!("<{base}/../x>; rel=\"next\""),
                "<".to_owned(),
                format!("<{here}"),
            ];
            set("link", &next[pick(&mut dice, 6)]);
        }
        2 => set(
            "etag",
            ["\n", "*", "abc", "W/\"a\", W/\"b\"", "\"", "W/\"other\""][pick(&mut dice, 6)],
        ),
        3 => {
            for name in ["date", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset"] {
                set(name, junk(&mut dice));
            }
        }
        _ => body = items(&body, ask, &mut dice),
    }
    parts.headers.remove("content-length");
    Response::from_parts(parts, Body::from(body))
}

fn pick(dice: &mut Dice, count: u64) -> usize {
    usize::try_from(dice.below(count)).unwrap_or_default()
}

/// Items in another order, twice, or with fields of another type.
fn items(body: &[u8], ask: &Ask, dice: &mut Dice) -> Bytes {
    let Ok(mut body) = serde_json::from_slice(body) else { return Bytes::copy_from_slice(body) };
    match &mut body {
        Value::Array(items) => spoil_items(items, ask, dice),
        Value::Object(fields) => {
            let mut named = ["workflows", "workflow_runs", "jobs"].into_iter();
            let name = named.find(|name| fields.get(*name).is_some_and(Value::is_array));
            match name.and_then(|name| fields.get_mut(name)?.as_array_mut()) {
                Some(items) => spoil_items(items, ask, dice),
                None => break_one(&mut body, dice),
            }
        }
        _ => {}
    }
    body.to_string().into()
}

fn spoil_items(items: &mut Vec<Value>, ask: &Ask, dice: &mut Dice) {
    match dice.below(3) {
        0 if !is_in_order(ask) => items.reverse(),
        1 => items.extend(items.clone()),
        _ => {
            for item in items {
                if dice.one_in(8) {
                    break_one(item, dice);
                }
            }
        }
    }
}

/// Makes an item one that is not as described.
fn break_one(item: &mut Value, dice: &mut Dice) {
    let broken = [
        ("number", Value::Null),
        ("number", json!("5")),
        ("id", json!("x")),
        ("state", Value::Null),
        ("state", json!(7)),
        ("title", json!({"a": 1})),
        ("labels", json!({"a": 1})),
        ("user", json!("x")),
        ("updated_at", json!("yesterday")),
        ("full_name", json!(3)),
    ];
    if dice.one_in(8) {
        *item = [Value::Null, json!(5), json!([]), json!({})][pick(dice, 4)].clone();
        return;
    }
    // What is broken is not told from one another here: each has a field that matters to it.
    let (name, value) = broken[pick(dice, 10)].clone();
    item[name] = value;
    for name in ["user", "actor", "author", "owner"] {
        item[name] = json!(["x"]);
    }
    for name in ["full_name", "path", "name"] {
        item[name] = json!(3);
    }
}
