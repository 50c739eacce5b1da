//! Who is next: an ordered index of the requests that wait or run. Pure.
//!
//! An event costs O(log n) in the number of waiting requests. Those of closed namespaces are passed
//! over one by one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::wants::Wants;

/// The place of a request among all: priority, creation, ticket, namespace, name. Every operator
/// computes the same order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    pub priority: Reverse<i32>,
    pub created_at: DateTime<Utc>,
    /// A resourceVersion, compared as the number that it is.
    pub ticket: u64,
    pub namespace: String,
    pub name: String,
}

/// A request, as far as the queue is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub uid: String,
    pub order: Order,
    /// What it wants, if another run may answer it.
    pub joins: Option<Arc<Wants>>,
}

/// In which of the queue's parts a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Nobody has looked at it yet.
    New,
    Waiting,
    Running,
    /// Finished, suspended, cancelled, deleted, or not ours.
    Out,
}

type Line = BTreeMap<Order, String>;

/// Where a request is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    part: Part,
    order: Order,
    joins: Option<Arc<Wants>>,
}

/// The index. It has no head until the first listing is complete, because half a queue has another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    new: Line,
    /// One line for each priority, so that places can be counted from the end.
    waiting: BTreeMap<Reverse<i32>, Line>,
    running: Line,
    places: BTreeMap<String, Place>,
    /// The newest version of each request that was shown.
    newest: BTreeMap<String, u64>,
    listed: bool,
    listing: Option<BTreeSet<String>>,
    /// The namespaces whose requests are never the head.
    closed: BTreeSet<String>,
}

impl Queue {
    /// Puts the request where this version of it belongs. Not if a newer one was shown: the answer to
    /// a write may come when the watch has told already what followed. Whether it was news.
    pub fn show(&mut self, entry: Entry, part: Part, version: u64) -> bool {
        let newest = self.newest.entry(entry.uid.clone()).or_default();
        if version < *newest {
            if let Some(listing) = &mut self.listing {
                listing.insert(entry.uid);
            }
            return false;
        }
        *newest = version;
        self.put(entry, part);
        true
    }

    /// The same for the answer to a write. It says nothing of a request that is not known any more: the
    /// watch may have told that it is gone.
    pub fn show_answer(&mut self, entry: Entry, part: Part, version: u64) -> bool {
        self.newest.contains_key(&entry.uid) && self.show(entry, part, version)
    }

    /// Puts the request where it belongs now.
    pub fn put(&mut self, entry: Entry, part: Part) {
        if let Some(listing) = &mut self.listing {
            listing.insert(entry.uid.clone());
        }
        let is_there = |place: &Place| place.part == part && place.order == entry.order;
        if self.places.get(&entry.uid).is_some_and(is_there) {
            return;
        }
        self.remove(&entry.uid);
        if part == Part::Out {
            return;
        }
        self.line(part, &entry.order).insert(entry.order.clone(), entry.uid.clone());
        let place = Place { part, order: entry.order, joins: entry.joins };
        self.places.insert(entry.uid, place);
    }

    /// Forgets the request.
    pub fn take(&mut self, uid: &str) {
        self.newest.remove(uid);
        self.remove(uid);
    }

    fn remove(&mut self, uid: &str) {
        let Some(Place { part, order, .. }) = self.places.remove(uid) else { return };
        let priority = order.priority;
        self.line(part, &order).remove(&order);
        if self.waiting.get(&priority).is_some_and(BTreeMap::is_empty) {
            self.waiting.remove(&priority);
        }
    }

    /// A listing of all requests begins: what it does not show is gone.
    pub fn begin_listing(&mut self) {
        self.listing = Some(BTreeSet::new());
        // After a restore of the cluster's data, versions begin again from an earlier one.
        self.newest.clear();
    }

    /// The listing is complete. Gives the uids that are gone.
    pub fn end_listing(&mut self) -> Vec<String> {
        self.listed = true;
        let Some(shown) = self.listing.take() else { return Vec::new() };
        let gone: Vec<String> =
            self.places.keys().filter(|uid| !shown.contains(*uid)).cloned().collect();
        for uid in &gone {
            self.take(uid);
        }
        gone
    }

    /// Leaves the requests of the namespace where they are, but none is the head until it is opened.
    pub fn close(&mut self, namespace: &str) {
        self.closed.insert(namespace.to_owned());
    }

