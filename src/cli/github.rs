//! The part of the configuration that is about GitHub: where it is, who asks, and by which way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Failure;
use crate::github::{
    Access, App, AppKey, Authorities, BaseUrl, Credentials, DEFAULT_FLOOR, Error, Network, Proxies,
    ReadCredentials,
};

/// The key `github` of the file.
#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct GitHub {
    api_url: Option<String>,
    token_file: Option<PathBuf>,
    app: AppConfig,
    ca_file: Option<PathBuf>,
    allow_insecure: bool,
    /// How many requests of the hourly quota are left to others.
    quota_floor: Option<i64>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AppConfig {
    id: Option<u64>,
    private_key_file: Option<PathBuf>,
    installation: Option<u64>,
}

/// The flags and variables about GitHub.
#[derive(Args, Clone, Debug)]
pub(super) struct GitHubArgs {
    /// The base URL of GitHub's API. Default: that of github.com
    #[arg(long, env = "SINGLETRACK_GITHUB_URL", value_name = "URL")]
    github_url: Option<String>,
    /// The token for GitHub.
    #[arg(long, env = "GITHUB_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    github_token: Option<SecretString>,
    /// A file that holds the token; it is read anew for each run, and when GitHub refuses the token.
    #[arg(long, env = "SINGLETRACK_GITHUB_TOKEN_FILE", value_name = "FILE")]
    github_token_file: Option<PathBuf>,
    /// The id of a GitHub App, which asks instead of somebody with a token.
    #[arg(long, env = "SINGLETRACK_GITHUB_APP_ID", value_name = "ID")]
    github_app_id: Option<u64>,
    /// A file that holds the App's private key, in PEM form; it is read anew like the token's.
    #[arg(long, env = "SINGLETRACK_GITHUB_APP_KEY_FILE", value_name = "FILE")]
    github_app_key_file: Option<PathBuf>,
    /// The App's one installation. Default: that of each repository's owner
    #[arg(long, env = "SINGLETRACK_GITHUB_APP_INSTALLATION", value_name = "ID")]
    github_app_installation: Option<u64>,
    /// A file with certificate authorities, in PEM form, that are believed beside the public ones.
    #[arg(long, env = "SINGLETRACK_GITHUB_CA", value_name = "FILE")]
    github_ca: Option<PathBuf>,
    /// How many requests of GitHub's hourly quota are left to others. Default: 50
    #[arg(long, env = "SINGLETRACK_GITHUB_QUOTA_FLOOR", value_name = "N")]
    github_quota_floor: Option<i64>,
    #[command(flatten)]
    proxy: ProxyArgs,
}

/// What is usual for all programs, in both ways of writing; the lower case wins, as in curl.
#[derive(Args, Clone)]
struct ProxyArgs {
    /// The proxy on the way to GitHub.
    #[arg(long = "https-proxy", env = "HTTPS_PROXY", value_name = "URL", hide_env_values = true)]
    https: Option<String>,
    #[arg(long = "lower-https-proxy", env = "https_proxy", hide = true)]
    lower_https: Option<String>,
    /// The same for a base URL without TLS.
    #[arg(long = "http-proxy", env = "HTTP_PROXY", value_name = "URL", hide_env_values = true)]
    http: Option<String>,
    #[arg(long = "lower-http-proxy", env = "http_proxy", hide = true)]
    lower_http: Option<String>,
    /// Hosts that are reached without a proxy, with commas between them.
    #[arg(long = "no-proxy", env = "NO_PROXY", value_name = "HOSTS")]
    no: Option<String>,
    #[arg(long = "lower-no-proxy", env = "no_proxy", hide = true)]
    lower_no: Option<String>,
}

// A proxy's URL may hold a password.
impl std::fmt::Debug for ProxyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyArgs").finish_non_exhaustive()
    }
}

