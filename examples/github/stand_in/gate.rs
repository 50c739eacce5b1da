//! Holds answers back until a test lets them go.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{answer::Ask, matcher::Matcher};

/// Holds matching requests back until it is opened or dropped.
#[derive(Debug)]
pub struct Gate {
    counts: Arc<watch::Sender<Counts>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    open: bool,
    arrived: usize,
    dropped: usize,
    passed: usize,
}

impl Gate {
    /// Waits until a request has arrived, and says how many have.
    pub async fn arrived(&self) -> usize {
        self.arrived_times(1).await
    }

    /// Waits until so many requests have arrived, and says how many have.
    pub async fn arrived_times(&self, times: usize) -> usize {
        self.reach(|counts| counts.arrived, times).await
    }

    /// Waits until a client has given up a held request, and says how many have.
    pub async fn dropped(&self) -> usize {
        self.dropped_times(1).await
    }

    /// Waits until clients have given up so many held requests, and says how many have.
    pub async fn dropped_times(&self, times: usize) -> usize {
        self.reach(|counts| counts.dropped, times).await
    }

    /// How many requests are held at this moment.
    pub fn held(&self) -> usize {
        let counts = *self.counts.borrow();
        counts.arrived - counts.dropped - counts.passed
    }

    /// Lets those that are held and all that come later pass.
    ///
    /// They are answered from the world as it is from then on.
    pub fn open(&self) {
        self.counts.send_modify(|counts| counts.open = true);
    }

    async fn reach(&self, count: impl Fn(&Counts) -> usize, times: usize) -> usize {
        let mut counts = self.counts.subscribe();
        let reached = counts.wait_for(|counts| count(counts) >= times).await;
        count(&reached.expect("the gate itself keeps the sender"))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// All gates that were ever put up and are not open.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<Vec<(Matcher, Arc<watch::Sender<Counts>>)>>);

impl Gates {
    pub(super) fn add(&self, matcher: Matcher) -> Gate {
        let counts = Arc::new(watch::Sender::new(Counts::default()));
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|(_, counts)| !counts.borrow().open);
        gates.push((matcher, Arc::clone(&counts)));
        Gate { counts }
    }

    /// Returns once every gate that this request fits is open.
    pub(super) async fn pass(&self, ask: &Ask, alias: Option<&str>) {
        let gates: Vec<_> = {
            let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fitting = gates.iter().filter(|(matcher, _)| matcher.fits(ask, alias));
            fitting.map(|(_, counts)| Arc::clone(counts)).collect()
        };
        for counts in gates {
            if counts.borrow().open {
                continue;
            }
            let mut waiting = Waiting::new(&counts);
            let opened = counts.subscribe().wait_for(|counts| counts.open).await.is_ok();
            waiting.passed = opened;
        }
    }
}

/// A request at a gate. Dropped before it passed, it was given up by its client.
struct Waiting<'a> {
    counts: &'a watch::Sender<Counts>,
    passed: bool,
}

impl<'a> Waiting<'a> {
    fn new(counts: &'a watch::Sender<Counts>) -> Self {
        counts.send_modify(|counts| counts.arrived += 1);
        Self { counts, passed: false }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.counts.send_modify(|counts| {
            if self.passed {
                counts.passed += 1;
            } else {
                counts.dropped += 1;
            }
        });
    }
}
