//! The queue against a naive one: any sequence of events gives the same head, places and answers.
//! Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::DateTime;
use proptest::prelude::*;

use super::queue::{Entry, Order, Part, Queue};
use super::wants::Wants;
use crate::api::RunType;

/// What happens to the queue.
#[derive(Clone, Debug)]
enum Event {
    Put(Entry, Part),
    Take(String),
    BeginListing,
    EndListing,
    Close(String),
    Open(String),
}

/// All requests in no order, looked through for every question.
#[derive(Default)]
struct Naive {
    all: BTreeMap<String, (Entry, Part)>,
    listed: bool,
    listing: Option<Vec<String>>,
    closed: BTreeSet<String>,
}

impl Naive {
    fn apply(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::Put(entry, part) => {
                self.listing.iter_mut().for_each(|shown| shown.push(entry.uid.clone()));
                match part {
                    Part::Out => drop(self.all.remove(&entry.uid)),
                    _ => drop(self.all.insert(entry.uid.clone(), (entry.clone(), *part))),
                }
            }
            Event::Take(uid) => drop(self.all.remove(uid)),
            Event::BeginListing => self.listing = Some(Vec::new()),
            Event::Close(namespace) => drop(self.closed.insert(namespace.clone())),
            Event::Open(namespace) => drop(self.closed.remove(namespace)),
            Event::EndListing => {
                self.listed = true;
                let Some(shown) = self.listing.take() else { return Vec::new() };
                let gone = self.all.keys().filter(|uid| !shown.contains(uid)).cloned();
                let gone: Vec<String> = gone.collect();
                self.all.retain(|uid, _| shown.contains(uid));
                return gone;
            }
        }
        Vec::new()
    }

    /// Those of a part, in order.
    fn of(&self, part: Part) -> Vec<&Entry> {
        let mut of: Vec<_> =
            self.all.values().filter(|(_, its)| *its == part).map(|(entry, _)| entry).collect();
        of.sort_by(|a, b| a.order.cmp(&b.order));
        of
    }

    fn head(&self) -> Option<String> {
        let (running, waiting) = (self.of(Part::Running), self.of(Part::Waiting));
        let is_open = |entry: &&Entry| !self.closed.contains(&entry.order.namespace);
        let first = running.into_iter().chain(waiting).find(is_open).filter(|_| self.listed);
        first.map(|entry| entry.uid.clone())
    }
}

fn wants(full: bool) -> Wants {
    Wants {
        namespace: "ns".into(),
        run_type: RunType::Manual,
        automation: false,
        full,
        dry_run: false,
        repositories: None,
    }
}

/// Where the request of this name is.
fn namespace(name: u8) -> String {
    format!("ns{}", name % 2)
}

/// A few names, so that they meet: the name is the uid, and the rest of the order varies.
fn entry() -> impl Strategy<Value = Entry> {
    (0..6_u8, -1..2_i32, 0..3_i64, 0..3_u64).prop_map(|(name, priority, at, ticket)| {
        let order = Order {
            priority: Reverse(priority),
            created_at: DateTime::from_timestamp(at, 0).unwrap_or_default(),
            ticket,
            namespace: namespace(name),
            name: format!("n{name}"),
        };
        // What a request wants is part of its spec, which never changes.
        let joins = (name % 3 > 0).then(|| Arc::new(wants(name % 3 == 1)));
        Entry { uid: format!("u{name}"), order, joins }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let part =
        prop_oneof![Just(Part::New), Just(Part::Waiting), Just(Part::Running), Just(Part::Out)];
    prop_oneof![
        8 => (entry(), part).prop_map(|(entry, part)| Event::Put(entry, part)),
        1 => (0..6_u8).prop_map(|name| Event::Take(format!("u{name}"))),
        1 => Just(Event::BeginListing),
        2 => Just(Event::EndListing),
        1 => (0..2_u8).prop_map(|it| Event::Close(namespace(it))),
        1 => (0..2_u8).prop_map(|it| Event::Open(namespace(it))),
    ]
}

proptest! {
    #[test]
    fn any_events_give_what_a_naive_queue_gives(
        events in prop::collection::vec(event(), 0..60),
        asked in entry(),
    ) {
        let (mut queue, mut naive) = (Queue::default(), Naive::default());
        for event in &events {
            let mut gone = match event.clone() {
                Event::Put(entry, part) => { queue.put(entry, part); Vec::new() }
                Event::Take(uid) => { queue.take(&uid); Vec::new() }
                Event::BeginListing => { queue.begin_listing(); Vec::new() }
                Event::EndListing => queue.end_listing(),
                Event::Close(namespace) => { queue.close(&namespace); Vec::new() }
                Event::Open(namespace) => { queue.open(&namespace); Vec::new() }
            };
            gone.sort();
            prop_assert_eq!(gone, naive.apply(event));
            let waiting = naive.of(Part::Waiting);
            prop_assert_eq!(queue.head().map(|head| head.uid), naive.head());
            prop_assert_eq!(queue.len(), waiting.len());
            prop_assert_eq!(queue.is_empty(), waiting.is_empty());
            let running = naive.of(Part::Running);
            prop_assert_eq!(queue.running(), running.first().map(|entry| &entry.order));
            let before = |entry: &&&Entry| entry.order < asked.order;
            let ahead = running.len() + waiting.iter().filter(before).count();
            prop_assert_eq!(queue.ahead(&asked.order), ahead);
            let new = naive.of(Part::New);
            prop_assert_eq!(queue.new_before(&asked.order), new.iter().filter(before).count());
            for full in [false, true] {
                let run = wants(full);
                let joins = |entry: &&&Entry| entry.joins.as_ref().is_some_and(|its| run.covers(its));
                let answered: Vec<_> =
                    waiting.iter().filter(joins).map(|entry| entry.uid.clone()).collect();
                prop_assert_eq!(queue.answered_by(&run), answered);
            }
        }
    }
}
