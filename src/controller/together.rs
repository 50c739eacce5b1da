//! The watches of several namespaces, as those who look on know one watch. Pure.
//!
//! # Guarantees
//!
//! - The first lists of all come out as one list, when the last of them has been read.
//! - A list that is read again comes out as what has changed since: first what is gone, then what is
//!   there.
//! - One that shows an earlier version of what has come out comes out as a list of all: the cluster's
//!   data was restored, and those who look on must forget which versions they have seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

/// What is known of each watch.
pub(super) struct Together<K> {
    watches: Vec<Watch<K>>,
    /// Whether the first lists have come out.
    begun: bool,
}

/// One watch.
struct Watch<K> {
    /// The list that is being read.
    reading: Option<Vec<K>>,
    /// The first list with the changes since, until all of them come out.
    first: Option<Vec<K>>,
}

/// What has come out and is still there.
pub(super) struct Shown<K> {
    /// Of the watch that tells something.
    pub(super) here: Vec<Arc<K>>,
    /// Of all others.
    pub(super) elsewhere: Vec<Arc<K>>,
}

impl<K: Resource> Together<K> {
    pub(super) fn of(count: usize) -> Self {
        let watches = (0..count).map(|_| Watch { reading: None, first: None }).collect();
        Self { watches, begun: false }
    }

    /// What comes out when the watch with this number tells of `event`.
    pub(super) fn take(
        &mut self,
        number: usize,
        event: Event<K>,
        shown: impl FnOnce() -> Shown<K>,
    ) -> Vec<Event<K>>
    where
        K: Clone,
    {
        let begun = self.begun;
        let watch = &mut self.watches[number];
        match event {
            Event::Init => watch.reading = Some(Vec::new()),
            Event::InitApply(object) => watch.reading.get_or_insert_default().push(object),
            Event::InitDone => {
                let list = watch.reading.take().unwrap_or_default();
                if begun {
                    return again(&shown(), list);
                }
                watch.first = Some(list);
                return self.begin();
            }
            change if begun => return vec![change],
            Event::Apply(object) => {
                let first = watch.first.get_or_insert_default();
                first.retain(|other| other.name_any() != object.name_any());
                first.push(object);
            }
            Event::Delete(object) => {
                watch.first.get_or_insert_default().retain(|other| other.uid() != object.uid());
            }
        }
        Vec::new()
    }

    /// What comes out when the first list of the watch with this number is refused: it counts as
    /// empty, so that one namespace does not keep all others waiting.
    pub(super) fn without(&mut self, number: usize) -> Vec<Event<K>> {
        self.watches[number].first.get_or_insert_default();
        if self.begun { Vec::new() } else { self.begin() }
    }

    /// One list of all, if each has been read.
    fn begin(&mut self) -> Vec<Event<K>> {
        if self.watches.iter().any(|watch| watch.first.is_none()) {
            return Vec::new();
        }
        self.begun = true;
        whole(self.watches.iter_mut().filter_map(|watch| watch.first.take()).flatten())
    }
}

fn whole<K>(all: impl Iterator<Item = K>) -> Vec<Event<K>> {
    let all = all.map(Event::InitApply);
    [Event::Init].into_iter().chain(all).chain([Event::InitDone]).collect()
}

/// What comes out when a list is read again.
fn again<K: Resource + Clone>(shown: &Shown<K>, list: Vec<K>) -> Vec<Event<K>> {
    if !is_restored(&shown.here, &list) {
        return changes(&shown.here, list);
    }
    let elsewhere = shown.elsewhere.iter().map(|object| object.as_ref().clone());
    whole(elsewhere.chain(list))
}

/// Whether an object is of an earlier version than was shown. Versions only grow, unless the
/// cluster's data is put back.
fn is_restored<K: Resource>(shown: &[Arc<K>], list: &[K]) -> bool {
    let shown: BTreeMap<_, _> =
        shown.iter().map(|old| (old.meta().uid.as_deref(), version(old.as_ref()))).collect();
    list.iter().any(|new| {
        let old = shown.get(&new.meta().uid.as_deref());
        old.is_some_and(|old| version(new) < *old)
    })
}

fn version<K: Resource>(object: &K) -> Option<u64> {
    object.meta().resource_version.as_ref()?.parse().ok()
}

