//! Which calls something happens to, and what.

use std::time::Duration;

use axum::body::Bytes;
use http::{Method, StatusCode};
use tokio::sync::watch;

/// Which calls a rule is about.
#[derive(Clone)]
pub(crate) struct Rule {
    /// Any method when there is none.
    pub(crate) method: Option<Method>,
    /// A part of the path.
    pub(crate) path: &'static str,
    /// A part of the body that is sent; empty for any.
    pub(crate) body: &'static str,
    pub(crate) action: Action,
    /// How many calls it is about, then it is used up.
    pub(crate) times: usize,
}

#[derive(Clone)]
pub(crate) enum Action {
    /// Forwards the call only when the gate is opened.
    Hold(watch::Receiver<bool>),
    /// Forwards the call, and answers only when the gate is opened.
    HoldAnswer(watch::Receiver<bool>),
    /// Forwards the call, and never answers.
    DropAnswer,
    /// Never forwards it, and never answers.
    DropCall,
    /// Forwards the call, and gives this answer instead of the real one.
    AnswerInstead(StatusCode, String),
    /// Answers by itself.
    Answer(StatusCode, String),
    /// Forwards it after this time.
    Delay(Duration),
    /// Forwards it, and breaks the connection after so many bytes of the answer's body.
    CutBody(usize),
}

impl Rule {
    /// For every call whose path has this part, until the rules are cleared.
    pub(crate) fn every(path: &'static str, action: Action) -> Self {
        Self { method: None, path, body: "", action, times: usize::MAX }
    }

    pub(super) fn fits(&self, method: &Method, call: &str, sent: &Bytes) -> bool {
        self.times > 0
            && self.method.as_ref().is_none_or(|it| it == method)
            && call.contains(self.path)
            && String::from_utf8_lossy(sent).contains(self.body)
    }
}

/// When the process is to be stopped by the write that its rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is never made.
    Before,
    /// It was made, and nobody will hear the answer.
    Unanswered,
    /// It was made and answered.
    Answered,
}

impl Moment {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::Unanswered, Self::Answered];
}

/// A write in words that are the same in each run of the same story.
pub(super) fn in_words(method: &Method, call: &str, body: &Bytes) -> String {
    let kind = ["leases", "events", "syncrequests"].into_iter().find(|kind| call.contains(kind));
    let sent = String::from_utf8_lossy(body);
    let phases = ["Queued", "Running", "Succeeded", "PartiallySucceeded", "Failed", "Cancelled"];
    let phase = phases.into_iter().find(|phase| sent.contains(&format!("\"phase\":\"{phase}\"")));
    let says = phase.or_else(|| sent.contains("progress").then_some("progress"));
    let held = sent.contains("holderIdentity\":\"").then_some("held");
    let empty = sent.contains("holderIdentity\":\"\"").then_some("free");
    let says = says.or(empty).or(held).unwrap_or("");
    format!("{method} {} {says}", kind.unwrap_or("something"))
}
