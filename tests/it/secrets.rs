//! Secrets are in nothing that is put out, at any level, also when everything goes wrong.

use std::path::Path;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser};
use http::StatusCode;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use secrecy::SecretString;
use singletrack::api::{Phase, SyncRequest};
use singletrack::cli::{Cli, ConfigArgs, Configuration};
use singletrack::github::Credentials;
use singletrack::store::{Address, Database, Postgres, Sqlite, Text};

use crate::auth::world;
use crate::requests::github;
use crate::stand_in::{Fault, Matcher, StandIn};
use crate::support::{APP_KEY, Command, Namespace, Operator, database, dump, operator, phase_of};

const TOKEN: &str = "ghp_marked3141592653";

/// Everything that a cluster, a scraper, a log collector or a database user can see.
async fn put_out(space: &Namespace, operator: &Operator, store: &Database) -> String {
    let mut all = vec![operator.log()];
    for path in ["/metrics", "/healthz", "/readyz"] {
        all.push(operator.told(path).await);
    }
    let requests: Api<SyncRequest> = space.requests();
    let leases: Api<Lease> = space.leases();
    let events: Api<Event> = Api::namespaced(space.client.clone(), &space.name);
    let any = ListParams::default();
    all.push(serde_json::to_string(&requests.list(&any).await.unwrap()).unwrap());
    all.push(serde_json::to_string(&leases.list(&any).await.unwrap()).unwrap());
    all.push(serde_json::to_string(&events.list(&any).await.unwrap()).unwrap());
    all.push(format!("{:?}", dump(store).await));
    store.close().await;
    all.concat()
}

/// What the doctor says with these variables, to people and to programs.
async fn diagnosed(space: &Namespace, github: &StandIn, variables: &[(&str, &str)]) -> String {
    let url = github.base_url();
    let mut all = String::new();
    for output in ["table", "json"] {
        let args = ["doctor", "--github-url", &url, "--track", "acme/widgets-0", "-o", output];
        let doctor = Command::within(space, &args).env("SINGLETRACK_LOG", "trace");
        let doctor = variables.iter().fold(doctor, |doctor, (name, value)| doctor.env(name, value));
        let said = doctor.said().await;
        all += &(said.out + &said.err);
    }
    all
}

fn in_folder(folder: &Path) -> Database {
    Database::Sqlite(Sqlite::read_only(&folder.join("store.db")))
}

#[track_caller]
fn holds_none(all: &str, secrets: &[&str]) {
    assert!(all.contains("TRACE"), "the log is not at its loudest");
    for secret in secrets {
        let shown = all.lines().find(|line| line.contains(secret));
        assert_eq!(shown.map(str::len), None, "{secret:.6}… is shown");
    }
}

/// Runs that go wrong in several ways, until one goes well.
async fn go_wrong_and_well(space: &Namespace, github: &StandIn) {
    let repository = |n: usize| Matcher::get(&format!("/repos/acme/widgets-{n}"));
    github.inject(
        repository(0),
        0,
        Some(1),
        Fault::message(StatusCode::UNAUTHORIZED, "Bad credentials"),
    );
    github.inject(repository(1), 0, Some(2), Fault::message(StatusCode::FORBIDDEN, "no"));
    let links = Matcher::get("/repos/acme/widgets-2/issues");
    let foreign = Fault::message(StatusCode::OK, "x").with_header("link", "<https://a.test/>");
    github.inject(links, 0, Some(1), foreign);
    for n in 0..9 {
        let name = format!("try-{n}");
        space.manual(&name).await;
        if phase_of(&space.finished(&name).await) == Phase::Succeeded {
            assert!(n > 0, "nothing has gone wrong");
            return;
        }
    }
    panic!("it does not go well");
}

#[tokio::test]
async fn a_token_is_shown_nowhere() {
    let space = Namespace::new("secrets").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 5).await;
    github.world(|world| world.token = Some(TOKEN.to_owned()));
    let operator = operator(&space, &github, folder.path())
        .env("GITHUB_TOKEN", TOKEN)
        .env("SINGLETRACK_LOG", "trace")
        .env("SINGLETRACK_RETRY_AFTER", "100ms")
        .start();
    go_wrong_and_well(&space, &github).await;
    let file = folder.path().join("store.db");
    let mut all = String::new();
    for token in [TOKEN, &format!("{TOKEN}-of-before")] {
        let variables = [("GITHUB_TOKEN", token), ("SINGLETRACK_DATABASE", file.to_str().unwrap())];
        all += &diagnosed(&space, &github, &variables).await;
    }
    assert!(all.contains("renew it"), "one of the tokens is refused");
    all += &put_out(&space, &operator, &in_folder(folder.path())).await;
    holds_none(&all, &[TOKEN, "Bearer"]);
}

