//! What happens to the requests, wherever the operator watches.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};

use super::together::Together;
use crate::api::SyncRequest;
use crate::process::serve::Health;
use crate::reconcile::Context;
use crate::store::chain;

/// Where the operator watches.
pub(super) enum Places {
    All,
    /// The first one is its own.
    These(Vec<String>),
}

impl Places {
    /// Its own, and those others.
    pub(super) fn these(own: &str, others: Vec<String>) -> Self {
        let mut these = vec![own.to_owned()];
        for other in others {
            if !these.contains(&other) {
                these.push(other);
            }
        }
        Self::These(these)
    }
}

type Changes = BoxStream<'static, watcher::Result<Event<SyncRequest>>>;

/// The changes of all requests, as one watch would tell of them. `shown` is what has come out.
pub(super) fn changes(ctx: &Context, places: &Places, shown: Store<SyncRequest>) -> Changes {
    let count = if let Places::These(names) = places { names.len() } else { 1 };
    let quiet = Quiet::new(&ctx.health, count);
    let watch = |number: usize, name: Option<&String>| -> Changes {
        let requests: Api<SyncRequest> = match name {
            None => Api::all(ctx.client.clone()),
            Some(name) => Api::namespaced(ctx.client.clone(), name),
        };
        let (quiet, place) = (quiet.clone(), name.cloned());
        let changes = watcher(requests, watcher::Config::default()).default_backoff();
        changes.inspect(move |change| quiet.note(number, place.as_deref(), change)).boxed()
    };
    match places {
        Places::All => watch(0, None),
        Places::These(names) => match names.as_slice() {
            [own] => watch(0, Some(own)),
            names => {
                let watches = names.iter().enumerate();
                let watches = watches.map(|(number, name)| watch(number, Some(name))).collect();
                together(names.to_vec(), watches, shown)
            }
        },
    }
}

fn together(names: Vec<String>, watches: Vec<Changes>, shown: Store<SyncRequest>) -> Changes {
    let mut state = Together::of(watches.len());
    let numbered = watches.into_iter().enumerate();
    let numbered = numbered.map(|(number, watch)| watch.map_ok(move |event| (number, event)));
    stream::select_all(numbered)
        .map_ok(move |(number, event)| {
            let here = || {
                let mut here = shown.state();
                here.retain(|request| request.namespace().as_ref() == Some(&names[number]));
                here
            };
            stream::iter(state.take(number, event, here)).map(Ok)
        })
        .try_flatten()
        .boxed()
}

/// Which watches do not work; clones are the same.
#[derive(Clone)]
struct Quiet {
    health: Health,
    which: Arc<Mutex<BTreeSet<usize>>>,
}

impl Quiet {
    fn new(health: &Health, count: usize) -> Self {
        Self { health: health.clone(), which: Arc::new(Mutex::new((0..count).collect())) }
    }

    fn note(
        &self,
        number: usize,
        place: Option<&str>,
        change: &watcher::Result<Event<SyncRequest>>,
    ) {
        let mut which = self.which.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Ok(Event::InitDone) => {
                which.remove(&number);
                if which.is_empty() {
                    self.health.well("requests");
                }
            }
            Ok(_) => {}
            Err(error) => {
                which.insert(number);
                self.health.ail("requests", &trouble(place, error));
            }
        }
    }
}

fn trouble(place: Option<&str>, error: &watcher::Error) -> String {
    let place = place.map_or("all namespaces".to_owned(), |place| format!("namespace {place:?}"));
    format!(
        "cannot watch syncrequests in {place}: {}; the operator's service account needs get, list \
         and watch on syncrequests.singletrack.dev there",
        chain(error)
    )
}
