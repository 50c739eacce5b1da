//! The lock, checked: every interleaving of two processes that drive the production
//! [`singletrack::lease::step`] and `judge`, with lost answers, a crash and a deletion.
//!
//! The environment is the test's (compare-and-swap, transactions, what is on its way, faults); no
//! decision of the protocol is made in it.

mod table;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use stateright::{Checker, HasDiscoveries, Model, Property};

use table::table;
use world::{Action, Mutant, Seen, World};

/// How much may go wrong, all in all.
#[derive(Clone, Debug, Default)]
struct Lock {
    timeouts: u8,
    crashes: u8,
    deletions: u8,
    renewals: u8,
    mutant: Option<Mutant>,
    /// What was seen anywhere, as bits.
    seen: Arc<AtomicU16>,
}

impl Model for Lock {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let budgets = (self.timeouts, self.crashes, self.deletions, self.renewals);
        vec![World::new(2, budgets, self.mutant)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        let done = next.act(action);
        self.seen.fetch_or(next.take_seen(), Ordering::Relaxed);
        done.then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no write of an older grant after one of a newer", |_, w: &World| {
                !w.saw(Seen::OldAfterNew)
            }),
            Property::always("grants come in the order of their tickets", |_, w: &World| {
                !w.saw(Seen::OutOfOrder)
            }),
            Property::always("the newest rightful holder is never shut out", |_, w: &World| {
                !w.saw(Seen::ShutOut)
            }),
            Property::always(
                "when faults stop, all ends; what is on its way is lost",
                |_, w: &World| w.ends(false),
            ),
            Property::always(
                "when faults stop, all ends; what is on its way arrives",
                |_, w: &World| w.ends(true),
            ),
        ]
    }
}

/// Explores everything that may happen within these faults; gives what was seen on the way.
#[track_caller]
fn explore(lock: &Lock, states: usize) -> u16 {
    let checker = lock.clone().checker().threads(2).spawn_dfs().join();
    println!("{} states to depth {}", checker.unique_state_count(), checker.max_depth());
    for property in lock.properties() {
        if let Some(path) = checker.discovery(property.name) {
            panic!("{}\n{}", property.name, table(path));
        }
    }
    // All of them, and not a part by accident; another protocol has another number.
    assert_eq!(checker.unique_state_count(), states);
    lock.seen.load(Ordering::Relaxed)
}

#[test]
fn no_interleaving_breaks_the_lock() {
    let late = Lock { timeouts: 1, crashes: 1, ..Lock::default() };
    let deleted = Lock { timeouts: 1, deletions: 1, ..Lock::default() };
    let renewed = Lock { crashes: 1, deletions: 1, renewals: 1, ..Lock::default() };
    let seen =
        explore(&late, 1_609_113) | explore(&deleted, 415_992) | explore(&renewed, 1_647_976);
    for what in Seen::REACHED {
        assert!(seen & what.bit() != 0, "{what:?} was never reached");
    }
}

#[test]
fn without_the_fence_an_old_write_is_accepted() {
    broken(Mutant::Unfenced, "no write of an older grant after one of a newer");
}

#[test]
fn without_compare_and_swap_grants_come_out_of_order() {
    broken(Mutant::BlindWrite, "grants come in the order of their tickets");
}

#[test]
fn without_the_rule_for_leftovers_a_late_grant_keeps_all_waiting() {
    broken(Mutant::ForgottenLeftover, "when faults stop, all ends; what is on its way arrives");
}

/// Takes a rule away, and shows the shortest way to what breaks then.
#[track_caller]
fn broken(mutant: Mutant, property: &'static str) {
    let lock = Lock { timeouts: 1, crashes: 1, mutant: Some(mutant), ..Lock::default() };
    let found = HasDiscoveries::AnyFailures;
    let checker = lock.clone().checker().finish_when(found).spawn_bfs().join();
    let broken: Vec<_> = lock
        .properties()
        .into_iter()
        .filter_map(|it| checker.discovery(it.name).map(|path| (it.name, path)))
        .collect();
    for (name, path) in &broken {
        println!("{mutant:?} breaks: {name}\n{}", table(path.clone()));
    }
    assert!(broken.iter().any(|(name, _)| *name == property), "{mutant:?} breaks nothing of it");
}
