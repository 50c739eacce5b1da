//! An operator is killed at one of its writes at the API server, and another one goes on.

use std::future::pending;

use super::Told;
use super::oracle::Bounds;
use super::stage::Stage;
use super::story::Story;
use crate::history::Floor;
use crate::support::{Moment, Operator, Proxy};

/// Where it is killed, and who goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crash {
    pub(super) write: usize,
    pub(super) moment: Moment,
    /// Whether the same pod comes back, or another one goes on.
    pub(super) same_pod: bool,
}

impl Story {
    /// The most runs that it needs when nobody is killed.
    pub(super) fn runs(self) -> usize {
        match self {
            Self::Manual | Self::Scheduled | Self::Deleted => 1,
            Self::TakenOver
            | Self::Cancelled
            | Self::DeletedInRun
            | Self::Retried
            | Self::Suspended => 2,
            // The first may begin before the others are seen, and one of these before the last.
            Self::Coalesced => 3,
        }
    }
}

/// Tells a story with this crash, or undisturbed.
pub(super) async fn tell(story: Story, crash: Option<Crash>) -> Told {
    let stage = Stage::new("crash").await;
    let proxy = Proxy::start(&stage.space).await;
    if let Some(crash) = crash {
        proxy.set_trap(crash.write, crash.moment);
    }
    story.prelude(&stage).await;
    let mut operators = vec![stage.behind(&proxy, stage.operator("one")).start()];
    let met = match crash {
        None => stage.told(story, &mut operators, async |_| pending().await, false).await,
        Some(crash) => {
            let killed = async |first: &mut Operator| {
                proxy.sprung().await;
                first.kill();
            };
            stage.told(story, &mut operators, killed, crash.same_pod).await
        }
    };
    let floor = Floor { runs: 1, rows: 1, ..Floor::default() };
    let bounds = Bounds::runs(story.runs() + usize::from(met));
    let rows = stage.end(operators, floor, bounds).await;
    Told { rows, writes: proxy.writes(), met }
}

/// All crashes of a story, from the writes that it has shown.
pub(super) fn crashes(writes: usize) -> Vec<Crash> {
    let mut crashes = Vec::new();
    for write in 0..writes {
        for moment in Moment::ALL {
            for same_pod in [true, false] {
                crashes.push(Crash { write, moment, same_pod });
            }
        }
    }
    crashes
}