    /// Lets the requests of the namespace be the head again.
    pub fn open(&mut self, namespace: &str) {
        self.closed.remove(namespace);
    }

    /// The request whose turn it is: the one that runs (it may need repair), else the first.
    pub fn head(&self) -> Option<Entry> {
        if !self.listed {
            return None;
        }
        let first = |line: &Line| {
            let is_open = |(order, _): &(&Order, _)| !self.closed.contains(&order.namespace);
            let (order, uid) = line.iter().find(is_open)?;
            Some(Entry { uid: uid.clone(), order: order.clone(), joins: None })
        };
        first(&self.running).or_else(|| self.waiting.values().find_map(first))
    }

    /// How many are before `order`: running, waiting, or new and earlier.
    pub fn ahead(&self, order: &Order) -> usize {
        let in_line = |line: &Line| line.len() - line.range(order.clone()..).count();
        let higher: usize = self.waiting.range(..order.priority).map(|(_, line)| line.len()).sum();
        let same = self.waiting.get(&order.priority).map_or(0, in_line);
        self.running.len() + higher + same
    }

    /// How many are new and earlier than `order`.
    pub fn new_before(&self, order: &Order) -> usize {
        self.new.range(..order.clone()).count()
    }

    /// The uids of those that wait and are answered by a run that does what `wants` says, in order.
    pub fn answered_by(&self, wants: &Wants) -> Vec<String> {
        let joins = |uid: &&String| {
            let joins = self.places.get(*uid).and_then(|place| place.joins.as_ref());
            joins.is_some_and(|theirs| wants.covers(theirs))
        };
        self.waiting.values().flat_map(BTreeMap::values).filter(joins).cloned().collect()
    }

    /// Where the waiting request of this uid is.
    pub fn waiting_place(&self, uid: &str) -> Option<Order> {
        let place = self.places.get(uid).filter(|place| place.part == Part::Waiting)?;
        Some(place.order.clone())
    }

