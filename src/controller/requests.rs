//! What happens to the requests, wherever the operator watches.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};

use super::places::Places;
use super::together::{Shown, Together};
use super::watches::{Pauses, Watches, is_forbidden};
use crate::api::SyncRequest;
use crate::reconcile::Context;

type Changes = BoxStream<'static, watcher::Result<Event<SyncRequest>>>;

/// The changes of all requests, as one watch would tell of them. `shown` is what has come out.
pub(super) fn changes(
    ctx: &Context,
    places: &Places,
    watches: &Arc<Watches>,
    shown: Store<SyncRequest>,
) -> Changes {
    let watch = |number: usize, place: Option<String>| -> Changes {
        let requests: Api<SyncRequest> = match place {
            None => Api::all(ctx.watcher.clone()),
            Some(name) => Api::namespaced(ctx.watcher.clone(), &name),
        };
        let (watches, health) = (Arc::clone(watches), ctx.health.clone());
        watcher(requests, watcher::Config::default())
            .backoff(Pauses::default())
            .inspect(move |change| watches.heard(watches.of_requests(number), change, &health))
            .boxed()
    };
    let mut each: Vec<_> =
        places.each().into_iter().enumerate().map(|(number, place)| watch(number, place)).collect();
    match places {
        Places::These(names) if each.len() > 1 => together(names.clone(), each, shown),
        _ => each.swap_remove(0),
    }
}

fn together(names: Vec<String>, watches: Vec<Changes>, shown: Store<SyncRequest>) -> Changes {
    let mut state = Together::of(watches.len());
    let numbered = watches.into_iter().enumerate();
    let numbered = numbered.map(|(number, watch)| watch.map(move |change| (number, change)));
    let out = move |(number, change): (usize, watcher::Result<_>)| {
        let shown = || {
            let is_here =
                |request: &Arc<SyncRequest>| request.namespace().as_ref() == Some(&names[number]);
            let (here, elsewhere) = shown.state().into_iter().partition(is_here);
            Shown { here, elsewhere }
        };
        let (events, error) = match change {
            Ok(event) => (state.take(number, event, shown), None),
            // The operator's own namespace is waited for.
            Err(error) if number > 0 && is_forbidden(&error) => {
                (state.without(number), Some(error))
            }
            Err(error) => (Vec::new(), Some(error)),
        };
        stream::iter(events.into_iter().map(Ok).chain(error.map(Err)))
    };
    stream::select_all(numbered).flat_map(out).boxed()
}
