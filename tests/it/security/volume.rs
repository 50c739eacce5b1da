//! Answers that are too much: the repository fails in words, and the others go on.

use http::StatusCode;
use singletrack::api::{Phase, RepositoryPhase};

use crate::stand_in::{Fault, Matcher};
use crate::support::Attempt;
use crate::sync::{start, store};

#[tokio::test]
async fn answers_without_end_cost_their_repository_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (github, store) = (start(5, 20, false).await, store(folder.path()).await);
    let issues = |n: usize| Matcher::get(&format!("/repos/acme/widgets-{n}/issues"));
    let deep = format!("[{{\"x\":{}{}}}]", "[".repeat(10_000), "]".repeat(10_000));
    let deep =
        Fault::Status { status: StatusCode::OK, headers: Vec::new(), body: deep.into_bytes() };
    github.inject(issues(0), 0, None, Fault::HugeBody { bytes: 2 << 30 });
    github.inject(issues(1), 0, None, Fault::GzipBomb { bytes: 2 << 30 });
    github.inject(issues(2), 0, None, deep);
    let came = Attempt::over(&github).run(&store).await;
    assert_eq!(came.conclusion.phase, Phase::PartiallySucceeded);
    let of = |n: usize| {
        let name = format!("acme/widgets-{n}");
        let records = &came.achieved.records;
        records.iter().find(|record| record.name == name).unwrap_or_else(|| panic!("{name}"))
    };
    for n in [0, 1] {
        let error = of(n).error.as_deref().unwrap_or_default();
        assert!(error.contains("answered with more than 67108864 bytes: not read"), "{error}");
    }
    assert!(of(2).counts.quarantined > 0, "what is too deep is set aside: {:?}", of(2));
    for n in [3, 4] {
        assert_eq!(of(n).phase, RepositoryPhase::Succeeded, "{:?}", of(n));
    }
    // What is above the limit is not read to its end, which would take as long as it is.
    let asked = github.requests().len();
    assert!(asked < 60, "{asked} questions");
    store.close().await;
}
