//! The requests of a namespace, as a watch shows them.

use std::collections::BTreeMap;

use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use singletrack::api::{Phase, SyncRequest};
use tokio::sync::watch;

use crate::support::Namespace;

/// By name.
type Shown = BTreeMap<String, SyncRequest>;

pub(super) struct Board {
    shown: watch::Receiver<Shown>,
    watching: tokio::task::JoinHandle<()>,
}

impl Board {
    pub(super) fn of(space: &Namespace) -> Self {
        let (show, shown) = watch::channel(Shown::new());
        let changes = watcher(space.requests(), watcher::Config::default()).default_backoff();
        let watching = tokio::spawn(async move {
            let mut changes = changes.boxed();
            let mut listed = Shown::new();
            while let Some(change) = changes.next().await {
                match change {
                    Ok(watcher::Event::Init) => listed.clear(),
                    Ok(watcher::Event::InitApply(it)) => drop(listed.insert(it.name_any(), it)),
                    Ok(watcher::Event::InitDone) => {
                        show.send_replace(std::mem::take(&mut listed));
                    }
                    Ok(watcher::Event::Apply(it)) => {
                        show.send_modify(|shown| drop(shown.insert(it.name_any(), it)));
                    }
                    Ok(watcher::Event::Delete(it)) => {
                        show.send_modify(|shown| drop(shown.remove(&it.name_any())));
                    }
                    Err(_) => {}
                }
            }
        });
        Self { shown, watching }
    }

    pub(super) fn seen(&self) -> watch::Receiver<Shown> {
        self.shown.clone()
    }

    /// The request that runs, as far as is known.
    pub(super) fn running(&self) -> Option<SyncRequest> {
        self.shown.borrow().values().find(|it| it.phase() == Phase::Running).cloned()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Those that have not ended.
pub(super) fn unfinished(shown: &Shown) -> usize {
    shown.values().filter(|it| !it.phase().is_terminal()).count()
}