    /// The request that runs, if any.
    pub fn running(&self) -> Option<&Order> {
        self.running.first_key_value().map(|(order, _)| order)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.values().map(BTreeMap::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn line(&mut self, part: Part, order: &Order) -> &mut Line {
        match part {
            Part::New | Part::Out => &mut self.new,
            Part::Waiting => self.waiting.entry(order.priority).or_default(),
            Part::Running => &mut self.running,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::wants::tests::wants;

    fn entry(name: &str, priority: i32, created: i64, ticket: u64) -> Entry {
        let order = Order {
            priority: Reverse(priority),
            created_at: DateTime::from_timestamp(created, 0).unwrap(),
            ticket,
            namespace: "ns".into(),
            name: name.into(),
        };
        Entry { uid: format!("uid-{name}"), order, joins: None }
    }

    #[test]
    fn an_answer_that_comes_after_newer_news_changes_nothing() {
        let mut queue = Queue::default();
        let show =
            |queue: &mut Queue, part, version| queue.show(entry("a", 0, 1, 1), part, version);
        assert!(show(&mut queue, Part::Running, 7));
        assert!(queue.show_answer(entry("a", 0, 1, 1), Part::Running, 8), "it is known");
        assert!(show(&mut queue, Part::Waiting, 9));
        assert!(!show(&mut queue, Part::Out, 8));
        assert_eq!(queue.len(), 1);
        assert!(show(&mut queue, Part::Out, 9), "the same version once more");
        assert!(queue.is_empty());
        queue.take("uid-a");
        assert!(show(&mut queue, Part::Waiting, 1), "it was forgotten");
        queue.take("uid-a");
        assert!(!queue.show_answer(entry("a", 0, 1, 1), Part::Waiting, 2), "it is gone");
        assert!(queue.is_empty());
        queue.begin_listing();
        assert!(show(&mut queue, Part::Waiting, 5));
        assert_eq!(queue.end_listing(), Vec::<String>::new());
        queue.begin_listing();
        assert!(show(&mut queue, Part::Waiting, 2), "the cluster's data may have been restored");
        assert!(!show(&mut queue, Part::Out, 1));
        assert_eq!(queue.end_listing(), Vec::<String>::new());
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn only_those_that_wait_and_may_join_are_answered() {
        let mut queue = listed();
        let joins =
            |name: &str| Entry { joins: Some(Arc::new(wants(None))), ..entry(name, 0, 1, 1) };
        queue.put(joins("a"), Part::Waiting);
        queue.put(joins("out"), Part::Out);
        queue.put(joins("runs"), Part::Running);
        queue.put(entry("plain", 0, 1, 1), Part::Waiting);
        queue.put(Entry { order: entry("h", 9, 1, 1).order, ..joins("h") }, Part::Waiting);
        assert_eq!(queue.answered_by(&wants(None)), ["uid-h", "uid-a"]);
        assert!(queue.answered_by(&wants(Some(&["acme/a"]))).is_empty());
        assert!(
            queue.waiting_place("uid-a").is_some() && queue.waiting_place("uid-runs").is_none()
        );
    }

    fn listed() -> Queue {
        let mut queue = Queue::default();
        queue.begin_listing();
        queue.end_listing();
        queue
    }

    #[test]
    fn the_order_is_priority_then_age_then_ticket_then_name() {
        let mut queue = listed();
        let rows = [
            entry("c", 0, 1, 9),
            entry("late", 0, 2, 1),
            entry("b", 0, 1, 10),
            entry("high", 7, 9, 99),
            entry("a", 0, 1, 9),
        ];
        for row in rows {
            queue.put(row, Part::Waiting);
        }
        for expected in ["high", "a", "c", "b", "late"] {
            let head = queue.head().unwrap();
            assert_eq!(head.order.name, expected);
            queue.take(&head.uid);
        }
        assert!(queue.is_empty());
    }

    #[test]
    fn the_one_that_runs_is_the_head_whatever_waits() {
        let mut queue = listed();
        queue.put(entry("urgent", 100, 0, 1), Part::Waiting);
        queue.put(entry("old", 0, 5, 5), Part::Waiting);
        queue.put(entry("old", 0, 5, 5), Part::Running);
        assert_eq!(queue.head().unwrap().order.name, "old");
        assert_eq!(queue.len(), 1);
        queue.put(entry("old", 0, 5, 5), Part::Out);
        assert_eq!(queue.head().unwrap().order.name, "urgent");
    }

    #[test]
    fn those_of_a_closed_namespace_keep_their_places_and_are_not_the_head() {
        let mut queue = listed();
        let there = |name: &str, priority| {
            let mut there = entry(name, priority, 0, 1);
            there.order.namespace = "there".into();
            there
        };
        queue.put(there("runs", 0), Part::Running);
        queue.put(there("first", 9), Part::Waiting);
        queue.put(entry("mine", 0, 1, 1), Part::Waiting);
        let head = |queue: &Queue| queue.head().map(|head| head.order.name);
        queue.close("there");
        assert_eq!(head(&queue).as_deref(), Some("mine"));
        assert_eq!((queue.len(), queue.ahead(&entry("mine", 0, 1, 1).order)), (2, 2));
        queue.take("uid-mine");
        assert_eq!(head(&queue), None);
        queue.open("there");
        assert_eq!(head(&queue).as_deref(), Some("runs"));
    }

    #[test]
    fn places_are_counted_over_all_priorities() {
        let mut queue = listed();
        for (name, priority) in [("a", 0), ("b", 0), ("h", 5), ("low", -1)] {
            queue.put(entry(name, priority, 1, 1), Part::Waiting);
        }
        queue.put(entry("r", 0, 0, 0), Part::Running);
        assert_eq!(queue.ahead(&entry("c", 0, 1, 1).order), 4);
        assert_eq!(queue.ahead(&entry("a", 0, 1, 1).order), 2);
        queue.put(entry("n", 0, 0, 3), Part::New);
        assert_eq!(queue.new_before(&entry("c", 0, 1, 1).order), 1);
    }

    #[test]
    fn half_a_listing_has_no_head_and_what_it_did_not_show_is_gone() {
        let mut queue = Queue::default();
        queue.begin_listing();
        queue.put(entry("a", 0, 1, 1), Part::Waiting);
        assert_eq!(queue.head(), None);
        assert!(queue.end_listing().is_empty());
        queue.put(entry("b", 0, 1, 2), Part::Waiting);
        queue.begin_listing();
        queue.put(entry("b", 0, 1, 2), Part::Waiting);
        assert_eq!(queue.end_listing(), ["uid-a"]);
        assert_eq!(queue.head().unwrap().order.name, "b");
    }
}
