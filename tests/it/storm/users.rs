//! People who ask for runs all the time, change their minds, and work at GitHub.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use singletrack::api::{ConcurrencyPolicy, RunType, SyncRequest, SyncRequestSpec};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::board::{Board, unfinished};
use crate::stand_in::World;
use crate::support::{Namespace, Random};

/// The pause after an answer that settles nothing.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// They work until they are told to stop.
pub(super) struct Users {
    stop: CancellationToken,
    created: Arc<AtomicUsize>,
    working: JoinHandle<()>,
}

impl Users {
    /// `load`: how many requests wait at most. `change` is done to the world now and then.
    pub(super) fn start(
        space: &Namespace,
        board: &Board,
        load: usize,
        mut random: Random,
        change: impl Fn(usize) + Send + 'static,
    ) -> Self {
        let (stop, created) = (CancellationToken::new(), Arc::<AtomicUsize>::default());
        let (space, mut seen) = (space.clone(), board.seen());
        let (stopped, count) = (stop.clone(), Arc::clone(&created));
        let working = tokio::spawn(async move {
            let mut suspended = Vec::new();
            for number in 0.. {
                tokio::select! {
                    () = stopped.cancelled() => break,
                    seen = seen.wait_for(|shown| unfinished(shown) < load) => drop(seen),
                }
                let name = format!("r{number}");
                let spec = spec(&mut random);
                let is_suspended = spec.suspend;
                let request = SyncRequest::new(&name, spec);
                if is_suspended {
                    suspended.push(name.clone());
                }
                // The API server may be away, or have done it without an answer.
                match space.requests().create(&PostParams::default(), &request).await {
                    Ok(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                    Err(_) => continue,
                }
                if suspended.len() > 1 {
                    say(&space, &suspended.remove(0), json!({"suspend": false})).await;
                }
                if random.percent(4) {
                    say(&space, &name, json!({"cancel": true})).await;
                }
                if random.percent(30) {
                    change(number);
                }
                // Its own creation is seen before the next one is thought of.
                let there = seen.wait_for(|shown| shown.contains_key(&name));
                let _ = tokio::time::timeout(Duration::from_secs(2), there).await;
            }
            for name in suspended {
                while !say(&space, &name, json!({"suspend": false})).await {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        });
        Self { stop, created, working }
    }

    /// Nobody asks for anything any more. Gives how many requests there were.
    pub(super) async fn end(self) -> usize {
        self.stop.cancel();
        self.working.await.expect("the users have not failed");
        self.created.load(Ordering::Relaxed)
    }
}

/// Changes the spec. Whether that is settled, also because the request is gone.
pub(super) async fn say(space: &Namespace, name: &str, spec: serde_json::Value) -> bool {
    let patch = Patch::Merge(json!({ "spec": spec }));
    let changed = space.requests().patch(name, &PatchParams::default(), &patch).await;
    match changed {
        Ok(_) => true,
        Err(kube::Error::Api(status)) => status.code < 500 && status.code != 429,
        Err(_) => false,
    }
}

fn spec(random: &mut Random) -> SyncRequestSpec {
    let type_ =
        random.pick(&[RunType::Manual, RunType::Manual, RunType::Scheduled, RunType::Automation]);
    SyncRequestSpec {
        automation: type_ == RunType::Scheduled && random.percent(30),
        concurrency_policy: random.pick(&[
            ConcurrencyPolicy::Queue,
            ConcurrencyPolicy::Queue,
            ConcurrencyPolicy::Coalesce,
            ConcurrencyPolicy::Coalesce,
            ConcurrencyPolicy::Reject,
        ]),
        priority: random.pick(&[0, 0, 0, 5, -5]),
        suspend: random.percent(5),
        dry_run: random.percent(3),
        full: random.percent(10),
        ttl_seconds_after_finished: random.percent(20).then_some(0),
        ..SyncRequestSpec::of(type_)
    }
}

/// Somebody works at GitHub.
pub(super) fn work(world: &mut World, number: usize) {
    let repository = world.repository_mut("acme/widgets-0");
    let numbers: Vec<u64> = repository.issues().map(|issue| issue.number).collect();
    let Some(chosen) = numbers.get(number % numbers.len().max(1)).copied() else { return };
    match number % 3 {
        0 => drop(repository.open_issue(repository.next_number(), &format!("new {number}"))),
        _ => drop(repository.edit_issue(chosen, |it| it.title = format!("edited {number}"))),
    }
}
