//! Three operators on one PostgreSQL, through everything that happens to operators and databases.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use kube::api::ListParams;
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::store::{Database, RunRecord, RunState};

use crate::history::{Floor, Recorder, Times};
use crate::postgres::begun;
use crate::requests::{github, holder};
use crate::stand_in::{Gate, Matcher, StandIn};
use crate::support::{
    Home, Namespace, Operator, PgDatabase, Pod, Server, awaited, operator, poll, rows,
};

const TIMES: Times =
    Times { stale_after: Duration::from_secs(6), heartbeat: Duration::from_millis(700) };
const PODS: [&str; 3] = ["one", "two", "three"];
const REQUESTS: usize = 200;
/// How many requests come at once.
const WAVE: usize = 20;

struct Fleet {
    // First, so that they are dropped before the folder of their logs.
    operators: Vec<Operator>,
    space: Namespace,
    github: StandIn,
    home: Home,
    server: Server,
    /// How many requests there are.
    created: usize,
}

impl Fleet {
    async fn start() -> Self {
        let server = Server::start().await;
        let mut fleet = Self {
            space: Namespace::new("replicas").await,
            github: github(1, 5).await,
            home: Home::on(&server).await,
            server,
            operators: Vec::new(),
            created: 0,
        };
        fleet.operators = (0..PODS.len()).map(|at| fleet.replica(at)).collect();
        for replica in &fleet.operators {
            replica.ready().await;
        }
        fleet
    }

    fn replica(&self, at: usize) -> Operator {
        self.home
            .keep(operator(&self.space, &self.github, self.home.folder()))
            .pod(&Pod::named(PODS[at]))
            .times(TIMES.stale_after, TIMES.heartbeat)
            .env("SINGLETRACK_RETRY_AFTER", "200ms")
            .start()
    }

    fn database(&self) -> &PgDatabase {
        self.home.database().unwrap()
    }

    /// Creates some requests of all kinds, at once.
    async fn wave(&mut self) {
        let numbers = self.created..self.created + WAVE;
        self.created = numbers.end;
        let space = &self.space;
        let create = async |n: usize| space.create(&format!("r{n}"), spec(n)).await;
        join_all(numbers.map(create)).await;
    }

    /// Holds the next run, which asks for its repository first. Gives the request that runs.
    async fn hold(&self) -> (Gate, String) {
        let gate = self.github.hold(Matcher::get("/repos/acme/widgets-0"));
        awaited("a run is held", gate.arrived()).await;
        let running = ListParams::default().fields("status.phase=Running");
        let name = poll("one runs", async || {
            let found = self.space.requests().list(&running).await.unwrap();
            found.items.first().map(ResourceExt::name_any)
        })
        .await;
        (gate, name)
    }

    /// Which of the operators has the lock.
    async fn holding(&self) -> usize {
        let lease = self.space.lease_when("it is held", |lease| !holder(lease).is_empty()).await;
        let pod = holder(&lease).split('_').next().unwrap().to_owned();
        PODS.iter().position(|name| *name == pod).unwrap()
    }

    /// The server crashes in the middle of a write of the run.
    async fn crash(&self) {
        let (gate, running) = self.hold().await;
        let _other = begun(self.database().url(), "SELECT * FROM sync_runs FOR UPDATE").await;
        gate.open();
        // Others may wait for what the run has locked.
        let of_the_run = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                          AND wait_event_type = 'Lock' AND query LIKE 'UPDATE sync_runs%'";
        let reader = Database::Postgres(self.database().store());
        let waits = async || (!rows(&reader, of_the_run).await.is_empty()).then_some(());
        poll("the run's write waits", waits).await;
        self.server.crash();
        self.server.start_again();
        self.space.event(&running, "StoreUnavailable").await;
    }

    /// The server is read-only from the middle of a run on, for a while.
    async fn stop_writes(&self) {
        let (gate, running) = self.hold().await;
        self.database().set_read_only(true).await;
        gate.open();
        let goes_back = |request: &SyncRequest| {
            let status = request.status.as_ref();
            status.is_some_and(|status| status.reason.as_deref() == Some("StoreUnavailable"))
        };
        self.space.request_when(&running, "waits for the store", goes_back).await;
        self.database().set_read_only(false).await;
    }

    /// Each operator is replaced in turn, in the middle of runs.
    async fn restart_in_turn(&mut self) {
        for at in 0..PODS.len() {
            let (gate, _) = self.hold().await;
            assert!(self.operators[at].terminate().await.success());
            self.operators[at] = self.replica(at);
            self.operators[at].ready().await;
            gate.open();
        }
    }

