//! A history that nothing is wrong with, to be broken by hand: three requests; the second is run
//! twice, since the process that ran it first was killed.

use chrono::{DateTime, TimeDelta, Utc};
use singletrack::api::Phase;

use super::{Accepted, Floor, History, Kept, Lease, Request, Run, Times};

pub(super) const FLOOR: Floor = Floor { runs: 4, takeovers: 1, interrupted: 1, rows: 4 };

pub(super) const TIMES: Times = Times {
    stale_after: std::time::Duration::from_secs(60),
    heartbeat: std::time::Duration::from_secs(2),
};

pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

pub(super) fn request(uid: &str, phase: Phase, run: impl Into<Option<i64>>) -> Kept {
    let place = uid.bytes().map(i64::from).sum::<i64>();
    let order = (0, place, 0, "space".to_owned(), uid.to_owned());
    let (uid, barred) = (uid.to_owned(), phase.is_terminal());
    Kept::Request(Request {
        uid,
        phase,
        run: run.into(),
        order,
        ready: true,
        barred,
        forged: false,
    })
}

pub(super) fn lease(holder: &str, number: i64, request: &str, second: i64) -> Kept {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let pod = holder.split('_').next().unwrap_or_default();
    Kept::Lease(Lease {
        holder: some(holder),
        pod_uid: format!("uid-of-{pod}"),
        number,
        request: some(request),
        acquired_at: Some(at(second)),
        renewed_at: Some(at(second)),
    })
}

fn activated(run: i64, holder: &str) -> Accepted {
    Accepted::Activated { run, holder: holder.to_owned() }
}

fn row(run: i64) -> Accepted {
    Accepted::Row { run, table: "issues".to_owned() }
}

fn run(number: i64, state: &str, request: &str, takeover: Option<&str>) -> Run {
    let (state, request) = (state.to_owned(), request.to_owned());
    Run { number, state, request, takeover: takeover.map(str::to_owned) }
}

pub(super) fn history() -> History {
    use Phase::{Pending, Queued, Running, Succeeded};
    History {
        kept: vec![
            lease("", 0, "", 0),
            request("a", Pending, None),
            request("a", Queued, None),
            lease("one_b_1", 1, "a", 1),
            request("b", Queued, None),
            request("c", Queued, None),
            request("a", Running, 1),
            request("a", Succeeded, 1),
            lease("", 1, "a", 2),
            lease("one_b_2", 2, "b", 3),
            request("b", Running, 2),
            // Killed here; its pod is gone.
            lease("two_b_1", 3, "b", 10),
            request("b", Queued, 2),
            request("b", Running, 3),
            request("b", Succeeded, 3),
            lease("", 3, "b", 11),
            lease("two_b_2", 4, "c", 12),
            request("c", Running, 4),
            request("c", Succeeded, 4),
            lease("", 4, "c", 13),
        ],
        accepted: vec![
            activated(1, "one_b_1"),
            row(1),
            activated(2, "one_b_2"),
            row(2),
            activated(3, "two_b_1"),
            row(3),
            activated(4, "two_b_2"),
            row(4),
        ],
        runs: vec![
            run(1, "succeeded", "a", None),
            run(2, "interrupted", "b", None),
            run(3, "succeeded", "b", Some("PodGone")),
            run(4, "succeeded", "c", None),
        ],
        times: Some(TIMES),
    }
}
