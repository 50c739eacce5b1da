//! The contract: run numbers, activation, the fence, and the history of runs.

use std::collections::BTreeSet;

use futures::future::join_all;
use singletrack::api::{RepositoryPhase, RunResult};
use singletrack::lease::{RunNumber, Tenure};
use singletrack::store::{Error, RepositoryRecord, RepositoryRow, RunState};

use super::{
    OWNER, Place, active, at, end, issue, last_page, new_run, outcome, page, prepared, repository,
    seen, since, superseded, tenure,
};

pub(super) async fn tickets_rise_and_respect_the_floor(place: &dyn Place) {
    let store = prepared(place).await;
    for (floor, drawn) in [(0, 1), (0, 2), (40, 41), (7, 42)] {
        assert_eq!(store.ticket(RunNumber(floor)).await.unwrap(), RunNumber(drawn));
    }
    active(&*store, 50).await;
    assert_eq!(store.newest().await.unwrap(), RunNumber(50));
    assert_eq!(store.ticket(RunNumber(0)).await.unwrap(), RunNumber(51));
    let before = place.dump().await;
    let exhausted = store.ticket(RunNumber(i64::MAX)).await;
    assert!(matches!(exhausted, Err(Error::NumbersExhausted(_))), "{exhausted:?}");
    assert_eq!(place.dump().await, before);
}

pub(super) async fn tickets_drawn_at_the_same_time_differ(place: &dyn Place) {
    let store = prepared(place).await;
    let drawn = join_all((0..20).map(|_| store.ticket(RunNumber(0)))).await;
    let drawn: BTreeSet<_> = drawn.into_iter().map(Result::unwrap).collect();
    assert_eq!(drawn, (1..=20).map(RunNumber).collect());
}

pub(super) async fn an_older_number_is_not_activated(place: &dyn Place) {
    let store = prepared(place).await;
    active(&*store, 5).await;
    let before = place.dump().await;
    superseded(store.activate(&tenure(4), &new_run("uid-4")).await, 5);
    assert_eq!(place.dump().await, before);
}

pub(super) async fn an_activation_may_be_repeated_by_the_same_tenure_only(place: &dyn Place) {
    let store = prepared(place).await;
    active(&*store, 5).await;
    let before = place.dump().await;
    active(&*store, 5).await;
    let twin = Tenure::without_cluster(RunNumber(5), "pod", "another");
    superseded(store.activate(&twin, &new_run("uid-5")).await, 5);
    superseded(store.put_repository(&twin, &repository(1), None).await, 5);
    assert_eq!(place.dump().await, before);
}

pub(super) async fn an_activation_closes_unfinished_runs_as_interrupted(place: &dyn Place) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    store.finish(&first, &end(RunState::Succeeded)).await.unwrap();
    active(&*store, 2).await;
    let found = store.activate(&tenure(3), &new_run("uid-3")).await.unwrap();
    assert_eq!(found.interrupted, [RunNumber(2)]);
    let history = store.history(10).await.unwrap();
    let states: Vec<_> = history.iter().map(|run| (run.number.0, run.state)).collect();
    let expected = [(3, RunState::Running), (2, RunState::Interrupted), (1, RunState::Succeeded)];
    assert_eq!(states, expected);
    assert!(!store.run_of("uid-2").await.unwrap().unwrap().is_final());
    // An interrupted request may run again.
    store.activate(&tenure(4), &new_run("uid-2")).await.unwrap();
}

pub(super) async fn a_request_that_has_ended_is_not_activated_again(place: &dyn Place) {
    let store = prepared(place).await;
    let ends = [RunState::Succeeded, RunState::Partial, RunState::Failed, RunState::Cancelled];
    for (number, state) in (1..).zip(ends) {
        let tenure = active(&*store, number).await;
        store.finish(&tenure, &end(state)).await.unwrap();
        let before = place.dump().await;
        let uid = format!("uid-{number}");
        let again = store.activate(&self::tenure(100), &new_run(&uid)).await;
        assert!(matches!(again, Err(Error::HasRun(n)) if n.0 == number), "{again:?}");
        assert_eq!(place.dump().await, before);
    }
}

pub(super) async fn an_older_tenure_writes_nothing_after_a_newer_activation(place: &dyn Place) {
    let store = prepared(place).await;
    let old = active(&*store, 1).await;
    store.put_repository(&old, &repository(1), None).await.unwrap();
    store.put_page(&old, &page(1, vec![issue(1, 1, "before")])).await.unwrap();
    active(&*store, 2).await;
    let before = place.dump().await;
    let renamed = RepositoryRow { name: "other".into(), ..repository(1) };
    let failed = outcome("acme/r1", RepositoryPhase::Failed, Some("gone"));
    superseded(store.put_repository(&old, &renamed, Some(&seen())).await, 2);
    superseded(store.put_page(&old, &last_page(1, vec![issue(1, 1, "after")], at(9))).await, 2);
    superseded(store.put_outcome(&old, &failed).await, 2);
    superseded(store.finish(&old, &end(RunState::Succeeded)).await, 2);
    superseded(store.activate(&old, &new_run("uid-1")).await, 2);
    assert_eq!(place.dump().await, before);
}

