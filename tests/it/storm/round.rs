//! One round: a storm, the calm after it, and what is checked then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use singletrack::api::{Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::store::{Database, Sqlite};
use tokio::time::Instant;

use super::board::unfinished;
use super::fleet::{Fleet, TIMES, Words};
use super::kind::{Base, Kind};
use super::tally::Tally;
use super::users::{Users, work};
use crate::history::{Floor, History, Kept, Recorder, Rule};
use crate::requests::holder;
use crate::support::{Command, Random, TOKEN, awaited, data, dump, poll};

/// When the storm is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    At(Instant),
    /// After so many faults.
    After(usize),
}

/// The first faults of a round that is over after a number of them: in each of them a holder is
/// replaced.
const FIRST: [Kind; 3] = [Kind::HolderKilled, Kind::HolderPaused, Kind::HolderCutOff];

pub(super) struct Round {
    pub(super) base: Base,
    pub(super) seed: u64,
    /// Whether no other test uses the control plane.
    pub(super) alone: bool,
}

impl Round {
    /// Plays it. What has happened is in `tally` also when it fails.
    pub(super) async fn play(&self, api: &Client, end: End, tally: &mut Tally) {
        let mut random = Random::new(self.seed);
        // A part of all kinds, so that rounds differ in more than the order.
        let mut kinds = Kind::of(self.base, self.alone);
        while kinds.len() > 14 {
            kinds.remove(random.below(kinds.len()));
        }
        let has_uids = random.percent(70);
        let load = random.pick(&[3, 8, 20]);
        println!("SEED={} BASE={:?} load {load}, uids {has_uids}, {kinds:?}", self.seed, self.base);
        // Kept when the round shows something.
        let name = format!("storm-{}-{:?}.jsonl", self.seed, self.base);
        let calls = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&calls);
        let mut fleet = Fleet::start(self.base, api, has_uids, &calls).await;
        let recorder = Recorder::start(&fleet.space, &fleet.home).await;
        let github = Arc::clone(&fleet.github);
        let change = move |number| github.world(|world| work(world, number));
        let users = Users::start(&fleet.space, &fleet.board, load, random.clone(), change);
        for number in 0.. {
            let (over, first) = match end {
                End::At(time) => (Instant::now() >= time, None),
                End::After(count) => (number >= count, FIRST.get(number).copied()),
            };
            if over {
                break;
            }
            let kind = first.unwrap_or_else(|| random.pick(&kinds));
            let running = fleet.strike(kind, &mut random).await;
            tally.count(kind, running);
        }
        fleet.calm();
        tally.requests = users.end().await;
        fleet.all_end().await;
        fleet.is_idle().await;
        let history = recorder.end(&fleet.home, TIMES).await;
        let words = fleet.words();
        count(&history, &words, tally);
        history.check_but(
            Floor { runs: 2, ..Floor::default() },
            // Who saw less than the others could not know whose turn it was.
            tally.faults.keys().any(|kind| kind.makes_views_old()).then_some(Rule::Turns),
        );
        none_is_lost(&fleet, &history, tally.requests);
        check_words(&fleet, &history, &words).await;
        check_data(&fleet).await;
        fleet.end().await;
        std::fs::remove_file(&calls).expect("there were calls");
    }
}

fn count(history: &History, words: &[Words], tally: &mut Tally) {
    tally.runs = history.runs.len();
    tally.interrupted = history.runs.iter().filter(|run| run.state == "interrupted").count();
    tally.takeovers = history.runs.iter().filter(|run| run.takeover.is_some()).count();
    tally.versions = history.kept.len();
    tally.commits = history.accepted.len();
    tally.refused = words.iter().flat_map(refused).collect::<BTreeSet<_>>().len();
}

/// Every request that was created is there, and none was deleted before its end but by somebody.
fn none_is_lost(fleet: &Fleet, history: &History, created: usize) {
    let mut phases: BTreeMap<&str, Phase> = BTreeMap::new();
    let deleted = fleet.deleted.lock().expect("not poisoned");
    for kept in &history.kept {
        match kept {
            Kept::Request(request) => drop(phases.insert(&request.uid, request.phase)),
            Kept::RequestGone(uid) => {
                let ended = phases.get(uid.as_str()).is_some_and(|phase| phase.is_terminal());
                assert!(ended || deleted.contains(uid), "{uid} was deleted before its end");
            }
            _ => {}
        }
    }
    assert!(phases.len() >= created, "{} of {created} requests", phases.len());
}

/// The runs that had a late write refused.
fn refused(words: &Words) -> impl Iterator<Item = i64> {
    let lines = words.log.lines().filter(|line| line.contains("a late write was refused"));
    lines.filter_map(|line| line.split("run.number=").nth(1)?.split(' ').next()?.parse().ok())
}