fn changes<K: Resource + Clone>(shown: &[Arc<K>], list: Vec<K>) -> Vec<Event<K>> {
    let is_gone = |old: &&Arc<K>| !list.iter().any(|new| new.uid() == old.uid());
    let gone: Vec<_> =
        shown.iter().filter(is_gone).map(|old| Event::Delete(old.as_ref().clone())).collect();
    gone.into_iter().chain(list.into_iter().map(Event::Apply)).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str, uid: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.uid = Some(uid.to_owned());
        object
    }

    fn show(events: &[Event<ConfigMap>]) -> String {
        let word = |event: &Event<ConfigMap>| match event {
            Event::Init => "[".to_owned(),
            Event::InitApply(object) => format!("={}", object.uid().unwrap()),
            Event::InitDone => "]".to_owned(),
            Event::Apply(object) => format!("+{}", object.uid().unwrap()),
            Event::Delete(object) => format!("-{}", object.uid().unwrap()),
        };
        events.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn at(version: u64, mut object: ConfigMap) -> ConfigMap {
        object.metadata.resource_version = Some(version.to_string());
        object
    }

    fn nothing() -> Shown<ConfigMap> {
        Shown { here: Vec::new(), elsewhere: Vec::new() }
    }

    /// What comes out of two watches that tell these, each as `NUMBER EVENT NAME UID`, when nothing
    /// of them is shown yet but `here`.
    fn told(lines: &[(usize, Event<ConfigMap>)], here: &[ConfigMap]) -> String {
        told_beside(lines, here, &[])
    }

    /// The same when `elsewhere` is shown of the other watch.
    fn told_beside(
        lines: &[(usize, Event<ConfigMap>)],
        here: &[ConfigMap],
        elsewhere: &[ConfigMap],
    ) -> String {
        let all = |of: &[ConfigMap]| of.iter().cloned().map(Arc::new).collect();
        let mut together = Together::of(2);
        let mut out = Vec::new();
        for (number, event) in lines {
            let shown = || Shown { here: all(here), elsewhere: all(elsewhere) };
            out.extend(together.take(*number, event.clone(), shown));
        }
        show(&out)
    }

    fn list(number: usize, objects: &[ConfigMap]) -> Vec<(usize, Event<ConfigMap>)> {
        let objects = objects.iter().cloned().map(Event::InitApply);
        let all = [Event::Init].into_iter().chain(objects).chain([Event::InitDone]);
        all.map(|event| (number, event)).collect()
    }

    #[test]
    fn the_first_lists_come_out_as_one_when_all_have_been_read() {
        let (a, b) = (object("a", "1"), object("b", "2"));
        let first = list(0, &[a, b.clone()]);
        assert_eq!(told(&first, &[]), "");
        let more = vec![(0, Event::Delete(b)), (0, Event::Apply(object("a", "3")))];
        let all = [first, more, list(1, &[object("a", "4")])].concat();
        assert_eq!(told(&all, &[]), "[ =3 =4 ]");
    }

    #[test]
    fn a_list_that_is_read_twice_before_the_others_counts_once() {
        let first = list(0, &[object("a", "1")]);
        let all = [first, list(0, &[object("b", "2")]), list(1, &[])].concat();
        assert_eq!(told(&all, &[]), "[ =2 ]");
    }

    #[test]
    fn a_list_that_is_refused_holds_nobody_up_and_comes_later() {
        let mut together = Together::of(2);
        let mut out: Vec<_> = list(0, &[object("a", "1")])
            .into_iter()
            .flat_map(|(number, event)| together.take(number, event, nothing))
            .collect();
        out.extend(together.without(1));
        out.extend(together.without(1));
        for (number, event) in list(1, &[object("b", "2")]) {
            out.extend(together.take(number, event, nothing));
        }
        assert_eq!(show(&out), "[ =1 ] +2");
    }

    #[test]
    fn a_list_that_is_read_again_comes_out_as_what_has_changed() {
        let (a, b) = (object("a", "1"), object("b", "2"));
        let begin = [list(0, &[a.clone(), b.clone()]), list(1, &[])].concat();
        let again = list(0, &[b.clone(), object("a", "3")]);
        let later = vec![(1, Event::Apply(object("c", "4")))];
        let all = [begin, again, later].concat();
        assert_eq!(told(&all, &[a, b]), "[ =1 =2 ] -1 +2 +3 +4");
    }

    #[test]
    fn a_list_that_is_read_again_after_a_restore_comes_out_as_a_list_of_all() {
        let (a, b, c) = (object("a", "1"), object("b", "2"), object("c", "3"));
        let begin = [list(0, &[at(10, a.clone()), b.clone()]), list(1, &[at(90, c.clone())])];
        let begin = begin.concat();
        let (here, elsewhere) = ([at(50, a.clone()), b], [at(90, c)]);
        let again = |version| {
            let all = [begin.clone(), list(0, &[at(version, a.clone()), object("d", "4")])];
            told_beside(&all.concat(), &here, &elsewhere)
        };
        assert_eq!(again(50), "[ =1 =2 =3 ] -2 +1 +4");
        assert_eq!(again(9), "[ =1 =2 =3 ] [ =3 =1 =4 ]", "9 is less than 50, as a number");
    }
}
