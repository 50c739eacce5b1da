//! A disk that kills the operator at a write, is full or broken for a while, or slow.
//!
//! strace does it to the write-ahead log of SQLite, without a word in the product. When the fault has
//! passed all must go on by itself, and the rows be those of a good disk. Where there is no strace, there are
//! none of these plans.

use std::future::pending;
use std::path::Path;

use super::Told;
use super::oracle::Bounds;
use super::stage::Stage;
use super::story::Story;
use crate::history::Floor;
use crate::support::{Operator, poll};

/// What happens to the writes of one thread, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The operator dies at this write, and another one goes on.
    Killed { write: usize, same_pod: bool },
    /// There is no space from this write on, until it has been met, or until the operator has told
    /// that the store is away.
    Full { write: usize, told: bool },
    /// The writes from this one on fail, for as long.
    Broken { write: usize, told: bool },
    /// Each time that data must reach the disk it takes this long.
    Slow { millis: usize },
}

impl Fault {
    /// The words of strace for it.
    fn words(self) -> [String; 2] {
        let (calls, what) = match self {
            Self::Killed { write, .. } => ("pwrite64", format!("signal=SIGKILL:when={write}")),
            Self::Full { write, .. } => ("pwrite64", format!("error=ENOSPC:when={write}+")),
            Self::Broken { write, .. } => ("pwrite64", format!("error=EIO:when={write}+")),
            Self::Slow { millis } => ("fdatasync,fsync", format!("delay_exit={}", millis * 1_000)),
        };
        [format!("trace={calls}"), format!("inject={calls}:{what}")]
    }
}

/// Whether there is an strace that works here.
pub(crate) fn is_possible() -> bool {
    let tried = std::process::Command::new("strace").args(["-qq", "-e", "none", "true"]).output();
    tried.is_ok_and(|it| it.status.success())
}

/// strace over the write-ahead log in this folder.
fn strace(folder: &Path, said: &str, words: &[String]) -> Vec<String> {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    // The operator stays our child, and strace may be told to end before it.
    let mut tool: Vec<String> =
        "strace -D -I1 -f -qqq -e signal=none -o".split(' ').map(str::to_owned).collect();
    tool.extend([path(said), "-P".to_owned(), path("store.db-wal")]);
    for word in words {
        tool.extend(["-e".to_owned(), word.clone()]);
    }
    tool
}

/// Tells a story on such a disk, or on a good one.
pub(super) async fn tell(story: Story, fault: Option<Fault>) -> Told {
    let stage = Stage::new("disk").await;
    let words = fault.map_or(vec!["trace=pwrite64".to_owned()], |fault| fault.words().to_vec());
    let tool = strace(stage.home.folder(), "strace.txt", &words);
    let mut operators = vec![stage.operator("one").under(&tool).start()];
    let seen = || std::fs::read_to_string(stage.home.folder().join("strace.txt"));
    let passes = async |first: &mut Operator| {
        match fault {
            Some(Fault::Killed { .. }) => {
                first.ended().await;
                return;
            }
            Some(Fault::Full { told, .. } | Fault::Broken { told, .. }) => {
                let met = async || seen().is_ok_and(|it| it.contains("INJECTED")).then_some(());
                poll("the fault is met", met).await;
                if told {
                    first.says("not ready part=\"store\"").await;
                }
                first.untrace();
            }
            Some(Fault::Slow { .. }) | None => {}
        }
        pending::<()>().await;
    };
    let same_pod = matches!(fault, Some(Fault::Killed { same_pod: true, .. }));
    let killed = stage.told(story, &mut operators, passes, same_pod).await;
    let seen = seen().unwrap_or_default();
    let met = killed || seen.contains("INJECTED") || seen.contains("DELAYED");
    let floor = Floor { runs: 1, rows: 1, ..Floor::default() };
    // A store that is lost in a run costs no attempt, and each time a run.
    let runs = story.runs() + if fault.is_some() { 4 } else { 0 };
    let rows = stage.end(operators, floor, Bounds::runs(runs)).await;
    Told { rows, writes: writes(&seen), met }
}

/// The writes of the thread that has made the most of them.
fn writes(seen: &str) -> Vec<String> {
    let thread = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let mut of_threads = std::collections::BTreeMap::<String, Vec<String>>::new();
    for line in seen.lines().filter(|line| line.contains("pwrite64(")) {
        of_threads.entry(thread(line)).or_default().push(line.to_owned());
    }
    of_threads.into_values().max_by_key(Vec::len).unwrap_or_default()
}

/// Faults all over the writes that a good disk has shown, or at all of them: which ones there are
/// differs a little from time to time, and a plan of another time must be found.
pub(super) fn faults(writes: usize, all: bool) -> Vec<Fault> {
    let (last, step) = if all { (writes + 9, 1) } else { (writes, (writes / 30).max(1)) };
    let mut faults = Vec::new();
    for (at, write) in (1..=last).step_by(step).enumerate() {
        let pods = [true, false].into_iter().filter(|same| all || *same == (at % 2 == 0));
        faults.extend(pods.map(|same_pod| Fault::Killed { write, same_pod }));
    }
    let step = if all { 1 } else { (writes / 8).max(1) };
    for write in (1..=last).step_by(step) {
        for told in [false, true] {
            faults.push(Fault::Full { write, told });
            faults.push(Fault::Broken { write, told });
        }
    }
    faults.extend([20, 100].map(|millis| Fault::Slow { millis }));
    faults
}
