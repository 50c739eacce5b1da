//! A GitHub App: where it is installed, and the tokens that it was given.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use rustls::{SignatureScheme, crypto::ring};
use serde_json::{Value, json};

use super::{answer::Answer, shapes, world::World};

/// A GitHub App, its installations and their tokens.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub id: u64,
    /// Its public key as PKCS#1; without one, signatures are not checked.
    pub public_key: Option<Vec<u8>>,
    /// How long a token is good.
    pub token_life: TimeDelta,
    installations: BTreeMap<String, u64>,
    tokens: Vec<Minted>,
    minted: usize,
}

#[derive(Clone, Debug)]
struct Minted {
    token: String,
    owner: String,
    expires_at: DateTime<Utc>,
}

impl App {
    /// An App that is installed nowhere.
    pub fn new(id: u64, public_key: Option<Vec<u8>>) -> Self {
        Self {
            id,
            public_key,
            token_life: TimeDelta::hours(1),
            installations: BTreeMap::new(),
            tokens: Vec::new(),
            minted: 0,
        }
    }

    /// Installs it for an owner, and says the number of the installation.
    pub fn install(&mut self, owner: &str) -> u64 {
        let next = 11 + self.installations.len() as u64;
        *self.installations.entry(owner.to_ascii_lowercase()).or_insert(next)
    }

    /// How many tokens it was ever given.
    pub fn minted(&self) -> usize {
        self.minted
    }

    /// Makes all tokens useless, as if they had been revoked.
    pub fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Whose installation a token is for, if it is good.
    pub(super) fn owner_of(&self, token: &str, now: DateTime<Utc>) -> Option<&str> {
        let good = |one: &&Minted| one.token == token && now < one.expires_at;
        self.tokens.iter().find(good).map(|one| one.owner.as_str())
    }

    /// Whether this is a token of the App itself, in all that GitHub looks at.
    pub(super) fn is_own(&self, jwt: &str, now: DateTime<Utc>) -> bool {
        self.claims(jwt).is_some_and(|claims| {
            let time = |name: &str| claims[name].as_i64().unwrap_or_default();
            let now = now.timestamp();
            claims["iss"].as_u64() == Some(self.id)
                && time("iat") <= now
                && time("exp") > now
                && time("exp") <= now + 600
        })
    }

    fn claims(&self, jwt: &str) -> Option<Value> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let head: Value = serde_json::from_slice(&decode(head)?).ok()?;
        let is_signed = match &self.public_key {
            None => true,
            Some(key) => is_signed(key, signed.as_bytes(), &decode(signature)?),
        };
        let usable = head["alg"] == "RS256" && is_signed;
        serde_json::from_slice(&decode(claims)?).ok().filter(|_| usable)
    }

    /// Answers what is asked as the App itself.
    pub(super) fn answer(&mut self, world: &World, method: &str, segments: &[&str]) -> Answer {
        match (method, segments) {
            ("GET", ["app"]) => Answer::ok(&shapes::app(self.id, world.base_url())),
            (
                "GET",
                ["users" | "orgs", owner, "installation"] | ["repos", owner, _, "installation"],
            ) => match self.installations.get(&owner.to_ascii_lowercase()) {
                Some(id) => {
                    let account = world.account(owner);
                    Answer::ok(&shapes::installation(*id, self.id, &account, world.base_url()))
                }
                None => Answer::not_found(),
            },
            ("POST", ["app", "installations", id, "access_tokens"]) => self.mint(id, world.now()),
            _ => Answer::not_found(),
        }
    }

    fn mint(&mut self, installation: &str, now: DateTime<Utc>) -> Answer {
        let known = self.installations.iter().find(|(_, id)| id.to_string() == installation);
        let Some(owner) = known.map(|(owner, _)| owner.clone()) else {
            return Answer::not_found();
        };
        self.minted += 1;
        let token = format!("ghs_{installation}_{}", self.minted);
        let expires_at = now + self.token_life;
        let body = json!({
            "token": token,
            "expires_at": expires_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "permissions": {"issues": "read", "metadata": "read"},
            "repository_selection": "all",
        });
        self.tokens.push(Minted { token, owner, expires_at });
        Answer::raw(StatusCode::CREATED, body.to_string().into())
    }
}

/// Whether only the App itself may ask for this.
pub(super) fn is_for_app(path: &str) -> bool {
    let path = path.trim_matches('/');
    path == "app" || path.starts_with("app/") || path.ends_with("/installation")
}

fn is_signed(key: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let known = ring::default_provider().signature_verification_algorithms.mapping;
    let rs256 = known.iter().find(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256);
    let (_, algorithms) = rs256.expect("TLS knows it, too");
    algorithms.iter().any(|one| one.verify_signature(key, text, signature).is_ok())
}
