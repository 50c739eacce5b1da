//! Where the data comes from: GitHub's REST API, through octocrab.
//!
//! octocrab carries; who asks, what an answer means, when to ask again, and how an item is decoded
//! is decided here, because a list must survive one item that is not as described.
//!
//! # Guarantees
//!
//! - The token goes to the base URL only: a link or a redirect that leaves it is an error.
//! - A page is never skipped: it is answered, or the error says why not.
//! - What comes back is bounded in size and in time.
//!
//! # Errors
//!
//! [`Error::reason`] is a closed set, for statuses and metrics.

mod access;
mod answer;
mod auth;
mod decode;
mod error;
mod limits;
mod link;
pub mod model;
mod network;
mod octo;
mod quota;
mod source;

pub use access::Access;
pub use answer::{Head, Kind, classify};
pub use auth::{App, AppKey, Credentials, ReadCredentials};
pub use decode::{BadItem, decode_list, decode_one};
pub use error::Error;
pub use limits::{DEFAULT_FLOOR, Limits};
pub use link::{BaseUrl, next};
pub use network::{Authorities, Network, Proxies};
pub use quota::{limit_wait, retry_wait};
pub use source::{Answer, Body, Source, Usage};
