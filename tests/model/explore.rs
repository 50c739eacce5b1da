//! Goes through all states of a model, and prints how many there were.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;
use std::fs;
use std::hash::Hash;
use std::path::Path as File;
use std::time::{Duration, Instant};

use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, Model};

/// States, each with the action that leads to the next.
pub(super) type Way<M> = Vec<(<M as Model>::State, Option<<M as Model>::Action>)>;

/// A state, and from which of the earlier ones it was reached.
type Known<M> = (<M as Model>::State, Option<(usize, <M as Model>::Action)>);

/// How much is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// Rows of less than a million states: a few seconds, for those who change the code on purpose.
    Small,
    /// As `make test` does.
    Usual,
    /// As `make model` does.
    Long,
}

impl Size {
    /// What the variable `MODEL` asks for.
    pub(super) fn asked() -> Self {
        let asked = std::env::var_os("MODEL").unwrap_or_default();
        match asked.to_str() {
            Some("small") => Self::Small,
            Some("long") => Self::Long,
            _ => Self::Usual,
        }
    }
}

/// Goes through everything that may happen. Fails with a counterexample; gives a remark when there are
/// not exactly so many states: then it was a part by accident, or another protocol.
#[track_caller]
pub(super) fn explore<M>(
    name: &str,
    model: &M,
    states: usize,
    table: impl Fn(Way<M>) -> String,
) -> Option<String>
where
    M: Model + Clone + Send + Sync + 'static,
    M::State: Hash + Send + Sync + Debug + Clone + PartialEq,
    M::Action: Send + Sync + Debug + Clone + PartialEq,
{
    let started = Instant::now();
    let checker = model.clone().checker().threads(2).spawn_dfs();
    let checker = checker.join_and_report(&mut Progress { name, told: Duration::ZERO });
    let found = checker.unique_state_count();
    let (depth, seconds) = (checker.max_depth(), started.elapsed().as_secs_f64());
    println!("{name:<60} {found:>12} states  depth {depth:>4}  {seconds:>6.1} s");
    for property in model.properties() {
        if let Some(path) = checker.discovery(property.name) {
            panic!("{}\n{}", property.name, table(path.into_vec()));
        }
    }
    (found != states).then(|| format!("{name}: {found} states, not {states}"))
}

/// Says each minute how far a search is: the longest takes a quarter of an hour.
struct Progress<'a> {
    name: &'a str,
    told: Duration,
}

impl<M: Model> Reporter<M> for Progress<'_> {
    fn report_checking(&mut self, data: ReportData) {
        if data.duration < self.told + Duration::from_mins(1) || data.done {
            return;
        }
        self.told = data.duration;
        let (name, states, seconds) = (self.name, data.unique_states, data.duration.as_secs_f64());
        println!("{name:<60} {states:>12} so far               {seconds:>6.1} s");
    }

    /// [`explore`] shows them, as tables.
    fn report_discoveries(&mut self, _: &M, _: BTreeMap<&'static str, ReportDiscovery<M>>)
    where
        M::Action: Debug + PartialEq,
        M::State: Debug + Hash + PartialEq,
    {
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(200)
    }
}

/// Finds the shortest way to something broken, and compares it with the one that is kept.
#[track_caller]
pub(super) fn refute<M>(
    name: &str,
    about: &str,
    model: &M,
    rule: &str,
    table: impl Fn(Way<M>) -> String,
) where
    M: Model,
    M::State: Hash + Clone,
    M::Action: Clone,
{
    let Some((broken, way)) = shortest(model) else { panic!("{name} breaks nothing") };
    let text = format!("{about}\nBroken: {broken}\n\n{}", table(way));
    println!("{name}: {text}");
    assert_eq!(broken, rule, "{name} breaks another rule");
    keep(&format!("tests/model/snapshots/{name}.txt"), &text);
}

/// Breadth first, in the order of the actions, so that it is always the same. The checker's own
/// search keeps the last counterexample that it comes by before it stops, not the first.
fn shortest<M>(model: &M) -> Option<(&'static str, Way<M>)>
where
    M: Model,
    M::State: Hash + Clone,
    M::Action: Clone,
{
    let keys = ahash::RandomState::with_seeds(1, 2, 3, 4);
    let mut known = HashSet::new();
    let mut states: Vec<Known<M>> = Vec::new();
    for state in model.init_states() {
        known.insert(keys.hash_one(&state));
        states.push((state, None));
    }
    let mut at = 0;
    while at < states.len() {
        let state = states[at].0.clone();
        let broken = model.properties().into_iter().find(|it| !(it.condition)(model, &state));
        if let Some(broken) = broken {
            return Some((broken.name, way::<M>(&states, at)));
        }
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        for action in actions {
            let next = model.next_state(&state, action.clone());
            let Some(next) = next.filter(|next| known.insert(keys.hash_one(next))) else {
                continue;
            };
            states.push((next, Some((at, action))));
        }
        at += 1;
    }
    None
}

/// The steps to the last of these states.
fn way<M>(states: &[Known<M>], last: usize) -> Way<M>
where
    M: Model,
    M::State: Clone,
    M::Action: Clone,
{
    let (state, from) = &states[last];
    let mut from = from;
    let mut way = vec![(state.clone(), None)];
    while let Some((before, action)) = from {
        let (state, earlier) = &states[*before];
        way.push((state.clone(), Some(action.clone())));
        from = earlier;
    }
    way.reverse();
    way
}

/// Checks that the file says `expected`. If not, writes it, and fails so that you commit it.
#[track_caller]
fn keep(path: &str, expected: &str) {
    let file = File::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if fs::read_to_string(&file).is_ok_and(|found| found == expected) {
        return;
    }
    fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder");
    fs::write(&file, expected).expect("the file can be written");
    panic!("{path} was out of date and has been rewritten: commit it");
}