#[tokio::test]
async fn the_key_and_the_tokens_of_an_app_are_shown_nowhere() {
    let space = Namespace::new("appsecrets").await;
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(3, 5);
    // The App signs with the time of the day.
    world.set_now(None);
    let github = StandIn::start(world).await;
    let key = folder.path().join("key.pem");
    std::fs::write(&key, APP_KEY).unwrap();
    let operator = operator(&space, &github, folder.path())
        .without_env("GITHUB_TOKEN")
        .env("SINGLETRACK_GITHUB_APP_ID", "7")
        .env("SINGLETRACK_GITHUB_APP_KEY_FILE", key.to_str().unwrap())
        .env("SINGLETRACK_LOG", "trace")
        .env("SINGLETRACK_RETRY_AFTER", "100ms")
        .start();
    go_wrong_and_well(&space, &github).await;
    let file = folder.path().join("store.db");
    let variables = [
        ("SINGLETRACK_GITHUB_APP_ID", "7"),
        ("SINGLETRACK_GITHUB_APP_KEY_FILE", key.to_str().unwrap()),
        ("SINGLETRACK_DATABASE", file.to_str().unwrap()),
    ];
    let mut all = diagnosed(&space, &github, &variables).await;
    assert!(all.contains("acme/widgets-0 can be"), "{all}");
    assert!(github.world(|world| world.app.as_ref().unwrap().minted()) > 0, "there is a token");
    std::fs::write(
        &key,
        "-----BEGIN RSA PRIVATE KEY-----\nbWFya2Vk\n-----END RSA PRIVATE KEY-----",
    )
    .unwrap();
    space.manual("broken-key").await;
    let broken = space.finished("broken-key").await.status.unwrap();
    assert!(broken.message.unwrap().contains("private key"));
    let broken = diagnosed(&space, &github, &variables).await;
    assert!(broken.contains("private key"), "{broken}");
    all += &broken;
    all += &put_out(&space, &operator, &in_folder(folder.path())).await;
    // The third is how every JWT begins, the last the broken key.
    let line = APP_KEY.lines().nth(1).unwrap();
    holds_none(&all, &[line, "ghs_", "eyJ", "Bearer", "bWFya2Vk"]);
}

#[tokio::test]
async fn the_password_of_the_database_is_shown_nowhere() {
    let space = Namespace::new("dbsecrets").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(3, 5).await;
    let database = database().await;
    let mut url = database.url().clone();
    let password = url.password().unwrap().to_owned();
    let file = folder.path().join("password");
    std::fs::write(&file, "marked5926535").unwrap();
    url.set_password(Some("marked8979323")).unwrap();
    let operator = operator(&space, &github, folder.path())
        .on(&url)
        .env("SINGLETRACK_DATABASE_PASSWORD_FILE", file.to_str().unwrap())
        .env("SINGLETRACK_LOG", "trace")
        .env("SINGLETRACK_RETRY_AFTER", "100ms")
        .start();
    operator.says("password authentication failed").await;
    let variables = [
        ("GITHUB_TOKEN", crate::support::TOKEN),
        ("SINGLETRACK_DATABASE", url.as_str()),
        ("SINGLETRACK_DATABASE_PASSWORD_FILE", file.to_str().unwrap()),
    ];
    let mut all = diagnosed(&space, &github, &variables).await;
    assert!(all.contains("fail  database"), "{all}");
    let wrong = |status, text: &str| status == 503 && text.contains("password authentication");
    all += &operator.ready_when(wrong).await;
    std::fs::write(&file, &password).unwrap();
    go_wrong_and_well(&space, &github).await;
    all += &diagnosed(&space, &github, &variables).await;
    all += &put_out(&space, &operator, &Database::Postgres(database.store())).await;
    holds_none(&all, &[&password, "marked5926535", "marked8979323"]);
}

/// Ways to get the address of a database wrong, with a password in each.
const WRONG: [&str; 9] = [
    "postgres:/me:marked@db.test/tracks",
    "postgres:me:marked@db.test/tracks",
    "me:marked@db.test/tracks",
    "host=db.test password=marked dbname=tracks",
    "mysql://me:marked@db.test/tracks",
    "postgres://me:ma/marked@db.test/tracks",
    "postgres://me:ma#marked@db.test/tracks",
    "postgres://me:marked@db.test:port/tracks",
    "postgres://me@db.test/tracks?port=x&password=marked",
];

#[tokio::test]
async fn a_wrong_url_of_the_database_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    for (at, wrong) in WRONG.iter().enumerate() {
        let mut given =
            vec![Command::new(&["query", "SELECT 1"]).env("SINGLETRACK_DATABASE", wrong)];
        for args in [&["doctor", "-n", "x"][..], &["local", "--track", "a/b"]] {
            given.push(Command::new(args).env("SINGLETRACK_DATABASE_URL", wrong));
            given.push(Command::new(args).env("SINGLETRACK_DATABASE", wrong));
        }
        for key in ["url", "path"] {
            let config = config.with_extension(format!("{key}-{at}"));
            std::fs::write(&config, format!("database: {{{key}: {wrong:?}}}")).unwrap();
            given.push(Command::new(&["query", "SELECT 1"]).env("SINGLETRACK_CONFIG", config));
        }
        for command in given {
            let command = command.env("SINGLETRACK_LOG", "trace").env("GITHUB_TOKEN", TOKEN);
            let said = command.said().await;
            assert!(said.code != 0 && !format!("{said:?}").contains("marked"), "{wrong}: {said:?}");
            assert!(
                said.err.contains("postgres://") || said.err.contains("database.url"),
                "{said:?}"
            );
        }
    }
}

