//! The life of a request: two replicas make passes over two requests with the production
//! `reconcile::plan`, each from a copy that may be old by the time it writes; users cancel, suspend,
//! delete and create again, and runs start, end and crash meanwhile.
//!
//! That runs go one by one is what the model of the lock shows; here it is given.

mod pass;
mod run;
mod tests;

use std::sync::Arc;

use stateright::{Model, Property};

use crate::coverage::Coverage;

/// A rule that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mutant {
    /// A status is written whatever it has become.
    BlindStatus,
    /// A request is deleted by its name.
    DeleteByName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    Succeeded,
    Failed,
    Cancelled,
    Rejected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    New,
    Queued,
    Running,
    Ended(End),
}

/// A request as the API server has it, or as a copy shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Request {
    uid: u8,
    phase: Phase,
    number: u8,
    cancel: bool,
    suspend: bool,
    shown_suspended: bool,
    /// `nextAttemptAt` is set.
    waits: bool,
    rejects: bool,
}

/// What stands in the store of the run that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Recorded {
    Nothing,
    /// It runs again.
    Again,
    Ended(End),
}

/// The run that is on, with the copy of its request that it writes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Run {
    who: usize,
    name: usize,
    copy: Request,
    number: u8,
    announced: bool,
    stopped: bool,
    recorded: Recorded,
}

/// What a rule that was broken says.
const RULES: [&str; 4] = [
    "a request that has ended does not change",
    "a run number never falls",
    "no request is run to its end twice",
    "nobody deletes a request that he has not seen",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    requests: [Option<Request>; 2],
    /// The copies from which the replicas make their passes.
    copies: [[Option<Request>; 2]; 2],
    run: Option<Run>,
    numbers: u8,
    uids: u8,
    /// How the runs of a uid have ended, as the store knows it.
    records: [Option<End>; 4],
    users: u8,
    crashes: u8,
    retries: u8,
    bad: [bool; 4],
    seen: u64,
    mutant: Option<Mutant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// A replica takes a copy of a request.
    Copy(usize, usize),
    /// It plans and acts upon it; the time of all timers has come, or not yet.
    Pass(usize, usize, bool),
    Start(usize, usize),
    Announce,
    Record(End),
    Retry,
    Close,
    Crash,
    Cancel(usize),
    Suspend(usize),
    Resume(usize),
    Delete(usize),
    Create(usize),
}

/// How much users and faults do.
#[derive(Clone, Debug, Default)]
struct Life {
    users: u8,
    crashes: u8,
    retries: u8,
    mutant: Option<Mutant>,
    coverage: Arc<Coverage>,
}

impl Model for Life {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let request = |uid| Some(Request::new(uid));
        vec![World {
            requests: [request(0), request(1)],
            copies: [[None; 2]; 2],
            run: None,
            numbers: 0,
            uids: 2,
            records: [None; 4],
            users: self.users,
            crashes: self.crashes,
            retries: self.retries,
            bad: [false; 4],
            seen: 0,
            mutant: self.mutant,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.bad == [false; 4] {
            world.actions(actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(action);
        self.coverage.add(std::mem::take(&mut next.seen));
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(RULES[0], |_, world: &World| !world.bad[0]),
            Property::always(RULES[1], |_, world: &World| !world.bad[1]),
            Property::always(RULES[2], |_, world: &World| !world.bad[2]),
            Property::always(RULES[3], |_, world: &World| !world.bad[3]),
            Property::always("when all is left alone, all requests end", |_, world: &World| {
                world.bad != [false; 4] || (world.ends(false) && world.ends(true))
            }),
        ]
    }
}

impl Request {
    /// The second of all rejects, so that this is gone through too.
    fn new(uid: u8) -> Self {
        Self {
            uid,
            phase: Phase::New,
            number: 0,
            cancel: false,
            suspend: false,
            shown_suspended: false,
            waits: false,
            rejects: uid == 1,
        }
    }

    fn has_ended(self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }
}
