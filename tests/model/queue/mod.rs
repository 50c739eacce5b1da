//! Who is next: one replica, a few requests, and the production `reconcile::Queue` between the watch and
//! the run. The watch is late, answers to its own writes come whenever they come, a listing begins anew,
//! users delete, and the process crashes.
//!
//! How the queue is asked and what is done then is the model's own; where everything belongs, who is the
//! first, and who is answered along with a run is the queue's.

mod replica;
mod tests;

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::DateTime;
use singletrack::api::RunType;
use singletrack::reconcile::{Entry, Order, Part, Queue, Wants};
use stateright::{Model, Property};

/// A rule that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mutant {
    /// An answer counts also when the watch has told of what followed.
    LateAnswers,
    /// A request that stands with a run as answered by it is run all the same.
    RunsAnswered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    New,
    Queued,
    Running,
    Ended,
    Deleted,
}

/// A version of a request, as etcd has kept it. The resourceVersion is its place in the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Version {
    request: usize,
    phase: Phase,
}

/// The run that is on: of which request, and which others it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Run {
    request: usize,
    answers: u8,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Activated,
    Announced,
    Recorded,
}

/// What a rule that was broken says.
const RULES: [&str; 3] = [
    "whoever starts is the first of those that were shown",
    "no request is answered twice",
    "one runs at a time",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    versions: Vec<Version>,
    /// How many of them the watch has told.
    told: usize,
    /// Those of the replica's own writes whose answers are on their way.
    answers: Vec<usize>,
    queue: Queue,
    /// The newest version of each request that the replica was shown, whichever way.
    shown: Vec<Option<usize>>,
    run: Option<Run>,
    /// Which requests a run that has ended well stands for, by the store: itself and those answered.
    records: Vec<Option<u8>>,
    done: Vec<u8>,
    deletions: u8,
    crashes: u8,
    listings: u8,
    bad: [bool; 3],
    mutant: Option<Mutant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// Somebody creates this request.
    Create(usize),
    Delete(usize),
    /// The watch tells of the next version.
    Tell,
    /// The first, second… answer that is on its way arrives.
    Answer(usize),
    /// The watch begins anew with a listing.
    List,
    /// A pass gives a new request its place.
    Enqueue(usize),
    /// The head is chosen, and its run activated.
    Start,
    /// The run goes on: it is announced, recorded, and its requests end.
    Go,
    Crash,
}

/// How much happens.
#[derive(Clone, Debug, Default)]
struct Line {
    requests: usize,
    deletions: u8,
    crashes: u8,
    listings: u8,
    mutant: Option<Mutant>,
}

impl Model for Line {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut queue = Queue::default();
        queue.begin_listing();
        queue.end_listing();
        vec![World {
            versions: Vec::new(),
            told: 0,
            answers: Vec::new(),
            queue,
            shown: vec![None; self.requests],
            run: None,
            records: vec![None; self.requests],
            done: vec![0; self.requests],
            deletions: self.deletions,
            crashes: self.crashes,
            listings: self.listings,
            bad: [false; 3],
            mutant: self.mutant,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.bad == [false; 3] {
            world.actions(actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(RULES[0], |_, world: &World| !world.bad[0]),
            Property::always(RULES[1], |_, world: &World| !world.bad[1]),
            Property::always(RULES[2], |_, world: &World| !world.bad[2]),
            Property::always("when all is left alone, all requests end", |_, world: &World| {
                world.bad != [false; 3] || world.ends()
            }),
        ]
    }
}

/// Later ones are behind, but for the last, which is urgent.
fn order(request: usize) -> Order {
    let created = i64::try_from(request).expect("it is small");
    Order {
        priority: Reverse(if request == 3 { 5 } else { 0 }),
        created_at: DateTime::from_timestamp(created, 0).expect("a time"),
        ticket: u64::try_from(request).expect("it is small"),
        namespace: "space".to_owned(),
        name: request.to_string(),
    }
}

/// All want the same; the second and the third may be answered by another's run.
fn entry(request: usize) -> Entry {
    let joins = matches!(request, 1 | 2).then(|| Arc::new(wants()));
    Entry { uid: request.to_string(), order: order(request), joins }
}

fn wants() -> Wants {
    Wants {
        namespace: "space".to_owned(),
        run_type: RunType::Manual,
        automation: false,
        full: false,
        dry_run: false,
        repositories: None,
    }
}

fn part(phase: Phase) -> Part {
    match phase {
        Phase::New => Part::New,
        Phase::Queued => Part::Waiting,
        Phase::Running => Part::Running,
        Phase::Ended | Phase::Deleted => Part::Out,
    }
}

/// The requests of these uids.
fn set(uids: &[String]) -> u8 {
    uids.iter().filter_map(|uid| uid.parse::<usize>().ok()).fold(0, |set, it| set | 1 << it)
}
