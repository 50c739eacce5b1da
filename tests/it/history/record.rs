//! Writes the history down while a test goes on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease as ClusterLease;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use singletrack::api::SyncRequest;
use singletrack::lease::Record;
use singletrack::store::Database;
use tokio::task::JoinHandle;

use super::{Accepted, FORGED, History, Kept, Lease, Request, Run, Times};
use crate::support::{Home, Namespace, poll, rows};

/// The pause after a watch that could not be begun.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Writes down what happens in a namespace and in the store of its operators.
pub(crate) struct Recorder {
    space: Namespace,
    /// Each with its revision of etcd.
    kept: Arc<Mutex<Vec<(u64, Kept)>>>,
    watching: Vec<JoinHandle<()>>,
}

impl Recorder {
    /// Begins. The store must be prepared: its tables get triggers, which the product does not know.
    pub(crate) async fn start(space: &Namespace, home: &Home) -> Self {
        watch_database(home).await;
        let kept = Arc::default();
        let leases = follow(space.leases(), Arc::clone(&kept), lease, |_| Kept::LeaseGone).await;
        let gone = |request: &SyncRequest| Kept::RequestGone(uid(request));
        let requests = follow(space.requests(), Arc::clone(&kept), request, gone).await;
        let watching = vec![tokio::spawn(leases), tokio::spawn(requests)];
        Self { space: space.clone(), kept, watching }
    }

    /// What has happened until all that is there now has been seen.
    pub(crate) async fn end(self, home: &Home, times: Times) -> History {
        let mut versions = Vec::new();
        for request in self.space.requests().list(&ListParams::default()).await.expect("a list") {
            versions.push(revision(&request));
        }
        for lease in self.space.leases().list(&ListParams::default()).await.expect("a list") {
            versions.push(revision(&lease));
        }
        poll("the history has been seen to its end", async || {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            versions.iter().all(|it| kept.iter().any(|(at, _)| at == it)).then_some(())
        })
        .await;
        for watching in &self.watching {
            watching.abort();
        }
        let mut kept =
            std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        kept.sort_by_key(|(revision, _)| *revision);
        let (accepted, runs) = of_database(home).await;
        let kept = kept.into_iter().map(|(_, kept)| kept).collect();
        History { kept, accepted, runs, times: Some(times) }
    }
}

/// Keeps the objects that are there now, and gives what keeps each version that follows.
async fn follow<K>(
    objects: Api<K>,
    kept: Arc<Mutex<Vec<(u64, Kept)>>>,
    there: impl Fn(&K) -> Kept,
    gone: impl Fn(&K) -> Kept,
) -> impl Future<Output = ()>
where
    K: kube::Resource + Clone + std::fmt::Debug + DeserializeOwned,
{
    let keep = move |object: &K, what| {
        let revision = revision(object);
        kept.lock().unwrap_or_else(PoisonError::into_inner).push((revision, what));
        object.resource_version().unwrap_or_default()
    };
    let there_already = objects.list(&ListParams::default()).await.expect("a list");
    let mut last = there_already.metadata.resource_version.clone().unwrap_or_default();
    for object in &there_already.items {
        keep(object, there(object));
    }
    async move {
        loop {
            // The API server ends a watch now and then.
            let Ok(watch) = objects.watch(&WatchParams::default(), &last).await else {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            };
            let mut watch = watch.boxed();
            while let Ok(Some(event)) = watch.try_next().await {
                last = match &event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        keep(object, there(object))
                    }
                    WatchEvent::Deleted(object) => keep(object, gone(object)),
                    WatchEvent::Bookmark(mark) => mark.metadata.resource_version.clone(),
                    WatchEvent::Error(error) => panic!("a version was missed: {error:?}"),
                };
            }
        }
    }
}

fn revision<K: kube::Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|it| it.parse().ok()).expect("it has a number")
}

fn uid(request: &SyncRequest) -> String {
    request.uid().expect("it has one")
}

fn lease(lease: &ClusterLease) -> Kept {
    let record = Record::from(lease);
    Kept::Lease(Lease {
        holder: record.holder.map(|holder| holder.as_str().to_owned()),
        pod_uid: record.pod_uid,
        number: record.number.0,
        request: record.request.map(|(_, _, uid)| uid),
        acquired_at: record.acquired_at,
        renewed_at: record.renewed_at,
    })
}

