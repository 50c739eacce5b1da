//! The lock, without the keeper.

#[path = "../../src/lease/judge.rs"]
mod judge;
#[path = "../../src/lease/record.rs"]
mod record;
#[path = "../../src/lease/sighting.rs"]
mod sighting;
#[path = "../../src/lease/step.rs"]
mod step;
#[path = "../../src/lease/tenure.rs"]
mod tenure;
#[path = "../../src/lease/times.rs"]
mod times;

pub use judge::{Pod, Scene, TakenOver, Verdict, judge, pod_matters};
pub use record::{Claim, Record, grant, is_paused, release, renew, set_paused, vacant};
pub use sighting::Sighting;
pub use step::{Ask, At, Got, step};
pub use tenure::{Holder, RunNumber, Tenure};
pub use times::{Times, TimesDoNotFit};
