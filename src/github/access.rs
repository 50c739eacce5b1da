//! Where GitHub is, as whom it is asked, and by which way.

use std::sync::Arc;

use secrecy::SecretString;

use super::{BaseUrl, Credentials, Network, ReadCredentials};

/// All that the configuration says about GitHub. [`super::Source::connect`] makes a client of it.
#[derive(Clone)]
pub struct Access {
    pub base: BaseUrl,
    pub credentials: ReadCredentials,
    pub network: Network,
    /// How many requests of the hourly quota are left to others.
    pub quota_floor: i64,
}

impl Access {
    /// With one token that never changes, by the direct way.
    pub fn with_token(base: BaseUrl, token: SecretString) -> Self {
        let credentials = Credentials::Token(token);
        Self {
            base,
            credentials: Arc::new(move || Ok(credentials.clone())),
            network: Network::default(),
            quota_floor: super::DEFAULT_FLOOR,
        }
    }
}