impl GitHubArgs {
    /// Checks what both say about GitHub; the arguments win over the file.
    pub(super) fn access(self, file: GitHub) -> Result<Access, Failure> {
        let usage = |error: Error| Failure::usage(error.to_string());
        let base = self.github_url.or(file.api_url);
        let base = base.as_deref().unwrap_or("https://api.github.com");
        let base = BaseUrl::parse(base, file.allow_insecure).map_err(usage)?;
        let authorities = authorities(self.github_ca.or(file.ca_file).as_deref())?;
        let app = AppConfig {
            id: self.github_app_id.or(file.app.id),
            private_key_file: self.github_app_key_file.or(file.app.private_key_file),
            installation: self.github_app_installation.or(file.app.installation),
        };
        let token_file = self.github_token_file.or(file.token_file);
        let quota_floor = self.github_quota_floor.or(file.quota_floor);
        Ok(Access {
            base,
            credentials: credentials(self.github_token, token_file, app)?,
            network: Network { authorities, proxies: self.proxy.checked().map_err(usage)? },
            quota_floor: quota_floor.unwrap_or(DEFAULT_FLOOR),
        })
    }
}

impl ProxyArgs {
    fn checked(self) -> Result<Proxies, Error> {
        let one = |lower: Option<String>, upper: Option<String>| {
            let said = lower.into_iter().chain(upper).find(|text| !text.is_empty());
            said.unwrap_or_default()
        };
        Proxies::new(
            &one(self.lower_http, self.http),
            &one(self.lower_https, self.https),
            &one(self.lower_no, self.no),
        )
    }
}

fn authorities(file: Option<&Path>) -> Result<Authorities, Failure> {
    let Some(file) = file else { return Ok(Authorities::default()) };
    let pem = fs::read(file).map_err(|error| {
        let shown = file.display();
        Failure::usage(format!(
            "cannot read the certificates {shown} (github.caFile): {error}; name a file in \
             PEM form"
        ))
    })?;
    Authorities::from_pem(&pem).map_err(|error| Failure::usage(error.to_string()))
}

/// Who asks: an App or somebody with a token, and not both.
fn credentials(
    token: Option<SecretString>,
    token_file: Option<PathBuf>,
    app: AppConfig,
) -> Result<ReadCredentials, Failure> {
    // A variable that is set to nothing is as good as none.
    let token = token.filter(|token| !token.expose_secret().trim().is_empty());
    let has_token = token.is_some() || token_file.is_some();
    let wrong = |text: &str| Err(Failure::usage(text));
    let (id, file) = match (app.id, app.private_key_file) {
        (None, None) if app.installation.is_some() => {
            return wrong(
                "github.app.installation is set without github.app.id and \
                 github.app.privateKeyFile: set these, too, or leave it out",
            );
        }
        (None, None) => {
            return Ok(Arc::new(move || read_token(token.as_ref(), token_file.as_deref())));
        }
        _ if has_token => {
            return wrong(
                "there is a token for GitHub and a GitHub App: take out either the token \
                 (GITHUB_TOKEN, github.tokenFile) or github.app",
            );
        }
        (Some(id), Some(file)) => (id, file),
        (Some(_), None) => {
            return wrong("github.app.id is set without github.app.privateKeyFile: set it, too");
        }
        (None, Some(_)) => {
            return wrong("github.app.privateKeyFile is set without github.app.id: set it, too");
        }
    };
    let read: ReadCredentials = Arc::new(move || {
        let key = read_key(&file)?;
        Ok(Credentials::App(App { id, key, installation: app.installation }))
    });
    match read() {
        Err(error @ Error::BadKey { .. }) => Err(Failure::usage(error.to_string())),
        // The Secret may come later.
        Err(_) | Ok(_) => Ok(read),
    }
}

/// Reads the token each time it is needed: a file may change under us.
fn read_token(given: Option<&SecretString>, file: Option<&Path>) -> Result<Credentials, Error> {
    let token = match (given, file) {
        (Some(token), _) => token.expose_secret().trim().to_owned(),
        // Not a word about the content: an error must not hold it.
        (None, Some(file)) => match fs::read_to_string(file) {
            Ok(text) => text.trim().to_owned(),
            Err(_) => return Err(Error::MissingToken),
        },
        (None, None) => return Err(Error::MissingToken),
    };
    let sendable = token.bytes().all(|byte| byte.is_ascii_graphic());
    if token.is_empty() || !sendable {
        return Err(Error::MissingToken);
    }
    Ok(Credentials::Token(SecretString::from(token)))
}