    /// The operator that runs a request is killed, and comes back later.
    async fn kill_the_holder(&mut self) {
        let (gate, running) = self.hold().await;
        let at = self.holding().await;
        self.operators[at].kill();
        gate.open();
        self.space.event(&running, "Interrupted").await;
        self.operators[at] = self.replica(at);
    }

    /// All requests, once they have ended.
    async fn finished(&self) -> Vec<SyncRequest> {
        for n in 0..self.created {
            self.space.finished(&format!("r{n}")).await;
        }
        self.space.requests().list(&ListParams::default()).await.unwrap().items
    }
}

/// All types and two policies, mixed.
fn spec(n: usize) -> SyncRequestSpec {
    let (type_, automation) = match n % 4 {
        0 | 1 => (RunType::Manual, false),
        2 => (RunType::Scheduled, n % 8 == 2),
        _ => (RunType::Automation, false),
    };
    let concurrency_policy = match n % 3 {
        0 => ConcurrencyPolicy::Queue,
        _ => ConcurrencyPolicy::Coalesce,
    };
    SyncRequestSpec { automation, concurrency_policy, ..SyncRequestSpec::of(type_) }
}

#[tokio::test]
async fn two_hundred_requests_run_one_at_a_time_and_once_whatever_happens_to_operators_and_store() {
    let mut fleet = Fleet::start().await;
    let recorder = Recorder::start(&fleet.space, &fleet.home).await;
    for trouble in 0..REQUESTS / WAVE {
        fleet.wave().await;
        match trouble {
            0 | 4 | 7 => fleet.crash().await,
            1 | 5 | 8 => fleet.stop_writes().await,
            2 | 9 => fleet.restart_in_turn().await,
            // Whatever goes on at that moment.
            3 => {
                fleet.database().set_read_only(true).await;
                fleet.server.crash();
                fleet.server.start_again();
                fleet.database().set_read_only(false).await;
            }
            _ => fleet.kill_the_holder().await,
        }
    }
    let requests = fleet.finished().await;
    assert_eq!(requests.len(), REQUESTS, "none is lost");
    let runs = fleet.home.history().await;
    one_at_a_time(&runs);
    each_once(&requests, &runs);
    numbers_rise(&requests);
    let count = |state: RunState| runs.iter().filter(|run| run.state == state).count();
    let (done, interrupted) = (count(RunState::Succeeded), count(RunState::Interrupted));
    let pods: BTreeSet<_> = runs.iter().filter_map(|run| run.holder.split('_').next()).collect();
    println!("{done} runs for {REQUESTS} requests, {interrupted} interrupted, by {pods:?}");
    assert_eq!(done + interrupted, runs.len(), "no run failed");
    assert!(interrupted >= 8, "each trouble in the middle of a run interrupts it");
    assert!(pods.len() >= 2);
    let floor = Floor { runs: 60, takeovers: 1, interrupted: 8, rows: 8 };
    recorder.end(&fleet.home, TIMES).await.check(floor);
    // The store is well again for all, also for those that run nothing any more.
    for replica in &fleet.operators {
        replica.ready().await;
    }
}

/// Each run has ended before the next one has started.
fn one_at_a_time(runs: &[RunRecord]) {
    for (earlier, later) in runs.iter().zip(&runs[1..]) {
        assert!(earlier.number < later.number);
        assert!(
            earlier.completed_at.is_some_and(|at| at <= later.started_at),
            "{earlier:?} {later:?}"
        );
    }
}

/// Each request has one run that has ended well: its own, or that of one like it.
fn each_once(requests: &[SyncRequest], runs: &[RunRecord]) {
    let mut ends: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.state == RunState::Succeeded) {
        let answered = run.coalesced.iter().chain(&run.uid);
        for uid in answered {
            ends.entry(uid).or_default().push(run.number.0);
        }
    }
    for request in requests {
        let status = request.status.as_ref().unwrap();
        assert_eq!(status.phase, Phase::Succeeded, "{request:?}");
        let uid = request.metadata.uid.as_deref().unwrap();
        assert_eq!(ends.remove(uid), status.run_number.map(|number| vec![number]), "{request:?}");
    }
    assert!(ends.is_empty(), "{ends:?}");
}

/// Later runs are those with higher numbers, by the statuses as well.
fn numbers_rise(requests: &[SyncRequest]) {
    let statuses = requests.iter().filter_map(|request| request.status.as_ref());
    let mut own: Vec<_> = statuses.filter(|status| status.satisfied_by.is_none()).collect();
    own.sort_by_key(|status| status.run_number);
    for pair in own.windows(2) {
        let [earlier, later] = pair else { unreachable!("windows of two") };
        assert!(earlier.run_number < later.run_number);
        assert!(earlier.completion_time <= later.start_time, "{earlier:?} {later:?}");
    }
}
