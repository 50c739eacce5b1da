//! Who asks: a personal token, or a GitHub App with a token for each owner.
//!
//! # Guarantees
//!
//! - One token of an installation is minted for all who wait for it, and renewed before it ends.
//! - A token that GitHub refuses is replaced once, by a new one of the App or by what its file holds
//!   now; then the same page is asked again.
//! - Secrets have no `Debug`, and their headers are marked as sensitive.

mod credentials;
mod installation;
mod jwt;
mod slot;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};

use self::installation::{Given, lookups, repository};
use self::jwt::jwt;
use self::slot::{Minted, Slot};
use super::octo::Question;
use super::{Error, Source};

pub use credentials::{App, AppKey, Credentials};

/// Reads the credentials anew, so that those that were renewed are used without a restart.
pub type ReadCredentials = Arc<dyn Fn() -> Result<Credentials, Error> + Send + Sync>;

/// As what a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// With the token that may read: a personal one, or that of an installation.
    Token,
    /// As the App itself, which may do nothing but get such tokens.
    App,
}

/// Who asks, for all clones of a source.
pub(super) struct Auth {
    read: ReadCredentials,
    current: Mutex<Current>,
    /// One for each owner, or a single one where the installation is configured.
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

#[derive(Clone)]
struct Current {
    credentials: Credentials,
    /// How often they were replaced.
    edition: u64,
}

/// The header of a question, with what is needed to replace it.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) header: HeaderValue,
    edition: u64,
    slot: Option<Arc<Slot>>,
}

impl Auth {
    /// Reads the credentials for the first time.
    pub(super) fn new(read: ReadCredentials) -> Result<Self, Error> {
        let current = Mutex::new(Current { credentials: read()?, edition: 0 });
        Ok(Self { read, current, slots: Mutex::default() })
    }

    pub(super) fn credentials(&self) -> Credentials {
        locked(&self.current).credentials.clone()
    }

    /// The header for this question, after a token was minted where there is none.
    pub(super) async fn sign(
        &self,
        source: &Source,
        question: &Question<'_>,
    ) -> Result<Signed, Error> {
        let Current { credentials, edition } = locked(&self.current).clone();
        match (credentials, question.by) {
            (Credentials::Token(token), _) => {
                Ok(Signed { header: bearer(&token)?, edition, slot: None })
            }
            (Credentials::App(app), By::App) => {
                let token = jwt(&app, source.clock().now())?;
                Ok(Signed { header: bearer(&token)?, edition, slot: None })
            }
            (Credentials::App(app), By::Token) => {
                let owner = owner(&app, question)?;
                let slot = self.slot(&owner);
                let now = || source.clock().now();
                let mint = async |known| mint(source, &app, &owner, question.path, known).await;
                let header = slot.token(now, mint).await?;
                Ok(Signed { header, edition, slot: Some(slot) })
            }
        }
    }

    /// Whose quota the question counts against: each installation has one, and so has the App.
    pub(super) fn quota_of(&self, question: &Question<'_>) -> String {
        match (self.credentials(), question.by) {
            (Credentials::App(_), By::App) => "app".to_owned(),
            (Credentials::App(App { installation: None, .. }), By::Token) => {
                format!("owner {}", question.owner.unwrap_or_default().to_ascii_lowercase())
            }
            (Credentials::App(_) | Credentials::Token(_), _) => "token".to_owned(),
        }
    }

    /// Replaces what GitHub has refused. Whether there is something to replace it with.
    pub(super) async fn replace(&self, refused: &Signed) -> bool {
        match &refused.slot {
            Some(slot) => {
                slot.refused(&refused.header).await;
                true
            }
            None => self.read_again(refused.edition),
        }
    }

    fn read_again(&self, refused: u64) -> bool {
        let mut current = locked(&self.current);
        // Another question may have been refused before, and have read them.
        if current.edition == refused {
            match (self.read)() {
                Ok(new) if !new.same_as(&current.credentials) => {
                    *current = Current { credentials: new, edition: refused + 1 };
                }
                // What cannot be read cannot be better than what was refused.
                Ok(_) | Err(_) => {}
            }
        }
        current.edition != refused
    }

    fn slot(&self, owner: &str) -> Arc<Slot> {
        Arc::clone(locked(&self.slots).entry(owner.to_ascii_lowercase()).or_default())
    }
}

/// Whose installation is asked; nobody's in particular where there is only one.
fn owner(app: &App, question: &Question<'_>) -> Result<String, Error> {
    if app.installation.is_some() {
        return Ok(String::new());
    }
    let unknown = || Error::NotInstalled { at: format!("for {}", question.path) };
    question.owner.map(str::to_owned).ok_or_else(unknown)
}

/// The owner of the repository that a path is about, if it names one.
pub(super) fn owner_in(path: &str) -> Option<&str> {
    repository(path).map(|(owner, _)| owner)
}

/// Gets a token of the installation that is configured or known, or else looked up.
async fn mint(
    source: &Source,
    app: &App,
    owner: &str,
    asked: &str,
    known: Option<u64>,
) -> Result<Minted, Error> {
    let installation = match app.installation.or(known) {
        Some(id) => id,
        None => find(source, owner, asked).await?,
    };
    let path = format!("/app/installations/{installation}/access_tokens");
    let body = ask(source, Method::POST, &path).await?;
    let body = body.ok_or_else(|| Error::NotInstalled {
        at: match app.installation {
            Some(id) => format!("as installation {id}"),
            None => format!("for {owner:?}"),
        },
    })?;
    let given = Given::read(&body, &path)?;
    let use_until = given.use_until(source.clock().now());
    tracing::debug!(installation, %use_until, "a token was minted");
    Ok(Minted { installation, header: bearer(&given.token)?, use_until })
}

/// Looks up the installation of `owner`.
async fn find(source: &Source, owner: &str, asked: &str) -> Result<u64, Error> {
    for path in lookups(owner, asked) {
        if let Some(body) = ask(source, Method::GET, &path).await? {
            return installation::id(&body, &path);
        }
    }
    Err(Error::NotInstalled { at: format!("for {owner:?}") })
}

/// Asks as the App. `None`: there is no such thing.
async fn ask(source: &Source, method: Method, path: &str) -> Result<Option<bytes::Bytes>, Error> {
    let question = Question { method, path, etag: None, body: None, by: By::App, owner: None };
    // On the heap, since this is asked in the middle of another question.
    match Box::pin(source.follow(question)).await {
        Ok(answer) => Ok(Some(answer.into_json())),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, Error> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
    let mut value = value.map_err(|_| Error::MissingToken)?;
    value.set_sensitive(true);
    Ok(value)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
