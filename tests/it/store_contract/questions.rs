//! The contract: the README's questions, asked of what others have recorded.

use chrono::TimeDelta;
use singletrack::api::RunType;
use singletrack::process::clock::Clock;
use singletrack::store::QUESTIONS;
use singletrack::sync::Parts;

use super::{Place, prepared};
use crate::auth;
use crate::recordings;
use crate::stand_in::{StandIn, World};
use crate::support::{Attempt, TOKEN};

/// How many rows answer each question, and some of them. They were counted in the recordings by
/// another program, too.
const ANSWERS: [(usize, &[&str]); QUESTIONS.len()] = [
    (11, &["recorded/objects | bug | 11", "recorded/objects | question | 3"]),
    (39, &["recorded/objects | 10 | Issue for label test | 1890"]),
    (6, &["user-71483a8b | 8", "user-41e006e0 | 2"]),
    (1, &["recorded/objects | 235 | 2820"]),
    (2, &["recorded/objects | 0 | 37 | 111", "recorded/objects | 1 | 19 | 545"]),
    (65, &["recorded/objects | 1044 | Line Number Indexes Beyond 20 Not Displayed | 6009"]),
    (0, &[]),
    (7, &["recorded/objects | Fast workflow | 51 | 35 | 339"]),
    (0, &[]),
    (1, &["1 | running |  |  |  |  | "]),
    (7, &["recorded/objects | issues.open | 180 | ", "recorded/objects | runs | 180 | "]),
    (0, &[]),
];

pub(super) async fn recorded_data_answers_what_people_ask(place: &dyn Place) {
    let Some(folder) = recordings::folder() else { return };
    let mut world = World::empty();
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(auth::start()));
    world.load_recordings(&folder).expect("the recordings can be read");
    world.load_recorded_automation(&folder).expect("the recordings can be read");
    let github = StandIn::start(world).await;
    prepared(place).await;
    place.stop_clock(auth::start() + TimeDelta::hours(3)).await;
    let database = place.another();
    let attempt = Attempt {
        parts: Parts::of(RunType::Scheduled, true),
        clock: Clock::starting_at(auth::start()),
        ..Attempt::over(&github)
    };
    let run = attempt.run(&database).await.conclusion;
    database.close().await;
    assert_eq!(run.result.quarantined, 0, "{}", run.message);
    let found = futures::future::join_all(QUESTIONS.map(|(_, _, sql)| place.rows(sql))).await;
    let answers = QUESTIONS.iter().zip(found).zip(ANSWERS);
    for (((view, question, _), rows), (count, some)) in answers {
        let rows: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
        let told = format!("{view}: {question}\n  {}", rows.join("\n  "));
        assert_eq!(rows.len(), count, "{told}");
        for row in some {
            assert!(rows.iter().any(|found| found == row), "no {row:?} in {told}");
        }
    }
}
