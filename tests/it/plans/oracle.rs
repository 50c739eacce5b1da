//! How often something was written: what must have happened once has happened once.
//!
//! The history checker says that nothing happened in a wrong order. Here it is about numbers: each
//! request ends by one write, has no more runs than it needs, and nobody tells of what was not.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use singletrack::api::SyncRequest;

use crate::history::{History, Kept};
use crate::support::Namespace;

/// What is left when a story has ended.
pub(super) struct Ended {
    pub(super) history: History,
    /// Those that are still there.
    pub(super) requests: Vec<SyncRequest>,
    /// The uids of the requests that Events are about, with the reasons.
    pub(super) events: Vec<(String, String)>,
    pub(super) logs: String,
}

/// What the plan explains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The most runs that there may be.
    pub(super) runs: usize,
    /// Whether the Lease was deleted by hand.
    pub(super) lease_deleted: bool,
    /// Whether somebody was silent for the whole duration.
    pub(super) silence: bool,
}

impl Bounds {
    pub(super) fn runs(runs: usize) -> Self {
        Self { runs, lease_deleted: false, silence: false }
    }
}

/// The Events in a namespace.
pub(super) async fn events(space: &Namespace) -> Vec<(String, String)> {
    let events: Api<Event> = Api::namespaced(space.client.clone(), &space.name);
    let events = events.list(&ListParams::default()).await.expect("events can be listed");
    let told = |event: Event| Some((event.regarding?.uid?, event.reason?));
    events.items.into_iter().filter_map(told).collect()
}

/// All that the operators have logged.
pub(super) fn logs(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).expect("the folder is there").flatten();
    let logs =
        files.map(|file| file.path()).filter(|it| it.extension().is_some_and(|e| e == "log"));
    logs.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect()
}

/// What happened too often or never.
pub(super) fn judge(ended: &Ended, bounds: Bounds) -> Vec<String> {
    let mut wrong = Vec::new();
    ends(ended, &mut wrong);
    runs(ended, bounds, &mut wrong);
    takeovers(ended, bounds, &mut wrong);
    let gone = ended.history.kept.iter().filter(|it| matches!(it, Kept::LeaseGone)).count();
    // A name can be created a second time only after it has gone.
    if gone > 0 && !bounds.lease_deleted {
        wrong.push("the Lease was deleted".to_owned());
    }
    for line in ended.logs.lines().filter(|it| it.contains("panicked at") || it.contains("ERROR")) {
        wrong.push(format!("logged: {line}"));
    }
    wrong
}

/// Each request has one version that has ended, and nothing is written to it afterwards.
fn ends(ended: &Ended, wrong: &mut Vec<String>) {
    let mut terminal: BTreeMap<&str, usize> = BTreeMap::new();
    for kept in &ended.history.kept {
        if let Kept::Request(request) = kept {
            *terminal.entry(&request.uid).or_default() += usize::from(request.phase.is_terminal());
        }
    }
    for (uid, times) in terminal {
        let there = ended.requests.iter().any(|it| it.uid().as_deref() == Some(uid));
        if times > 1 || (there && times == 0) {
            wrong.push(format!("{uid} has ended by {times} writes"));
        }
    }
}

/// Each attempt is a run, and each run an attempt that was not cut short: interrupted, or cancelled
/// before it was shown.
fn runs(ended: &Ended, bounds: Bounds, wrong: &mut Vec<String>) {
    let all = &ended.history.runs;
    if all.len() > bounds.runs {
        wrong.push(format!("{} runs where {} are enough", all.len(), bounds.runs));
    }
    for request in &ended.requests {
        let uid = request.uid().unwrap_or_default();
        let own = all.iter().filter(|run| run.request == uid);
        let is_cut = |state: &str| matches!(state, "interrupted" | "cancelled");
        let (cut, whole): (Vec<_>, Vec<_>) = own.partition(|run| is_cut(&run.state));
        let attempts = request.status.as_ref().and_then(|status| status.attempts).unwrap_or(0);
        let attempts = usize::try_from(attempts).unwrap_or(usize::MAX);
        if attempts < whole.len() || attempts > whole.len() + cut.len() {
            let name = request.name_any();
            let (whole, cut) = (whole.len(), cut.len());
            wrong.push(format!("{name}: {attempts} attempts, {whole} runs and {cut} cut short"));
        }
    }
}