fn read_key(file: &Path) -> Result<AppKey, Error> {
    let text = match fs::read_to_string(file) {
        Ok(text) if !text.trim().is_empty() => text,
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(Error::BadKey { problem: "it is not in PEM form" });
        }
        Ok(_) | Err(_) => return Err(Error::MissingKey { file: file.display().to_string() }),
    };
    AppKey::from_pem(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use clap::builder::Resettable;
    use clap::{CommandFactory, FromArgMatches};

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        github: GitHubArgs,
    }

    const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/app-pkcs8.pem");
    const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/ca.pem");

    /// What these flags say, whatever the environment of the test says.
    fn args(flags: &[&str]) -> GitHubArgs {
        let command = Line::command().mut_args(|arg| arg.env(Resettable::Reset));
        let matches = command.try_get_matches_from([&["it"], flags].concat()).unwrap();
        Line::from_arg_matches(&matches).unwrap().github
    }

    fn access(flags: &[&str], file: &str) -> Result<Access, String> {
        let file = serde_saphyr::from_str(file).unwrap();
        args(flags).access(file).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_token_is_one_word_and_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read_token(None, Some(&path)).is_err());
        for (text, expected) in [("a\n", Some("a")), ("b", Some("b")), ("", None), ("a b", None)] {
            fs::write(&path, text).unwrap();
            let token = match read_token(None, Some(&path)) {
                Ok(Credentials::Token(token)) => Some(token.expose_secret().to_owned()),
                _ => None,
            };
            assert_eq!(token.as_deref(), expected);
        }
    }

    #[test]
    fn an_app_comes_from_the_file_or_from_flags() {
        let file = format!("app: {{id: 7, privateKeyFile: {KEY}, installation: 11}}");
        for access in [
            access(&[], &file),
            access(&["--github-app-id=7", "--github-app-key-file", KEY], "app: {installation: 11}"),
        ] {
            let read = (access.unwrap().credentials)().ok().unwrap();
            let Credentials::App(app) = read else { panic!("it is no App") };
            assert_eq!((app.id, app.installation), (7, Some(11)));
        }
    }

    #[test]
    fn a_mistake_is_refused_with_what_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let bad = folder.path().join("key");
        fs::write(&bad, "-----BEGIN RSA PRIVATE KEY-----\nmarked\n").unwrap();
        let bad = bad.to_str().unwrap();
        let app = format!("app: {{id: 7, privateKeyFile: {KEY}}}");
        for (flags, file, words) in [
            (&["--github-token=marked"][..], app.as_str(), "take out either the token"),
            (&["--github-token-file=x"], &app, "take out either the token"),
            (&["--github-app-id=7"], "", "privateKeyFile: set it"),
            (&["--github-app-key-file", KEY], "", "github.app.id: set it"),
            (&["--github-app-installation=11"], "", "set these, too"),
            (&["--github-app-id=7", "--github-app-key-file", bad], "", "BEGIN RSA PRIVATE KEY"),
            (&["--http-proxy=ftp://marked"], "", "HTTP_PROXY"),
            (&["--github-ca=/nowhere"], "", "github.caFile"),
            (&["--github-ca", bad], "", "github.caFile"),
            (&["--lower-https-proxy=socks5://u:marked@x"], "", "HTTPS_PROXY"),
        ] {
            let error = access(flags, file).err().unwrap();
            assert!(error.contains(words) && !error.contains("marked"), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_not_there_yet_may_come_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let flags = ["--github-app-id=7", "--github-app-key-file", path.to_str().unwrap()];
        let access = access(&flags, "").unwrap();
        let error = (access.credentials)().err().unwrap();
        assert_eq!(error.reason(), "MissingToken");
        fs::copy(KEY, &path).unwrap();
        assert!((access.credentials)().is_ok());
    }

    #[test]
    fn authorities_are_read_and_no_secret_is_in_debug() {
        let flags = ["--github-ca", CA, "--github-token=marked"];
        assert!(access(&flags, "").is_ok());
        let proxy = "--https-proxy=http://u:marked@proxy.example:1";
        assert!(!format!("{:?}", args(&[flags[2], proxy])).contains("marked"));
    }
}
