//! How long is waited for GitHub.

#[path = "../../src/github/answer.rs"]
mod answer;
#[path = "../../src/github/limits.rs"]
mod limits;
#[path = "../../src/github/quota.rs"]
mod quota;

pub use answer::Head;