/// Nobody tells of a takeover that was none, and the whole duration is waited for by nobody.
fn takeovers(ended: &Ended, bounds: Bounds, wrong: &mut Vec<String>) {
    let taken = || ended.history.runs.iter().filter(|run| run.takeover.is_some());
    for (uid, _) in ended.events.iter().filter(|(_, reason)| reason == "TakenOver") {
        if !taken().any(|run| run.request == *uid) {
            wrong.push(format!("an Event tells of a takeover by {uid}, which was none"));
        }
    }
    for run in taken().filter(|_| !bounds.silence) {
        let reason = run.takeover.as_deref().unwrap_or_default();
        if !matches!(reason, "OwnEarlier" | "PodGone") {
            wrong.push(format!("run {} has waited for the duration: {reason}", run.number));
        }
    }
}

mod tests {
    use singletrack::api::Phase;

    use super::*;
    use crate::history::{Request, Run};

    fn request(phase: Phase) -> Kept {
        let order = (0, 0, 0, String::new(), String::new());
        let (uid, barred) = ("u".into(), phase.is_terminal());
        Kept::Request(Request {
            uid,
            phase,
            run: Some(1),
            order,
            ready: true,
            barred,
            forged: false,
        })
    }

    fn run(number: i64, takeover: Option<&str>) -> Run {
        let (state, takeover) = ("succeeded".into(), takeover.map(str::to_owned));
        Run { number, state, request: "u".into(), takeover }
    }

    fn good() -> Ended {
        let kept = vec![request(Phase::Running), request(Phase::Succeeded)];
        let history = History { kept, runs: vec![run(1, Some("PodGone"))], ..History::default() };
        let mut left = SyncRequest::new("a", spec());
        left.metadata.uid = Some("u".into());
        left.status =
            Some(singletrack::api::SyncRequestStatus { attempts: Some(1), ..Default::default() });
        let events = vec![("u".into(), "TakenOver".into())];
        Ended { history, requests: vec![left], events, logs: "INFO fine".into() }
    }

    fn spec() -> singletrack::api::SyncRequestSpec {
        singletrack::api::SyncRequestSpec::of(singletrack::api::RunType::Manual)
    }

    type Spoil = fn(&mut Ended);

    /// Each thing that is told twice, or was not, is found, and nothing in what is right.
    #[test]
    fn what_happened_too_often_is_found() {
        let rows: [(&str, Spoil); 7] = [
            ("has ended by 2 writes", |it| it.history.kept.push(request(Phase::Succeeded))),
            ("has ended by 0 writes", |it| drop(it.history.kept.pop())),
            ("2 runs where 1 are enough", |it| it.history.runs.push(run(2, None))),
            ("2 attempts", |it| it.requests[0].status.as_mut().unwrap().attempts = Some(2)),
            ("which was none", |it| it.history.runs[0].takeover = None),
            ("waited for the duration", |it| it.history.runs[0].takeover = Some("Silent".into())),
            ("the Lease was deleted", |it| it.history.kept.push(Kept::LeaseGone)),
        ];
        assert_eq!(judge(&good(), Bounds::runs(1)), Vec::<String>::new());
        for (words, spoil) in rows {
            let mut ended = good();
            spoil(&mut ended);
            let wrong = judge(&ended, Bounds::runs(1));
            assert!(wrong.iter().any(|it| it.contains(words)), "{words}: {wrong:?}");
        }
        let panicked = Ended { logs: "thread panicked at x".into(), ..good() };
        assert_eq!(judge(&panicked, Bounds::runs(1)).len(), 1);
    }
}
