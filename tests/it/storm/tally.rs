//! What has happened in all rounds, and whether it was enough to show anything.

use std::collections::BTreeMap;

use super::kind::Kind;

/// What an hour must bring at least. Less shows nothing, however good it looks.
const AN_HOUR: Floors =
    Floors { faults: 1500, kinds: 24, of_each: 15, requests: 5000, takeovers: 300, refused: 100 };

struct Floors {
    faults: usize,
    /// So many kinds, each so often while a run was running.
    kinds: usize,
    of_each: usize,
    requests: usize,
    takeovers: usize,
    /// Late writes that the store has refused.
    refused: usize,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How often each kind, and how often while a run was running.
    pub(super) faults: BTreeMap<Kind, (usize, usize)>,
    pub(super) rounds: usize,
    pub(super) requests: usize,
    pub(super) runs: usize,
    pub(super) interrupted: usize,
    pub(super) takeovers: usize,
    pub(super) refused: usize,
    pub(super) versions: usize,
    pub(super) commits: usize,
    /// Which round, and what it has shown.
    pub(super) violations: Vec<String>,
}

impl Tally {
    pub(super) fn count(&mut self, kind: Kind, while_running: bool) {
        let (all, running) = self.faults.entry(kind).or_default();
        *all += 1;
        *running += usize::from(while_running);
    }

    pub(super) fn add(&mut self, other: Self) {
        for (kind, (all, running)) in other.faults {
            let mine = self.faults.entry(kind).or_default();
            mine.0 += all;
            mine.1 += running;
        }
        self.rounds += other.rounds;
        self.requests += other.requests;
        self.runs += other.runs;
        self.interrupted += other.interrupted;
        self.takeovers += other.takeovers;
        self.refused += other.refused;
        self.versions += other.versions;
        self.commits += other.commits;
        self.violations.extend(other.violations);
    }

    fn all(&self) -> usize {
        self.faults.values().map(|(all, _)| all).sum()
    }

    /// What is less than these minutes ought to bring.
    pub(super) fn lacks(&self, minutes: f64) -> Vec<String> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small and positive"
        )]
        let least = |an_hour: usize| {
            (f64::from(u32::try_from(an_hour).expect("small")) * minutes / 60.0) as usize
        };
        let of_each = least(AN_HOUR.of_each);
        let kinds = self.faults.values().filter(|(_, running)| *running >= of_each.max(1)).count();
        // In a short time not every kind has its turn.
        let kinds_due = if of_each == 0 { 0 } else { AN_HOUR.kinds };
        let wanted = [
            ("faults", self.all(), least(AN_HOUR.faults)),
            ("kinds often enough while a run was running", kinds, kinds_due),
            ("requests", self.requests, least(AN_HOUR.requests)),
            ("takeovers", self.takeovers, least(AN_HOUR.takeovers)),
            ("late writes refused", self.refused, least(AN_HOUR.refused)),
        ];
        let short = wanted.into_iter().filter(|(_, there, due)| there < due);
        short.map(|(what, there, due)| format!("{there} {what}, and {due} are due")).collect()
    }

    pub(super) fn table(&self) -> String {
        let mut text = format!("{:<20} {:>6} {:>14}\n", "fault", "times", "while running");
        for (kind, (all, running)) in &self.faults {
            text.push_str(&format!("{:<20} {all:>6} {running:>14}\n", format!("{kind:?}")));
        }
        text
    }

    /// All in one line, after the name of what it sums up.
    pub(super) fn summary(&self, name: &str) -> String {
        let rarest = self.faults.iter().min_by_key(|(_, (_, running))| *running);
        let rarest = rarest.map_or("none".to_owned(), |(kind, (_, n))| format!("{kind:?}, {n}"));
        format!(
            "{name}: {} rounds; {} faults of {} kinds (the rarest while a \
             run was running: {rarest}); {} requests, {} runs, {} interrupted, {} takeovers, {} late \
             writes refused; {} versions and {} commits checked; {} violations",
            self.rounds,
            self.all(),
            self.faults.len(),
            self.requests,
            self.runs,
            self.interrupted,
            self.takeovers,
            self.refused,
            self.versions,
            self.commits,
            self.violations.len(),
        )
    }
}

#[test]
fn a_storm_in_which_little_happens_does_not_count() {
    let mut tally = Tally::default();
    assert_eq!(tally.lacks(60.0).len(), 5);
    assert!(tally.lacks(0.0).is_empty());
    for kind in Kind::of(super::kind::Base::Sqlite, true) {
        for _ in 0..50 {
            tally.count(kind, true);
        }
    }
    (tally.requests, tally.takeovers, tally.refused) = (5000, 300, 100);
    assert_eq!(tally.lacks(60.0), Vec::<String>::new());
    tally.refused = 99;
    assert_eq!(tally.lacks(60.0), ["99 late writes refused, and 100 are due"]);
}
