//! The cases: small hostile inputs, each with its right answer, run one by one.
//!
//! The folder is `tests/cases`, or that of `SINGLETRACK_CASES`. What is expected is in the files.

mod case;
mod check;
mod script;

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use singletrack::api::RepoPattern;
use singletrack::github::{Access, BaseUrl, Network, Source};
use singletrack::lease::{RunNumber, Tenure};
use singletrack::process::clock::Clock;
use singletrack::store::{Database, Retention, Sqlite, Store};
use singletrack::sync::{
    Broken, Conclusion, Parts, ReadLimits, Rules, RulesConfig, Run, Tracked, conclude, run,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use case::Case;
use check::Seen;
use script::Script;

use crate::support::database;

#[tokio::test]
async fn cases() {
    all_pass("sqlite", async || {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Database::Sqlite(Sqlite::at(&folder.path().join("store.db")));
        (store, Box::new(folder) as Box<dyn Any>)
    })
    .await;
}

#[tokio::test]
async fn cases_on_postgres() {
    all_pass("postgres", async || {
        let database = database().await;
        (Database::Postgres(database.store()), Box::new(database) as Box<dyn Any>)
    })
    .await;
}

/// Plays each case on a store of its own, which lives as long as what `make` gives beside it.
async fn all_pass(what: &str, make: impl AsyncFn() -> (Database, Box<dyn Any>)) {
    let folder = std::env::var_os("SINGLETRACK_CASES").map(PathBuf::from);
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let cases = case::read(&folder.unwrap_or_else(default));
    assert!(!cases.is_empty(), "the folder holds no case");
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases {
        let (store, _place) = make().await;
        match Box::pin(play(&case, &store)).await {
            problems if problems.is_empty() => {
                println!("passed {}", case.name);
                passed += 1;
            }
            problems => {
                println!("FAILED {}: {}", case.name, problems.join("; "));
                failed.push(case.name);
            }
        }
        store.close().await;
    }
    println!("cases on {what}: {passed} passed, {} failed", failed.len());
    assert!(failed.is_empty(), "{failed:?}");
}

/// The time at which the clock of each case starts.
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("a time")
}

/// Plays one case on an empty store, and gives what was not as expected.
async fn play(case: &Case, store: &Database) -> Vec<String> {
    let script = Script::start(case).await;
    store.prepare("cases").await.expect("a store");
    case.before.fill(store, &script.base_url()).await;
    let clock = Clock::starting_at(start());
    let cursor = since(store, &script).await;
    let (conclusion, records) = attempt(case, &script, store, &clock).await;
    let seen = Seen {
        conclusion,
        records,
        requests: script.requests(),
        minted: script.minted(),
        waited: (clock.now() - start()).num_seconds(),
        cursor_moved: since(store, &script).await != cursor,
        store: store.clone(),
    };
    check::check(case, &seen).await
}

/// The cursor of closed issues.
async fn since(store: &Database, script: &Script) -> Option<DateTime<Utc>> {
    let cursor = store.cursor(1001, "issues.closed", &script.base_url()).await;
    cursor.expect("a cursor").since
}

async fn attempt(
    case: &Case,
    script: &Script,
    store: &Database,
    clock: &Clock,
) -> (Conclusion, Vec<singletrack::store::RepositoryRecord>) {
    let number = store.ticket(RunNumber(0)).await.expect("a ticket");
    let tenure = Tenure::without_cluster(number, "cases", "nonce");
    let new = case::new_run(case.run_type.as_str(), &case.name);
    store.activate(&tenure, &new).await.expect("active");
    let base = BaseUrl::parse(&script.base_url(), false).expect("a base URL");
    let include: Vec<_> = case.tracked().into_iter().map(RepoPattern::One).collect();
    let tracked = Tracked::new(&include, &[]);
    let credentials = case.credentials();
    let access = Access {
        base,
        credentials: Arc::new(move || Ok(credentials.clone())),
        network: Network::default(),
        quota_floor: singletrack::github::DEFAULT_FLOOR,
    };
    let source = Source::connect(&access, clock.clone()).expect("a source");
    let it = Run {
        store: Arc::new(store.clone()),
        source,
        tenure,
        request: case.name.clone(),
        rules: Rules::from(RulesConfig::default()),
        wanted: tracked.resolve(None).expect("all"),
        tracked,
        discovery: Arc::default(),
        retention: Retention::default(),
        parallel: 4,
        full: false,
        dry: false,
        parts: Parts::of(case.run_type, false),
        limits: ReadLimits::default(),
        clock: clock.clone(),
        stop: CancellationToken::new(),
        progress: watch::Sender::default(),
    };
    match run(&it).await {
        Ok(achieved) => (conclude(&achieved, it.source.usage()), achieved.records),
        Err(Broken::Unauthorized(error)) => {
            let reason = singletrack::api::Reason::Unauthorized;
            let usage = it.source.usage();
            (Conclusion::failed(reason, &error.to_string(), usage), Vec::new())
        }
        Err(other) => panic!("{}: {other:?}", case.name),
    }
}
