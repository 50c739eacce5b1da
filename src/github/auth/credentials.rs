//! As whom GitHub is asked. Pure.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::Signer;
use secrecy::{ExposeSecret, SecretString};

use crate::github::{BaseUrl, Error};

/// As whom GitHub is asked. No `Debug`: it holds secrets.
#[derive(Clone)]
pub enum Credentials {
    /// A token of a person, as it is.
    Token(SecretString),
    /// A GitHub App, which gets tokens for its installations.
    App(App),
}

/// A GitHub App.
#[derive(Clone)]
pub struct App {
    pub id: u64,
    pub key: AppKey,
    /// Its one installation; without it, that of each owner is looked up.
    pub installation: Option<u64>,
}

/// The private key of a GitHub App, which can sign.
#[derive(Clone)]
pub struct AppKey {
    pem: SecretString,
    signer: Arc<dyn Signer>,
}

impl AppKey {
    /// Reads an RSA key in PEM form, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    ///
    /// [`Error::BadKey`], which says nothing of the content.
    pub fn from_pem(pem: SecretString) -> Result<Self, Error> {
        let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes());
        let key = key.map_err(|_| Error::BadKey { problem: "it is not in PEM form" })?;
        let signer = any_supported_type(&key)
            .ok()
            .and_then(|key| key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]))
            .ok_or(Error::BadKey { problem: "it is not an RSA key of 2048 bits or more" })?;
        Ok(Self { pem, signer: signer.into() })
    }

    /// Signs with RS256.
    pub(super) fn sign(&self, text: &str) -> Result<Vec<u8>, Error> {
        let signed = self.signer.sign(text.as_bytes());
        signed.map_err(|_| Error::BadKey { problem: "it cannot sign" })
    }
}

impl Credentials {
    /// Stands for the base URL and who asks, and stays the same while an App's tokens come and go.
    pub(in crate::github) fn identity(&self, base: &BaseUrl) -> String {
        let base = base.as_str();
        match self {
            Self::Token(token) => {
                crate::store::fingerprint(&["token", base, token.expose_secret()])
            }
            Self::App(app) => {
                let installation = app.installation.map(|id| id.to_string()).unwrap_or_default();
                crate::store::fingerprint(&["app", base, &app.id.to_string(), &installation])
            }
        }
    }

    /// Whether GitHub would see no difference.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let same = |a: &SecretString, b: &SecretString| a.expose_secret() == b.expose_secret();
        match (self, other) {
            (Self::Token(a), Self::Token(b)) => same(a, b),
            (Self::App(a), Self::App(b)) => {
                (a.id, a.installation) == (b.id, b.installation) && same(&a.key.pem, &b.key.pem)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::github::auth) const PKCS1: &str =
        include_str!("../../../tests/keys/app-pkcs1.pem");
    const PKCS8: &str = include_str!("../../../tests/keys/app-pkcs8.pem");

    pub(in crate::github::auth) fn app(pem: &str, installation: Option<u64>) -> App {
        App { id: 7, key: AppKey::from_pem(SecretString::from(pem)).unwrap(), installation }
    }

    #[test]
    fn both_forms_of_a_key_are_one_key() {
        let (first, second) = (app(PKCS1, None), app(PKCS8, None));
        assert_eq!(first.key.sign("text").unwrap(), second.key.sign("text").unwrap());
    }

    #[test]
    fn an_error_says_what_is_expected_and_nothing_of_the_key() {
        let cut = PKCS1.lines().take(8).collect::<Vec<_>>().join("\n");
        let wrong = PKCS1.replace("RSA PRIVATE", "EC PRIVATE");
        for bad in ["", "ghp_marked", &cut, &wrong] {
            let error = AppKey::from_pem(SecretString::from(bad)).err().unwrap().to_string();
            assert!(error.contains("BEGIN RSA PRIVATE KEY"), "{error}");
            let shown = bad.lines().nth(1).filter(|line| error.contains(line));
            assert!(shown.is_none() && !error.contains("marked"), "{error}");
        }
    }

    #[test]
    fn an_identity_depends_on_all_that_decides_what_is_seen_and_on_no_key() {
        let base = |url| BaseUrl::parse(url, false).unwrap();
        let here = base("https://api.github.com");
        let of = |app: App| Credentials::App(app).identity(&here);
        let token = |text: &str| Credentials::Token(SecretString::from(text)).identity(&here);
        assert_eq!(of(app(PKCS1, Some(11))), of(app(PKCS8, Some(11))));
        let elsewhere = Credentials::App(app(PKCS1, None)).identity(&base("https://ghe.example"));
        let all =
            [of(app(PKCS1, Some(11))), of(app(PKCS1, None)), elsewhere, token("7"), token("8")];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_change_is_one_of_content() {
        let token = |text: &str| Credentials::Token(SecretString::from(text));
        assert!(token("a").same_as(&token("a")) && !token("a").same_as(&token("b")));
        let of = |pem, installation| Credentials::App(app(pem, installation));
        assert!(of(PKCS1, None).same_as(&of(PKCS1, None)));
        assert!(!of(PKCS1, None).same_as(&of(PKCS8, None)));
        assert!(!of(PKCS1, None).same_as(&of(PKCS1, Some(1))));
        assert!(!of(PKCS1, None).same_as(&token("a")));
    }
}
