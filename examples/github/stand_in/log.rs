//! Remembers what was asked.

use std::sync::{Mutex, PoisonError};

use axum::http::Method;
use tokio::sync::watch;

/// One request, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Counted from 1 since the start.
    pub sequence: u64,
    /// As it was asked.
    pub method: Method,
    /// As it was asked.
    pub path_and_query: String,
    /// Whether the request had the world's token, or the world has none.
    pub token_ok: bool,
    /// The header of this name.
    pub if_none_match: Option<String>,
    /// How it was answered; `None` before that, after a reset, or if the client gave up.
    pub status: Option<u16>,
}

/// All requests since it was last cleared.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: Mutex<Entries>,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Entries {
    count: u64,
    logged: Vec<Logged>,
}

impl Log {
    /// Writes down a request, and returns its number.
    pub(super) fn enter(&self, mut request: Logged) -> u64 {
        let sequence = self.change(|entries| {
            entries.count += 1;
            request.sequence = entries.count;
            entries.logged.push(request);
            entries.count
        });
        self.changes.send_replace(());
        sequence
    }

    /// Writes down how a request was answered.
    pub(super) fn answered(&self, sequence: u64, status: u16) {
        self.change(|entries| {
            let request = entries.logged.iter_mut().rev().find(|one| one.sequence == sequence);
            if let Some(request) = request {
                request.status = Some(status);
            }
        });
        self.changes.send_replace(());
    }

    pub(super) fn all(&self) -> Vec<Logged> {
        self.change(|entries| entries.logged.clone())
    }

    pub(super) fn clear(&self) {
        self.change(|entries| entries.logged.clear());
    }

    /// Returns the log as soon as `enough` says so.
    pub(super) async fn wait_for(&self, enough: impl Fn(&[Logged]) -> bool) -> Vec<Logged> {
        let mut changes = self.changes.subscribe();
        loop {
            let all = self.all();
            if enough(&all) {
                return all;
            }
            changes.changed().await.expect("the log itself keeps the sender");
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        change(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
