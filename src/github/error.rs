//! Why GitHub has not given what was asked for.

/// A question that was not answered.
#[derive(thiserror::Error, Debug, Clone)]
pub enum Error {
    #[error(
        "no token for GitHub: set GITHUB_TOKEN, or github.tokenFile to a file that holds one, or \
         github.app to a GitHub App"
    )]
    MissingToken,

    #[error(
        "the private key of the GitHub App cannot be read from {file:?} (github.app.privateKeyFile): \
         correct the path, or mount the Secret that holds it"
    )]
    MissingKey { file: String },

    #[error(
        "the private key of the GitHub App cannot be used: {problem}; give the file as GitHub made \
         it, which begins with BEGIN RSA PRIVATE KEY, or the same key as BEGIN PRIVATE KEY"
    )]
    BadKey { problem: &'static str },

    #[error(
        "GitHub does not accept the token ({message}): renew it and put it into the Secret; for a \
         GitHub App, check its id and its key"
    )]
    Unauthorized { message: String },

    #[error(
        "the GitHub App is not installed {at}: install it there with read access to issues and \
         metadata, or take what belongs to it off the list of repositories"
    )]
    NotInstalled { at: String },

    #[error(
        "the token may not read {what}: {message}; give it read access to issues and metadata, and \
         for automation data to actions, contents and pull requests"
    )]
    Forbidden { what: String, message: String },

    #[error(
        "{what} is not there, or the token may not see it (404): correct the name, or give the token \
         access"
    )]
    NotFound { what: String },

    #[error("{what} is gone (410): {message}")]
    Gone { what: String, message: String },

    #[error("{what} was refused with status {status}: {message}")]
    Refused { what: String, status: u16, message: String },

    #[error("{what} points to {to:?}, which is not below the base URL: not followed")]
    Foreign { what: String, to: String },

    #[error("{what} was moved more than {hops} times")]
    MovedInCircles { what: String, hops: usize },

    #[error("the pages of {what} lead in a circle")]
    LinkedInCircles { what: String },

    #[error("{what} failed {tries} times, at last with: {last}; try again when GitHub is well")]
    Ill { what: String, tries: u32, last: String, status: Option<u16> },

    #[error("{what} answered with more than {limit} bytes: not read")]
    TooLarge { what: String, limit: usize },

    #[error("{what} did not answer with {expected}: {problem}")]
    Unreadable { what: String, expected: &'static str, problem: String },

    #[error("{url:?} is no base URL of GitHub's API: {problem}")]
    BadBaseUrl { url: String, problem: &'static str },

    #[error("the proxy in {variable} is not a URL such as http://proxy.example:3128")]
    BadProxy { variable: &'static str },

    #[error(
        "the certificates in github.caFile are not a bundle in PEM form: {problem}; \
         give each between BEGIN CERTIFICATE and END CERTIFICATE"
    )]
    BadCertificates { problem: String },

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
            Self::MissingToken | Self::MissingKey { .. } => "MissingToken",
            Self::BadKey { .. } => "BadKey",
            Self::Unauthorized { .. } => "Unauthorized",
            Self::NotInstalled { .. } => "NotInstalled",
            Self::Forbidden { .. } => "Forbidden",
            Self::NotFound { .. } => "NotFound",
            Self::Gone { .. } => "Gone",
            Self::Refused { .. } => "Refused",
            Self::Foreign { .. } => "ForeignLink",
            Self::MovedInCircles { .. } | Self::LinkedInCircles { .. } => "MovedInCircles",
            Self::Ill { .. } => "GitHubUnavailable",
            Self::TooLarge { .. } => "TooLarge",
            Self::Unreadable { .. } => "Unreadable",
            Self::BadBaseUrl { .. } => "BadBaseUrl",
            Self::BadProxy { .. } => "BadProxy",
            Self::BadCertificates { .. } => "BadCertificates",
            Self::Client(_) => "NoClient",
        }
    }
}