/// Without the files that it needs to open, the process cannot go on, in one way or another.
#[tokio::test]
async fn a_panic_shows_no_secret() {
    let program = env!("CARGO_BIN_EXE_singletrack");
    let mut all = String::new();
    for files in 4..10 {
        let line = format!("ulimit -n {files}; exec {program} local --track a/b \"$@\"");
        let args =
            ["-c", &line, "sh", "--github-url", "http://127.0.0.1:1", "--github-token", TOKEN];
        let said = Command::of("sh", &args)
            .env("SINGLETRACK_DATABASE", "postgres://me:marked8979323@127.0.0.1:1/tracks")
            .env("SINGLETRACK_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .said()
            .await;
        assert_ne!(said.code, 0);
        all += &(said.out + &said.err);
    }
    assert!(all.contains("panicked at"), "none has panicked: {all}");
    assert!(!all.contains(TOKEN) && !all.contains("marked8979323"), "a secret is shown");
}

/// Gives the debug form of what has one, and nothing for what has none.
struct Of<T>(T);

impl<T: std::fmt::Debug> Of<T> {
    fn shown(&self) -> String {
        format!("{:?}", self.0)
    }
}

trait Silent {
    fn shown(&self) -> String {
        String::new()
    }
}

impl<T> Silent for Of<T> {}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What these flags come to, whatever the environment of the test says.
fn configured(flags: &[&str]) -> Configuration {
    let command = Line::command().mut_args(|arg| arg.env(Resettable::Reset));
    let matches = command.try_get_matches_from([&["it"], flags].concat()).unwrap();
    Line::from_arg_matches(&matches).unwrap().config.read().unwrap()
}

// The pool of a server needs a runtime, though it connects to nothing.
#[tokio::test]
async fn no_secret_is_in_the_debug_form_of_what_is_configured() {
    const URL: &str = "postgres://me:marked@db.test/tracks";
    const PROXY: &str = "--https-proxy=http://me:marked@proxy.test:1";
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, APP_KEY).unwrap();
    let key = format!("--github-app-key-file={}", key.display());
    let database = format!("--database={URL}");
    let mut all = Vec::new();
    for flags in [&["--github-token=marked"][..], &["--github-app-id=7", &key]] {
        let config = configured(&[flags, &[&database, PROXY]].concat());
        let access = &config.settings.github;
        let credentials = (access.credentials)().unwrap();
        all.extend([Of(&config).shown(), Of(&config.settings).shown(), Of(access).shown()]);
        all.extend([Of(&config.store).shown(), Of(&config.database).shown()]);
        all.extend([Of(&access.network).shown(), Of(&credentials).shown()]);
        if let Credentials::App(app) = &credentials {
            all.extend([Of(app).shown(), Of(&app.key).shown()]);
        }
    }
    let text = || Text::Given(SecretString::from(URL));
    all.push(Of(Address { password: Some(text()), ..Address::at(text()) }).shown());
    for wrong in WRONG {
        let error = Postgres::at(Address::at(Text::Given(SecretString::from(wrong)))).unwrap_err();
        all.extend([Of(&error).shown(), error.to_string()]);
    }
    let all = all.concat();
    assert!(all.contains("tracks at db.test") && all.contains("REDACTED"), "{all}");
    let key = APP_KEY.lines().nth(1).unwrap();
    assert!(!all.contains("marked") && !all.contains(key), "{all}");
}

/// Each argument in which there may be a secret is in no debug form, and its variable in no help.
#[tokio::test]
async fn no_secret_is_in_the_debug_form_of_arguments_or_in_the_help() {
    const SECRET: &str = "http://me:marked@host.test:1";
    let command = Cli::command();
    let mut count = 0;
    for words in [&["controller"][..], &["local"], &["doctor"], &["query", "SELECT 1"]] {
        let mut help = Command::new(&[words[0], "--help"]);
        for arg in command.find_subcommand(words[0]).unwrap().get_arguments() {
            let Some(name) = arg.get_long() else { continue };
            if !arg.is_hide_env_values_set() && !name.starts_with("lower-http") {
                continue;
            }
            let flag = format!("--{name}={SECRET}");
            let line = [&["singletrack"], words, &[flag.as_str()]].concat();
            let shown = format!("{:?}", Cli::try_parse_from(line).unwrap());
            assert!(!shown.contains("marked"), "{flag}: {shown}");
            help = help.env(arg.get_env().unwrap().to_str().unwrap(), SECRET);
            count += 1;
        }
        let help = help.said().await.with(0, &["Usage:"]);
        assert!(!help.out.contains("marked"), "{}", help.out);
    }
    // Token, four proxies and two databases; a question goes to a database only.
    assert_eq!(count, 3 * 7 + 2);
}
