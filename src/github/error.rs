//! Why GitHub has not given what was asked for.

/// A question that was not answered.
#[derive(thiserror::Error, Debug, Clone)]
pub enum Error {
    #[error("no token for GitHub: set GITHUB_TOKEN, or github.tokenFile to a file that holds one")]
    MissingToken,

    #[error("GitHub does not accept the token ({message}): renew it and put it into the Secret")]
    Unauthorized { message: String },

    #[error("the token may not read {what}: {message}; give it read access to issues and metadata")]
    Forbidden { what: String, message: String },

    #[error("{what} is not there, or the token may not see it (404)")]
    NotFound { what: String },

    #[error("{what} is gone (410): {message}")]
    Gone { what: String, message: String },

    #[error("{what} was refused with status {status}: {message}")]
    Refused { what: String, status: u16, message: String },

    #[error("{what} points to {to:?}, which is not below the base URL: not followed")]
    Foreign { what: String, to: String },

    #[error("{what} was moved more than {hops} times")]
    MovedInCircles { what: String, hops: usize },

    #[error("{what} failed {tries} times, at last with: {last}")]
    Ill { what: String, tries: u32, last: String, status: Option<u16> },

    #[error("{what} answered with more than {limit} bytes: not read")]
    TooLarge { what: String, limit: usize },

    #[error("{what} did not answer with {expected}: {problem}")]
    Unreadable { what: String, expected: &'static str, problem: String },

    #[error("{url:?} is no base URL of GitHub's API: {problem}")]
    BadBaseUrl { url: String, problem: &'static str },

    #[error("the client for GitHub could not be made: {0}")]
    Client(String),
}

impl Error {
    /// Whether GitHub may manage a smaller page: 502 and 504 are its way to say that one takes too
    /// long.
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::Ill { status: Some(502 | 504), .. })
    }

    /// The reason in statuses and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MissingToken => "MissingToken",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } => "NotFound",
            Self::Gone { .. } => "Gone",
            Self::Refused { .. } => "Refused",
            Self::Foreign { .. } => "ForeignLink",
            Self::MovedInCircles { .. } => "MovedInCircles",
            Self::Ill { .. } => "GitHubUnavailable",
            Self::TooLarge { .. } => "TooLarge",
            Self::Unreadable { .. } => "Unreadable",
            Self::BadBaseUrl { .. } => "BadBaseUrl",
            Self::Client(_) => "NoClient",
        }
    }
}
