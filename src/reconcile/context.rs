//! What every pass and the track share.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use kube::runtime::reflector::{self, ObjectRef};
use kube::{Api, Client};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Queue;
use crate::api::{Reason, SyncRequest};
use crate::github::{self, Access, Source};
use crate::process::clock::Clock;
use crate::process::serve::Health;
use crate::report::Report;
use crate::store::{self, Retention, Store};
use crate::sync::{Discovery, ReadLimits, Rules, Tracked};

/// What the configuration says about runs.
pub struct Settings {
    pub tracked: Tracked,
    pub rules: Rules,
    pub github: Access,
    pub parallel: usize,
    pub retention: Retention,
    pub limits: ReadLimits,
    pub discovery: Arc<Discovery>,
    /// The pause before the second attempt of a request.
    pub retry_after: Duration,
    /// A run that makes no progress for so long is ended.
    pub stall_after: Duration,
}

/// Shared by all passes and the track of one process.
pub struct Context {
    pub client: Client,
    /// For watches, which may be silent for longer than a call.
    pub watcher: Client,
    pub store: Arc<dyn Store>,
    pub settings: Settings,
    /// The Lease as namespace and name.
    pub lease: (String, String),
    pub clock: Clock,
    pub health: Health,
    pub report: Report,
    pub first_sight: tokio::sync::Mutex<()>,
    /// The process was told to stop some time ago: what has no answer yet is given up.
    pub closing: CancellationToken,
    /// Why the store cannot be used, until it is prepared.
    store_trouble: Mutex<Option<(Reason, String)>>,
    store_is_lost: Notify,
    store_works: Notify,
    requests_shown: OnceLock<reflector::Store<SyncRequest>>,
    queue: Mutex<Queue>,
    live: Mutex<Option<Live>>,
    head_changed: Notify,
}

/// The run that goes on in this process.
#[derive(Clone, Debug)]
pub struct Live {
    pub uid: String,
    pub stop: CancellationToken,
    why: Arc<Mutex<Option<Stop>>>,
}

/// Why a run is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Cancelled,
    Deleted,
    Suspended,
    /// Its deadline has passed.
    Deadline,
    /// It has made no progress for too long.
    Stalled,
    Shutdown,
}

impl Live {
    pub fn new(uid: &str) -> Self {
        Self { uid: uid.to_owned(), stop: CancellationToken::new(), why: Arc::default() }
    }

    /// Tells the run to stop. The first reason counts.
    pub fn stop(&self, why: Stop) {
        locked(&self.why).get_or_insert(why);
        self.stop.cancel();
    }

    pub fn why(&self) -> Option<Stop> {
        *locked(&self.why)
    }
}

impl Context {
    pub fn new(
        (client, watcher): (Client, Client),
        store: Arc<dyn Store>,
        settings: Settings,
        lease: (String, String),
        (health, report, clock): (Health, Report, Clock),
    ) -> Self {
        Self {
            client,
            watcher,
            store,
            settings,
            lease,
            clock,
            health,
            report,
            first_sight: tokio::sync::Mutex::default(),
            closing: CancellationToken::new(),
            store_trouble: Mutex::new(Some((
                Reason::StoreUnavailable,
                "the database is not ready yet".to_owned(),
            ))),
            store_is_lost: Notify::new(),
            store_works: Notify::new(),
            requests_shown: OnceLock::new(),
            queue: Mutex::default(),
            live: Mutex::default(),
            head_changed: Notify::new(),
        }
    }

    /// The store has its tables and is ours: runs may start, and a waiting head is tried at once.
    pub fn store_is_prepared(&self) {
        *locked(&self.store_trouble) = None;
        self.health.well("store");
        self.store_works.notify_one();
    }

    /// Returns when the store has been prepared.
    pub async fn store_works(&self) {
        self.store_works.notified().await;
    }

    /// A call of the store has failed: it is prepared again, which shows when it works.
    pub fn store_ails(&self, error: &store::Error) {
        self.store_is_unprepared(error);
        self.store_is_lost.notify_one();
    }

    /// The store could not be prepared.
    pub fn store_is_unprepared(&self, error: &store::Error) {
        let (reason, why) = (store_reason(error), error.told());
        self.health.ail("store", &format!("{}: {why}", reason.as_str()));
        let is_barred = matches!(error, store::Error::InUse { .. } | store::Error::Outdated { .. });
        let mut trouble = locked(&self.store_trouble);
        if is_barred || trouble.is_some() {
            *trouble = Some((reason, why));
        }
    }

    /// Why no run may start on the store, if that is so.
    pub fn store_trouble(&self) -> Option<(Reason, String)> {
        locked(&self.store_trouble).clone()
    }

    /// Returns when a call of the store has failed.
    pub async fn store_is_lost(&self) {
        self.store_is_lost.notified().await;
    }

    /// Lets the requests be read as the watch has shown them.
    pub fn show_requests(&self, reader: reflector::Store<SyncRequest>) {
        self.requests_shown.get_or_init(|| reader);
    }

    /// The request as the watch has shown it last.
    pub fn shown(&self, name: &ObjectRef<SyncRequest>) -> Option<Arc<SyncRequest>> {
        self.requests_shown.get()?.get(name)
    }

    /// The Lease as it stands in a status.
    pub fn lease_name(&self) -> String {
        format!("{}/{}", self.lease.0, self.lease.1)
    }

    pub fn requests(&self, namespace: &str) -> Api<SyncRequest> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A client for GitHub with the credentials as they are now.
    pub fn source(&self) -> Result<Source, github::Error> {
        Source::connect(&self.settings.github, self.clock.clone())
    }

    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        locked(&self.queue)
    }

    /// Changes the queue, and wakes the track when the head is another afterwards.
    pub fn change_queue<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queue();
        let before = queue.head();
        let done = change(&mut queue);
        let head = queue.head();
        let (waiting, running) = (queue.len(), queue.running().is_some());
        drop(queue);
        self.report.queue(waiting, running);
        if head != before {
            self.head_changed.notify_one();
        }
        done
    }

    /// Returns when the head of the queue may have changed.
    pub async fn head_changed(&self) {
        self.head_changed.notified().await;
    }

    pub fn live(&self) -> Option<Live> {
        locked(&self.live).clone()
    }

    pub fn set_live(&self, live: Option<Live>) {
        *locked(&self.live) = live;
    }
}

/// The reason of a request that waits because of the error.
pub(super) fn store_reason(error: &store::Error) -> Reason {
    match error {
        store::Error::InUse { .. } => Reason::StoreInUse,
        _ => Reason::StoreUnavailable,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
