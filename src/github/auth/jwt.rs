//! How an App proves that it is one: a short-lived token of its own, signed with its key. Pure.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::App;
use crate::github::Error;

/// How far back it begins: GitHub's clock may be behind ours.
const BACK: TimeDelta = TimeDelta::seconds(60);
/// How long it is good. GitHub refuses ten minutes, counted on its clock.
const GOOD: TimeDelta = TimeDelta::minutes(8);

/// The token with which `app` may ask for those of its installations.
pub(super) fn jwt(app: &App, now: DateTime<Utc>) -> Result<SecretString, Error> {
    let head = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#);
    let claims = serde_json::json!({
        "iat": (now - BACK).timestamp(),
        "exp": (now + GOOD).timestamp(),
        // A number: older Enterprise Servers take nothing else.
        "iss": app.id,
    });
    let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed = format!("{head}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(app.key.sign(&signed)?);
    Ok(SecretString::from(format!("{signed}.{signature}")))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::credentials::tests::{PKCS1, app};
    use super::*;

    #[test]
    fn it_begins_a_minute_ago_and_ends_within_nine() {
        let now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        let token = jwt(&app(PKCS1, None), now).unwrap();
        let parts: Vec<&str> = token.expose_secret().split('.').collect();
        let claims = BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["iat"], now.timestamp() - 60);
        assert_eq!(claims["exp"], now.timestamp() + 480);
        assert_eq!(claims["iss"], 7);
        assert_eq!(parts.len(), 3);
    }
}
