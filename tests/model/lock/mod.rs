//! The lock itself: a few processes, a Lease, the store's fence, and requests that want to run.

mod choices;
mod ends;
mod facts;
mod mutant;
mod process;
mod server;
mod shown;
mod tests;
mod world;

use std::sync::Arc;

use stateright::{Model, Property};

use mutant::Mutant;
use world::{Action, Bad, World};

use crate::coverage::Coverage;

/// How often a thing may go wrong, all in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Faults {
    /// An answer is lost (the write was done, is done later, or never), a run gives up.
    timeouts: u8,
    crashes: u8,
    deletions: u8,
    renewals: u8,
    /// A holder that is alive looks dead.
    doubts: u8,
    /// Somebody edits the Lease by hand.
    edits: u8,
    /// The store is emptied, or another takes its place.
    restores: u8,
    /// A request is cancelled.
    cancels: u8,
}

/// `N` processes and a number of requests.
#[derive(Clone, Debug, Default)]
struct Lock<const N: usize> {
    requests: u8,
    faults: Faults,
    mutant: Option<Mutant>,
    coverage: Arc<Coverage>,
    good: Arc<ends::Good>,
}

impl<const N: usize> Model for Lock<N> {
    type State = World<N>;
    type Action = Action;

    fn init_states(&self) -> Vec<World<N>> {
        vec![World::new(self.requests, self.faults, self.mutant)]
    }

    fn actions(&self, world: &World<N>, actions: &mut Vec<Action>) {
        // What is broken stays broken: nothing is learnt behind it.
        if !world.is_broken() {
            world.actions(actions);
        }
    }

    fn next_state(&self, world: &World<N>, action: Action) -> Option<World<N>> {
        let mut next = world.clone();
        next.act(action);
        self.coverage.add(std::mem::take(&mut next.seen));
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(Bad::OldAfterNew.rule(), |_, w: &World<N>| !w.is(Bad::OldAfterNew)),
            Property::always(Bad::OutOfOrder.rule(), |_, w: &World<N>| !w.is(Bad::OutOfOrder)),
            Property::always(Bad::ShutOut.rule(), |_, w: &World<N>| !w.is(Bad::ShutOut)),
            Property::always(Bad::Twice.rule(), |_, w: &World<N>| !w.is(Bad::Twice)),
            Property::always(Bad::Hasty.rule(), |_, w: &World<N>| !w.is(Bad::Hasty)),
            Property::always(Bad::Stranded.rule(), |_, w: &World<N>| !w.is(Bad::Stranded)),
            Property::always(Bad::Cancelled.rule(), |_, w: &World<N>| !w.is(Bad::Cancelled)),
            Property::always(Bad::RunsOn.rule(), |_, w: &World<N>| !w.is(Bad::RunsOn)),
            Property::always(ends::LOST, |it: &Self, w: &World<N>| {
                w.is_broken() || w.ends(false, &it.good)
            }),
            Property::always(ends::ARRIVES, |it: &Self, w: &World<N>| {
                w.is_broken() || w.ends(true, &it.good)
            }),
        ]
    }
}
