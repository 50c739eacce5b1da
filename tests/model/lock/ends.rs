//! Liveness, as something that can be said of each state: from here all comes to its end when
//! nothing goes wrong any more.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use singletrack::lease::{Ask, At};

use super::Faults;
use super::facts::{Clock, Facts, Silence, Told};
use super::world::{Action, FOREIGN, NONE, Nonce, World};

pub(super) const LOST: &str = "when faults stop, all ends; what is on its way is lost";
pub(super) const ARRIVES: &str = "when faults stop, all ends; what is on its way arrives";

/// In which order the processes take their turns.
#[derive(Clone, Copy, Hash)]
enum Turns {
    Forward,
    Reverse,
    /// Another order in each round.
    Seeded,
}

/// More rounds than anything needs: too few would be a false alarm, never a pass.
const ROUNDS: usize = 64;

static KEYS: ahash::RandomState = ahash::RandomState::with_seeds(1, 2, 3, 4);

/// A key that is a hash already.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// From where all is known to come to its end: most ways soon meet another that was gone before.
#[derive(Debug)]
pub(in crate::lock) struct Good([Mutex<HashSet<u64, BuildHasherDefault<Same>>>; 64]);

impl Default for Good {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Good {
    fn shard(&self, key: u64) -> MutexGuard<'_, HashSet<u64, BuildHasherDefault<Same>>> {
        let shard = &self.0[usize::from(key.to_le_bytes()[7] & 63)];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<const N: usize> World<N> {
    /// Whether all requests have run and nobody alive holds the Lease in the end, whoever is faster
    /// than the others. Nobody waits for the whole duration, and nobody looks dead who is alive.
    pub(super) fn ends(&self, arrive: bool, good: &Good) -> bool {
        // The other of the two is the same.
        if arrive && self.late.is_empty() {
            return true;
        }
        [Turns::Forward, Turns::Reverse, Turns::Seeded]
            .into_iter()
            .all(|turns| self.ends_with(arrive, turns, good))
    }

    fn ends_with(&self, arrive: bool, turns: Turns, good: &Good) -> bool {
        let mut world = self.clone();
        let mut late = std::mem::take(&mut world.late);
        if matches!(turns, Turns::Reverse) {
            late.reverse();
        }
        if arrive {
            for write in late {
                world.done(write, true);
            }
        }
        if world.lease.is_some_and(|lease| lease.paused) {
            world.edit(Action::Resume);
        }
        // What may still go wrong, and what has been seen, does not matter from here.
        world.left = Faults::default();
        let mut way = Vec::new();
        for _ in 0..ROUNDS {
            (world.granted, world.wrote, world.seen) = (0, 0, 0);
            let key = KEYS.hash_one((&world, turns));
            let ends = world.is_settled();
            // Another rule's matter: the way there is gone through step by step as well.
            if world.is_broken() {
                return true;
            }
            if ends || good.shard(key).contains(&key) {
                for key in way {
                    good.shard(key).insert(key);
                }
                return true;
            }
            way.push(key);
            for turn in (0..).take(N + 1) {
                world.turn(turns.whose(turn, N, key));
            }
        }
        false
    }

    fn turn(&mut self, who: u8) {
        self.work(who);
        if !self.may_act(who) {
            return;
        }
        if self.processes[usize::from(who)].ask == Ask::Get {
            let facts = self.truth(who);
            self.look(who, facts);
        } else {
            self.answer(who);
        }
    }

    /// Whether all has come to its end: who still looks at the Lease has nothing to take it for.
    fn is_settled(&self) -> bool {
        let rests = |at: &At<_, _>| matches!(at, At::Over | At::Waiting | At::Reading);
        let rest = self.processes.iter().all(|it| rests(&it.at) && it.run.is_none());
        rest && self.head() == NONE && !self.is_held()
    }

    /// What the process would really see after three heartbeats.
    fn truth(&self, who: u8) -> Facts {
        let silent = |lease: super::world::Lease| {
            let holder = lease.holder.filter(|holder| !self.is_alive(*holder))?;
            let again = self.processes[usize::from(who)].sighted == Some(lease.version);
            again.then(|| match holder {
                FOREIGN => Told::Unknown,
                Nonce(of, ..) if self.processes[usize::from(of)].pod == lease.pod => Told::There,
                _ => Told::Gone,
            })
        };
        match self.lease.and_then(silent) {
            None => Facts::FRESH,
            Some(pod) => Facts { silence: Silence::ThreeHeartbeats, clock: Clock::Right, pod },
        }
    }

    /// A Lease that a dead process holds while nobody asks may stay: whoever asks next takes it.
    fn is_held(&self) -> bool {
        let holder = self.lease.and_then(|lease| lease.holder);
        let process = |of: u8| self.processes.get(usize::from(of));
        holder.is_some_and(|Nonce(of, boot, _)| process(of).is_some_and(|it| it.boot == boot))
    }
}

impl Turns {
    /// Who has the turn. One has two in a round; each has one at least.
    fn whose(self, turn: u8, processes: usize, seed: u64) -> u8 {
        let processes = u8::try_from(processes).unwrap_or(u8::MAX);
        let [first, extra, ..] = seed.to_le_bytes();
        match self {
            Self::Forward => turn % processes,
            Self::Reverse => (2 * processes - 1 - turn) % processes,
            Self::Seeded if turn == 0 => extra % processes,
            Self::Seeded => (first % processes + turn) % processes,
        }
    }
}
