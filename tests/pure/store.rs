//! Where a pass may go on, and what stands for a text.

use chrono::{DateTime, Utc};

#[derive(Clone, Debug)]
pub struct Resume {
    pub pass: String,
    pub next_url: String,
    pub at: DateTime<Utc>,
    pub began_at: DateTime<Utc>,
    pub changed: bool,
}

pub fn fingerprint(parts: &[&str]) -> String {
    format!("{parts:?}")
}
