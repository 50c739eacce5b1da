//! The storm: three operators on one database, people who ask for runs all the time, and one fault
//! after another, each in the middle of a run. It goes in rounds; each has options and faults of its
//! own, which its seed chooses, and ends calm: then all requests must end, the Lease be free, the
//! tables be what GitHub has, and the history break no rule.
//!
//! `SEED=… MINUTES=… make chaos` plays it alone and longer, both databases beside each other. The
//! faults are those of the seed; when exactly they meet what the operators do is not.

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
use self::round::Round;
use self::tally::Tally;
use crate::support::cluster;

/// How long the faults of one round go on, at most.
const ROUND: Duration = Duration::from_secs(100);

fn setting(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|it| it.into_string().ok())
}

/// One round after another with this database, until the time is over.
async fn rounds(base: Base, seed: u64, until: Instant, api: kube::Client, alone: bool) -> Tally {
    let mut tally = Tally::default();
    for number in 0.. {
        let round = Round { base, seed: seed + number, alone };
        let end = until.min(Instant::now() + ROUND);
        let name = format!("SEED={} BASE={base:?}", round.seed);
        let mut round_tally = Tally { rounds: 1, ..Tally::default() };
        let told = AssertUnwindSafe(round.play(&api, end, &mut round_tally)).catch_unwind().await;
        if told.is_err() {
            round_tally.violations.push(name.clone());
        }
        println!("{}", round_tally.summary(ROUND.as_secs_f64() / 60.0, round.seed));
        tally.add(round_tally);
        if Instant::now() + Duration::from_secs(5) > until {
            break;
        }
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_runs_go_one_by_one_and_every_request_ends() {
    let minutes: f64 = setting("MINUTES").and_then(|it| it.parse().ok()).unwrap_or(0.4);
    let seed: u64 = setting("SEED").and_then(|it| it.parse().ok()).unwrap_or(1);
    let alone = setting("CHAOS").is_some();
    println!("SEED={seed} MINUTES={minutes}");
    let api = cluster().second().await;
    let until = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut tally = Tally::default();
    let bases = match setting("BASE").as_deref() {
        Some("Sqlite") => vec![Base::Sqlite],
        Some("Postgres") => vec![Base::Postgres],
        _ => vec![Base::Sqlite, Base::Postgres],
    };
    let lanes = bases.into_iter().map(|base| rounds(base, seed, until, api.clone(), alone));
    for lane in futures::future::join_all(lanes).await {
        tally.add(lane);
    }
    println!("{}", tally.table());
    let lacks = tally.lacks(minutes);
    println!("{}", tally.summary(minutes, seed));
    assert!(tally.violations.is_empty(), "see above: {:#?}", tally.violations);
    assert!(lacks.is_empty(), "too little has happened to show anything: {lacks:#?}");
}