/// No operator has failed by itself; and each refused write is an Event about the request, unless its
/// operator was killed before it could say so, and its run was interrupted.
async fn check_words(fleet: &Fleet, history: &History, words: &[Words]) {
    for Words { pod, log, .. } in words {
        let faults =
            log.lines().filter(|line| line.contains("panicked") || line.contains("fault of"));
        let faults: Vec<_> = faults.collect();
        assert!(faults.is_empty(), "{pod}: {faults:#?}");
    }
    let events: Api<Event> = Api::namespaced(fleet.space.client.clone(), &fleet.space.name);
    for words in words {
        for number in refused(words) {
            let run = history.runs.iter().find(|run| run.number == number).expect("it is there");
            assert_eq!(run.state, "interrupted", "a late write of run {number} was refused");
            if words.killed {
                continue;
            }
            let named = format!("run {number} ");
            poll(&format!("an Event says that {named}is superseded"), async || {
                let list = events.list(&ListParams::default().fields("reason=Superseded")).await;
                let found = list.ok()?.items.into_iter().find(|event| {
                    let about = event.regarding.as_ref().and_then(|it| it.uid.as_deref());
                    let says = event.note.as_ref().is_some_and(|note| note.contains(&named));
                    about == Some(&run.request) && says
                });
                found.map(drop)
            })
            .await;
        }
    }
}

/// The tables are what a new copy of the same GitHub is.
async fn check_data(fleet: &Fleet) {
    let folder = tempfile::tempdir().expect("a folder");
    for kind in ["manual", "automation"] {
        let url = fleet.github.base_url();
        let args = ["local", "--github-url", &url, "--track", "acme/widgets-0", "--type", kind];
        let copy = Command::about(folder.path(), &args).env("GITHUB_TOKEN", TOKEN);
        copy.said().await.with(0, &[]);
    }
    let fresh = Database::Sqlite(Sqlite::at(&folder.path().join("store.db")));
    let (wanted, found) = (data(dump(&fresh).await), data(dump(&fleet.home.open()).await));
    for (table, rows) in &wanted {
        assert_eq!(found.get(table), Some(rows), "{table} is not what GitHub has");
    }
}

impl Fleet {
    /// The storm is over: all of it works again, and every operator lives.
    fn calm(&mut self) {
        self.clear();
        self.github.clear_faults();
        for at in 0..self.replicas.len() {
            if let Some(status) = self.replicas[at].operator.has_ended() {
                assert!(
                    self.replicas[at].operator.was_killed(),
                    "it has ended by itself: {status}"
                );
                self.start_again(at, true);
            }
        }
    }

    /// All requests end, the last ones well, and the lock is free.
    async fn all_end(&self) {
        let mut seen = self.board.seen();
        let ended = awaited("every request ends", seen.wait_for(|all| unfinished(all) == 0)).await;
        drop(ended);
        for kind in [RunType::Manual, RunType::Automation] {
            let name = format!("last-{}", kind.as_str());
            let spec = SyncRequestSpec { ..SyncRequestSpec::of(kind) };
            self.space.create(&name, spec).await;
            let request = self.space.finished(&name).await;
            assert_eq!(request.phase(), Phase::Succeeded, "{:?}", request.status);
        }
        self.space.lease_when("the lock is free", |lease| holder(lease).is_empty()).await;
    }

    /// Without work, nothing is written: neither the Lease nor any request.
    async fn is_idle(&self) {
        let versions = async || {
            let lease = self.lease().await.and_then(|lease| lease.resource_version());
            let requests = self.space.requests().list(&ListParams::default()).await;
            let requests = requests.expect("the API server of the test answers");
            (lease, requests.items.iter().map(ResourceExt::resource_version).collect::<Vec<_>>())
        };
        // Those whose time is over are deleted first.
        let mut seen = self.board.seen();
        let stays = |it: &SyncRequest| it.spec.ttl_seconds_after_finished.is_none();
        let gone = seen.wait_for(|shown| shown.values().all(stays));
        drop(awaited("what is to be deleted is", gone).await);
        let before = versions().await;
        tokio::time::sleep(TIMES.heartbeat * 4).await;
        assert_eq!(versions().await, before, "something was written without work");
    }

    /// Every operator is well, and ends when it is told to.
    async fn end(mut self) {
        for replica in &mut self.replicas {
            replica.operator.ready().await;
            let ended = replica.operator.terminate().await;
            assert!(ended.success(), "{}: {ended}", replica.pod.name);
        }
    }
}