fn request(request: &SyncRequest) -> Kept {
    let status = request.status.clone().unwrap_or_default();
    let spec = &request.spec;
    let stopped = spec.suspend || spec.cancel || request.metadata.deletion_timestamp.is_some();
    let created = request.creation_timestamp().map(|at| at.0.as_second()).unwrap_or_default();
    Kept::Request(Request {
        uid: uid(request),
        phase: status.phase,
        run: status.run_number,
        order: (
            -i64::from(spec.priority),
            created,
            status.queue_ticket.and_then(|it| it.parse().ok()).unwrap_or(u64::MAX),
            request.namespace().unwrap_or_default(),
            request.name_any(),
        ),
        ready: !stopped && status.next_attempt_at.is_none(),
        barred: stopped || status.phase.is_terminal(),
        forged: status.reason.as_deref() == Some(FORGED),
    })
}

/// Tables whose rows name the run that has written them.
const TABLES: [&str; 4] = ["repositories", "issues", "workflow_runs", "releases"];

/// Has the database write down what it accepts, in the same transaction.
async fn watch_database(home: &Home) {
    match home.open() {
        Database::Sqlite(_) => {
            home.execute(
                "CREATE TABLE _history (at INTEGER PRIMARY KEY, what TEXT, run INTEGER, holder TEXT)",
            )
            .await;
            let trigger = |name: &str, when: &str, values: &str| {
                format!(
                    "CREATE TRIGGER _{name} AFTER {when} BEGIN INSERT INTO _history \
                     (what, run, holder) VALUES ({values}); END"
                )
            };
            let fence = "UPDATE ON sync_fence WHEN NEW.active <> OLD.active \
                         OR NEW.holder <> OLD.holder";
            home.execute(&trigger("fence", fence, "'fence', NEW.active, NEW.holder")).await;
            for table in TABLES {
                let values = format!("'{table}', NEW.stored_by, ''");
                let made = format!("INSERT ON {table}");
                home.execute(&trigger(&format!("{table}_made"), &made, &values)).await;
                let changed = format!("UPDATE ON {table} WHEN NEW.stored_by <> OLD.stored_by");
                home.execute(&trigger(&format!("{table}_changed"), &changed, &values)).await;
            }
        }
        Database::Postgres(_) => {
            home.execute(
                "CREATE TABLE _history (at bigserial PRIMARY KEY, what text, run bigint, holder text)",
            )
            .await;
            let function = |name: &str, values: &str| {
                format!(
                    "CREATE FUNCTION _note_{name}() RETURNS trigger LANGUAGE plpgsql SECURITY \
                     DEFINER SET search_path FROM CURRENT AS $$ BEGIN INSERT INTO _history \
                     (what, run, holder) VALUES ({values}); RETURN NULL; END $$"
                )
            };
            home.execute(&function("fence", "'fence', NEW.active, NEW.holder")).await;
            home.execute(&function("row", "TG_TABLE_NAME, NEW.stored_by, ''")).await;
            let trigger = |on: &str, what: &str, table: &str, when: &str| {
                format!(
                    "CREATE TRIGGER _{what}_{on} AFTER {on} ON {table} FOR EACH ROW {when} \
                     EXECUTE FUNCTION _note_{what}()"
                )
            };
            let fence = "WHEN (NEW.active <> OLD.active OR NEW.holder <> OLD.holder)";
            home.execute(&trigger("UPDATE", "fence", "sync_fence", fence)).await;
            for table in TABLES {
                let changed = "WHEN (NEW.stored_by <> OLD.stored_by)";
                home.execute(&trigger("INSERT", "row", table, "")).await;
                home.execute(&trigger("UPDATE", "row", table, changed)).await;
            }
        }
    }
}

async fn of_database(home: &Home) -> (Vec<Accepted>, Vec<Run>) {
    let database = home.open();
    let mut lines: Vec<(i64, Accepted)> =
        rows(&database, "SELECT at, what, run, holder FROM _history")
            .await
            .into_iter()
            .map(|row| {
                let number = |at: usize| row[at].parse().expect("a number");
                let (run, what) = (number(2), row[1].clone());
                let accepted = match what.as_str() {
                    "fence" => Accepted::Activated { run, holder: row[3].clone() },
                    _ => Accepted::Row { run, table: what },
                };
                (number(0), accepted)
            })
            .collect();
    lines.sort_by_key(|(at, _)| *at);
    let runs = "SELECT run_number, status, request_uid, takeover_reason FROM sync_runs";
    let mut runs: Vec<Run> = rows(&database, runs)
        .await
        .into_iter()
        .map(|row| Run {
            number: row[0].parse().expect("a number"),
            state: row[1].clone(),
            request: row[2].clone(),
            takeover: Some(row[3].clone()).filter(|reason| !reason.is_empty()),
        })
        .collect();
    runs.sort_by_key(|run| run.number);
    database.close().await;
    (lines.into_iter().map(|(_, line)| line).collect(), runs)
}
