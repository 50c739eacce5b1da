//! What is written together: one page of a list with everything that describes it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{IssueRow, Row};

/// One page of a list, ready to be stored. No number is on it twice.
#[derive(Clone, Debug)]
pub struct PageWrite {
    /// `None` for a list of an owner's; it has no cursor.
    pub repository_id: Option<i64>,
    /// The list, as cursors and quarantine name it: `issues.open`.
    pub resource: &'static str,
    pub at: DateTime<Utc>,
    pub rows: Vec<Row>,
    /// The newest commit of the default branch, if the page tells it; the branch may have none.
    pub head: Option<Option<String>>,
    pub set_aside: Vec<SetAside>,
    /// The ETag under which this page may be asked for again, and what is on it.
    pub seen: Option<SeenPage>,
    /// How far the pass has come with this page.
    pub reached: Reached,
}

impl PageWrite {
    /// The issues on it.
    pub fn issues(&self) -> impl Iterator<Item = &IssueRow> {
        self.rows.iter().filter_map(Row::issue)
    }
}

/// How far a pass over a list has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// This is no page of a pass.
    Nothing,
    /// There are more pages: the pass may go on there.
    Page(Resume),
    /// This is the last page of a complete pass.
    End(Completion),
}

/// Where a pass that was cut short goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Which pass it is: only one with the same key may go on here.
    pub pass: String,
    pub next_url: String,
    /// When this page was read.
    pub at: DateTime<Utc>,
    /// GitHub's time when the pass began.
    pub began_at: DateTime<Utc>,
    /// Whether the pass has changed a row so far.
    pub changed: bool,
}

/// What is known of a list from earlier passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Since when it must be read; `None` before a pass has changed a row.
    pub since: Option<DateTime<Utc>>,
    /// Since when what is stored of it is complete; `None` from the beginning.
    pub horizon: Option<DateTime<Utc>>,
    /// Where the newest pass was cut short, if it was.
    pub resume: Option<Resume>,
}

/// A page that was read, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPage {
    pub url: String,
    pub identity: String,
    /// Empty when the page must be read again in any case: GitHub gave no ETag, an item was set
    /// aside, or labels of it are to be changed on GitHub.
    pub etag: String,
    pub next_url: Option<String>,
    /// The numbers of the issues and pull requests on it, or the ids of what has no number.
    pub numbers: Vec<i64>,
}

/// An issue that is not in its repository any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    pub number: i64,
    pub why: Removed,
}

/// Which issues a complete pass should have met and has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub numbers: Vec<i64>,
    /// How many open issues there are in all, these included.
    pub open: i64,
}

/// Why an issue is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    Deleted,
    /// It is `owner/name#number` now.
    Transferred(String),
}

/// Which repositories are not tracked any more; their rows stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untrack {
    Only(Vec<i64>),
    /// All but those with these ids or (in lower case) names.
    AllBut {
        names: Vec<String>,
        ids: Vec<i64>,
    },
}

/// How long what is not needed any more is kept; `None` is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub sync_runs: Option<Duration>,
    pub quarantine: Option<Duration>,
    pub workflow_runs: Option<Duration>,
    pub workflow_jobs: Option<Duration>,
    pub removed: Option<Duration>,
}

/// An item that could not be decoded or stored.
#[derive(Clone, Debug)]
pub struct SetAside {
    pub item_key: Option<String>,
    pub error: String,
    pub raw: String,
}

/// The end of a complete pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The base URL of the GitHub that was read.
    pub source: String,
    /// Where the cursor moves to, if this pass has changed a row.
    pub cursor: Option<DateTime<Utc>>,
    /// Whether an earlier page of the pass has changed a row.
    pub changed: bool,
    /// Since when what is stored of the list is complete; `None` from the beginning.
    pub horizon: Option<DateTime<Utc>>,
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
