//! The calls of a replica, one JSON line at each call and at each return, on one clock for all
//! replicas.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use serde_json::json;

static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(super) struct CallLog {
    replica: String,
    file: Mutex<File>,
    count: AtomicU64,
}

impl CallLog {
    pub(super) fn create(path: &Path, replica: &str) -> Self {
        let file = File::options().create(true).append(true).open(path).expect("a log of calls");
        LazyLock::force(&BEGINNING);
        Self { replica: replica.to_owned(), file: Mutex::new(file), count: AtomicU64::new(0) }
    }

    /// A call that has come. Gives its number.
    pub(super) fn call(&self, call: &str, sent: &Bytes) -> u64 {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut hasher = DefaultHasher::new();
        (call, sent).hash(&mut hasher);
        let text = String::from_utf8_lossy(sent);
        // Which attempt it belongs to, as far as it says so.
        let holder = text.split("holderIdentity\":\"").nth(1).and_then(|it| it.split('"').next());
        let digest = format!("{:016x}", hasher.finish());
        self.write(json!({"number": number, "call": call, "digest": digest, "holder": holder}));
        number
    }

    /// What it was answered with; nothing if the answer did not come or was kept back.
    pub(super) fn answer(&self, number: u64, code: Option<u16>) {
        self.write(json!({"number": number, "code": code}));
    }

    fn write(&self, mut line: serde_json::Value) {
        line["replica"] = json!(self.replica);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken under the lock, so that the lines are in the order of their times.
        line["micros"] = json!(BEGINNING.elapsed().as_micros());
        writeln!(file, "{line}").expect("the log of calls can be written");
    }
}
