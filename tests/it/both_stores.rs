//! The two stores after the same history: item for item the same rows.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use singletrack::api::RunType;
use singletrack::process::clock::Clock;
use singletrack::store::{Database, Retention, Sqlite, Store};
use singletrack::sync::{Parts, ReadLimits, RulesConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::stand_in::{Fault, Feature, Matcher, Sizes, StandIn, World};
use crate::support::{Attempt, Dump, PgDatabase, TOKEN, database, dump};

/// A store of each kind, used in the same way.
pub(crate) struct Both {
    _folder: TempDir,
    _database: PgDatabase,
    pub(crate) stores: [Database; 2],
}

impl Both {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = database().await;
        let sqlite = Database::Sqlite(Sqlite::at(&folder.path().join("store.db")));
        let stores = [sqlite, Database::Postgres(database.store())];
        for store in &stores {
            store.prepare("test").await.unwrap();
        }
        Self { _folder: folder, _database: database, stores }
    }

    /// Makes the same run on each, and compares what both hold then.
    pub(crate) async fn run(&self, what: &str, attempt: impl Fn() -> Attempt) -> Dump {
        for store in &self.stores {
            // A run that is stopped leaves in both what it leaves.
            let _ = attempt().try_run(store).await;
        }
        let [one, other] = [compared(&self.stores[0]).await, compared(&self.stores[1]).await];
        for (table, rows) in &one {
            assert_eq!(rows, &other[table], "{table} differs after {what}");
        }
        assert_eq!(one.len(), other.len(), "after {what}");
        one
    }

    pub(crate) async fn close(self) {
        for store in &self.stores {
            store.close().await;
        }
    }
}

/// All rows, without what is of the moment or of the database itself.
async fn compared(store: &Database) -> Dump {
    // When a row was written is the database's; what is left of the quota is GitHub's.
    const OF_THE_MOMENT: [&str; 3] = ["stored_at=", "api_remaining=", "migrated_at="];
    let mut all = dump(store).await;
    // Its versions count the migrations of each.
    all.remove("schema_info");
    for rows in all.values_mut() {
        for row in rows.iter_mut() {
            row.retain(|cell| !OF_THE_MOMENT.iter().any(|name| cell.starts_with(name)));
        }
        rows.sort();
    }
    all
}

const REPOSITORY: &str = "acme/widgets-0";

/// A time at which GitHub and the operator stand still.
pub(crate) fn start_of_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

struct History {
    github: StandIn,
    both: Both,
    now: DateTime<Utc>,
}

impl History {
    /// A run of everything, an hour after the one before.
    async fn goes_on(&mut self, what: &str, otherwise: impl Fn(Attempt) -> Attempt) -> Dump {
        self.now += TimeDelta::hours(1);
        self.github.world(|world| world.set_now(Some(self.now)));
        let attempt = || {
            let clock = Clock::starting_at(self.now);
            let parts = Parts::of(RunType::Scheduled, true);
            otherwise(Attempt { clock, parts, ..Attempt::over(&self.github) })
        };
        self.both.run(what, attempt).await
    }
}

#[tokio::test]
async fn both_stores_hold_the_same_rows_after_the_same_history() {
    let sizes = Sizes { runs: 120, ..Sizes::default() };
    let mut world = World::generate_with(11, 2, 150, sizes);
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(start_of_time()));
    let github = StandIn::start(world).await;
    let both = Both::new().await;
    let mut it = History { github, both, now: start_of_time() };
    let same = |attempt| attempt;

    let limits = ReadLimits { workflow_runs: 50, releases: 2, pull_requests: None };
    it.goes_on("a first run", |attempt| Attempt { limits, ..attempt }).await;
    it.goes_on("the same again", same).await;
    change(&it.github);
    let dry = it.goes_on("a dry run", |attempt| Attempt { dry: true, ..attempt }).await;
    let after = it.goes_on("changes", same).await;
    assert_ne!(dry["issues"], after["issues"]);
    it.github.inject(
        Matcher::any().path_contains("/issues").with("page", "2"),
        0,
        None,
        Fault::message(StatusCode::FORBIDDEN, "Resource not accessible"),
    );
    it.github.inject(
        Matcher::any().path_contains("/releases"),
        0,
        None,
        // One that is not asked again after a pause of its own.
        Fault::message(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed"),
    );
    it.goes_on("failures", |attempt| Attempt { full: true, ..attempt }).await;
    it.github.clear_faults();
    it.goes_on("what was cut short", same).await;
    let rules = RulesConfig { closed_status: "status/finished".into(), ..RulesConfig::default() };
    it.goes_on("other rules", |attempt| Attempt { rules: rules.clone(), ..attempt }).await;
    let stopped = CancellationToken::new();
    stopped.cancel();
    it.goes_on("a stop", |attempt| Attempt { stop: stopped.clone(), ..attempt }).await;
    let keep = Some(Duration::from_secs(2 * 3600));
    let retention =
        Retention { sync_runs: keep, workflow_runs: keep, removed: keep, ..Retention::default() };
    let pruned = it.goes_on("retention", |attempt| Attempt { retention, ..attempt }).await;
    assert!(pruned["workflow_runs"].len() < after["workflow_runs"].len());
    it.github.world(|world| world.rename_repository(REPOSITORY, "acme/gadgets"));
    it.goes_on("a new name", |attempt| attempt.tracking(&["acme/gadgets"])).await;
    it.both.close().await;
}

/// Something of each kind.
fn change(github: &StandIn) {
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let open = |repository: &crate::stand_in::Repository| {
            let mut issues = repository.issues().filter(|issue| !issue.is_pull_request());
            issues.find(|issue| issue.state.as_str() == "open").unwrap().number
        };
        let deleted = open(repository);
        repository.delete_issue(deleted);
        let closed = open(repository);
        repository.close_issue(closed);
        let edited = open(repository);
        repository.edit_issue(edited, |issue| {
            issue.title = "with a \u{0} and \u{1f980}, 'quotes' and \"others\"".to_owned();
            issue.body = Some("{\"looks\": \"like JSON\"}\r\n[1, 2]".to_owned());
        });
        let number = repository.next_number();
        repository.open_issue(number, "a new one");
        let workflow = repository.workflows().next().unwrap().id;
        let run = repository.start_run(workflow);
        repository.finish_run(run, "failure");
        repository.rerun(run);
        let pull = repository.open_pull_request("a change");
        repository.merge_pull_request(pull);
        let release = repository.releases().next().unwrap().id;
        repository.delete_release(release);
        repository.push_commit("something new");
        let moved = open(repository);
        world.transfer_issue(REPOSITORY, moved, "acme/widgets-1");
        world.publish_version("acme", "npm", "new", "1.0.0");
        world.repository_mut("acme/widgets-1").refuse(Feature::Contents);
    });
}