pub(super) async fn preparing_again_is_fine_and_another_owner_changes_nothing(place: &dyn Place) {
    let store = prepared(place).await;
    active(&*store, 1).await;
    let before = place.dump().await;
    store.prepare(OWNER).await.unwrap();
    let other = store.prepare("somebody else").await;
    assert!(matches!(&other, Err(Error::InUse { owner }) if owner == OWNER), "{other:?}");
    assert_eq!(place.dump().await, before);
}

pub(super) async fn a_store_that_is_handed_over_keeps_its_rows_and_its_fence(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.adopt(OWNER).await.unwrap(), None, "it was nobody's");
    store.prepare(OWNER).await.unwrap();
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    assert_eq!(store.adopt("heir").await.unwrap().as_deref(), Some(OWNER));
    assert_eq!(store.adopt("heir").await.unwrap().as_deref(), Some("heir"), "again is fine");
    assert_eq!(place.rows("SELECT owner FROM sync_store").await, [["heir"]]);
    store.prepare("heir").await.unwrap();
    assert!(matches!(store.prepare(OWNER).await, Err(Error::InUse { .. })));
    assert_eq!(store.repository_id("acme/r1").await.unwrap(), Some(1));
    // The run of before is superseded by the heir's, like any older one.
    let number = store.ticket(RunNumber(0)).await.unwrap();
    assert_eq!(number, RunNumber(2));
    active(&*store, 2).await;
    superseded(store.put_repository(&tenure, &repository(2), None).await, 2);
}

pub(super) async fn everything_is_there_after_closing_and_opening(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let write = last_page(1, vec![issue(1, 1, "one")], at(5));
    store.put_page(&tenure, &write).await.unwrap();
    let before = place.dump().await;
    let again = prepared(place).await;
    assert_eq!(place.dump().await, before);
    assert_eq!(since(&*again, 1, "issues.open").await, Some(at(5)));
    assert_eq!(again.repository_id("ACME/r1").await.unwrap(), Some(1));
    assert_eq!(again.newest().await.unwrap(), RunNumber(1));
    let labels = again.labels(1, &[1, 2]).await.unwrap();
    assert_eq!(labels, [(1, vec!["bug".to_owned()])]);
    // The tenure is still the active one.
    again.finish(&tenure, &end(RunState::Succeeded)).await.unwrap();
    let closed = store.newest().await;
    assert!(matches!(closed, Err(Error::Unavailable { .. })), "{closed:?}");
}

pub(super) async fn an_ended_run_is_told_with_its_repositories_failures_first(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    let outcomes = [
        outcome("acme/a", RepositoryPhase::Succeeded, None),
        outcome("acme/z", RepositoryPhase::Failed, Some("gone")),
        outcome("acme/b", RepositoryPhase::Succeeded, None),
    ];
    for record in &outcomes {
        store.put_outcome(&tenure, record).await.unwrap();
    }
    assert!(!store.run_of("uid-1").await.unwrap().unwrap().is_final(), "it has not ended");
    let end = end(RunState::Partial);
    store.finish(&tenure, &end).await.unwrap();
    let run = store.run_of("uid-1").await.unwrap().unwrap();
    assert_eq!((run.number, run.state), (RunNumber(1), RunState::Partial));
    assert_eq!(run.holder, tenure.holder().as_str());
    assert_eq!((run.started_at, run.completed_at), (at(0), Some(at(60))));
    assert_eq!((run.reason.as_deref(), run.message.as_deref()), (Some("Completed"), Some("done")));
    assert_eq!(run.result, RunResult { changed: 2, ..end.result });
    let names: Vec<_> = run.repositories.iter().map(|told| told.name.as_str()).collect();
    assert_eq!(names, ["acme/z", "acme/a", "acme/b"]);
    assert_eq!(format!("{:?}", run.repositories[0]), format!("{:?}", outcomes[1]));
    assert!(store.run_of("uid-2").await.unwrap().is_none());
}

pub(super) async fn an_end_may_be_told_again(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    let record = outcome("acme/r1", RepositoryPhase::Succeeded, None);
    store.put_outcome(&tenure, &record).await.unwrap();
    store.finish(&tenure, &end(RunState::Succeeded)).await.unwrap();
    let before = place.dump().await;
    store.finish(&tenure, &end(RunState::Succeeded)).await.unwrap();
    assert_eq!(place.dump().await, before);
}

pub(super) async fn an_outcome_leaves_its_error_in_the_repository_until_it_is_gone(
    place: &dyn Place,
) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    store.put_repository(&first, &repository(1), None).await.unwrap();
    let rows = [(1, Some("gone"), "gone", 2), (2, Some("hidden"), "hidden", 2), (3, None, "", 0)];
    for (number, error, told, since) in rows {
        let tenure = active(&*store, number).await;
        let completed_at = at(number * 2);
        let record = outcome("acme/r1", RepositoryPhase::Failed, error);
        store.put_outcome(&tenure, &RepositoryRecord { completed_at, ..record }).await.unwrap();
        let stored = place.rows("SELECT sync_error, sync_error_since FROM repositories").await;
        let since = (since > 0).then(|| at(since).format("%Y-%m-%dT%H:%M:%SZ").to_string());
        assert_eq!(stored, [[told.to_owned(), since.unwrap_or_default()]]);
    }
}
