//! What is written together: one page of a list with everything that describes it.

use chrono::{DateTime, Utc};

use super::{IssueRow, PullRow};

/// One page of a list, ready to be stored. No number is on it twice.
#[derive(Clone, Debug)]
pub struct PageWrite {
    pub repository_id: i64,
    /// The list, as cursors and quarantine name it: `issues.open`.
    pub resource: &'static str,
    pub at: DateTime<Utc>,
    pub issues: Vec<IssueRow>,
    pub pulls: Vec<PullRow>,
    pub set_aside: Vec<SetAside>,
    /// The ETag under which this page may be asked for again; none if an item was set aside.
    pub seen: Option<SeenPage>,
    /// Set when this is the last page of a complete pass.
    pub completes: Option<Completion>,
}

/// A page that GitHub has given an ETag for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPage {
    pub url: String,
    pub identity: String,
    pub etag: String,
    pub next_url: Option<String>,
    /// The numbers of the issues and pull requests on it.
    pub numbers: Vec<i64>,
}

/// An item that could not be decoded or stored.
#[derive(Clone, Debug)]
pub struct SetAside {
    pub item_key: Option<String>,
    pub error: String,
    pub raw: String,
}

/// The end of a complete pass.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    /// Where the cursor moves to, if this pass has changed a row.
    pub cursor: Option<DateTime<Utc>>,
    /// Whether an earlier page of the pass has changed a row.
    pub changed: bool,
}

/// What a write has done to the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: i64,
    pub updated: i64,
    pub removed: i64,
    pub unchanged: i64,
    pub quarantined: i64,
}

impl Counts {
    /// Whether a row is another than before.
    pub fn changed(&self) -> bool {
        self.created + self.updated + self.removed > 0
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.removed += other.removed;
        self.unchanged += other.unchanged;
        self.quarantined += other.quarantined;
    }
}

/// A short text that stands for these parts: the same for the same parts, another for others.
pub fn fingerprint(parts: &[&str]) -> String {
    use sha2::Digest;
    let mut hash = sha2::Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
