//! The storm: three operators on one database, people who ask for runs all the time, and one fault
//! after another, each in the middle of a run. It goes in rounds; each has options and faults of its
//! own, which its seed chooses, and ends calm: then all requests must end, the Lease be free, the
//! tables be what GitHub has, and the history break no rule.
//!
//! `SEED=… MINUTES=… make chaos` plays it alone and longer, both databases beside each other, or the one
//! that `BASE` names. The faults are those of the seed; when exactly they meet what the operators do is
//! not.

mod board;
mod faults;
mod fleet;
mod kind;
mod round;
mod tally;
mod users;
mod wire;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;

use self::kind::Base;
use self::round::{End, Round};
use self::tally::Tally;
use crate::support::{cluster, setting};

/// How long the faults of one round go on, at most.
const ROUND: Duration = Duration::from_secs(100);
/// A round shorter than this is not begun.
const LEAST: Duration = Duration::from_secs(5);
/// How many faults there are when nobody says how long.
const SHORT: usize = 8;

/// One round after another with this database, until the time is over; or a short one.
async fn rounds(base: Base, seed: u64, until: Option<Instant>, api: kube::Client) -> Tally {
    let mut tally = Tally::default();
    for number in 0.. {
        let round = Round { base, seed: seed + number, alone: until.is_some() };
        let end = match until {
            Some(until) => End::At(until.min(Instant::now() + ROUND)),
            None => End::After(SHORT),
        };
        let mut of_round = Tally { rounds: 1, ..Tally::default() };
        let told = AssertUnwindSafe(round.play(&api, end, &mut of_round)).catch_unwind().await;
        let name = format!("SEED={} BASE={base:?}", round.seed);
        if told.is_err() {
            of_round.violations.push(name.clone());
        }
        println!("{}", of_round.summary(&name));
        tally.add(of_round);
        if until.is_none_or(|until| Instant::now() + LEAST > until) {
            break;
        }
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_runs_go_one_by_one_and_every_request_ends() {
    let minutes: Option<f64> = setting("MINUTES").map(|it| it.parse().expect("MINUTES=60"));
    let seed: u64 = setting("SEED").map_or(1, |it| it.parse().expect("SEED is a number"));
    let api = cluster().second().await;
    let until = minutes.map(|it| Instant::now() + Duration::from_secs_f64(it * 60.0));
    let bases = match setting("BASE").as_deref() {
        Some("Sqlite") => vec![Base::Sqlite],
        Some("Postgres") => vec![Base::Postgres],
        Some(other) => panic!("BASE is Sqlite or Postgres, not {other}"),
        None => vec![Base::Sqlite, Base::Postgres],
    };
    let mut tally = Tally::default();
    let lanes = bases.into_iter().map(|base| rounds(base, seed, until, api.clone()));
    for lane in futures::future::join_all(lanes).await {
        tally.add(lane);
    }
    println!("{}", tally.table());
    println!("{}", tally.summary(&format!("chaos SEED={seed} MINUTES={}", minutes.unwrap_or(0.0))));
    assert!(tally.violations.is_empty(), "see above: {:#?}", tally.violations);
    assert!(tally.takeovers > 0, "nobody was replaced");
    let lacks = tally.lacks(minutes.unwrap_or(0.0));
    assert!(lacks.is_empty(), "too little has happened to show anything: {lacks:#?}");
}
