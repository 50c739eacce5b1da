//! The contract: attempts, runs that answer several requests, dry runs, and the age of the history.

use std::time::Duration;

use singletrack::api::RepositoryPhase;
use singletrack::lease::RunNumber;
use singletrack::store::{
    Counts, Error, NewRun, PageWrite, Removal, Removed, Retention, RunEnd, RunState, Untrack,
};

use super::{
    Place, active, at, end, issue, last_page, new_run, outcome, page, prepared, repository, tenure,
};

pub(super) async fn a_failed_attempt_that_is_followed_by_another_is_not_the_end(place: &dyn Place) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    let next_attempt_at = Some(at(90));
    let failed = RunEnd { next_attempt_at, ..end(RunState::Failed) };
    store.finish(&first, &failed).await.unwrap();
    let run = store.run_of("uid-1").await.unwrap().unwrap();
    assert_eq!((run.is_final(), run.next_attempt_at), (false, next_attempt_at));
    let second = tenure(2);
    store.activate(&second, &new_run("uid-1")).await.unwrap();
    store.finish(&second, &end(RunState::Failed)).await.unwrap();
    let run = store.run_of("uid-1").await.unwrap().unwrap();
    assert_eq!((run.is_final(), run.number), (true, RunNumber(2)));
    let third = store.activate(&tenure(3), &new_run("uid-1")).await;
    assert!(matches!(third, Err(Error::HasRun(RunNumber(2)))), "{third:?}");
}

fn with_two(uid: &str) -> NewRun {
    NewRun { coalesced: vec!["a".into(), "b".into()], ..new_run(uid) }
}

pub(super) async fn a_run_keeps_the_list_of_those_it_answers(place: &dyn Place) {
    let store = prepared(place).await;
    let first = store.activate(&tenure(1), &with_two("uid-1")).await.unwrap();
    assert_eq!(first.coalesced, ["a", "b"]);
    let other = NewRun { coalesced: vec!["c".into()], ..new_run("uid-1") };
    let again = store.activate(&tenure(1), &other).await.unwrap();
    assert_eq!(again.coalesced, ["a", "b"], "what was written down first counts");
    assert_eq!(store.run_of("uid-1").await.unwrap().unwrap().coalesced, ["a", "b"]);
}

pub(super) async fn only_a_run_that_has_ended_well_answers_others(place: &dyn Place) {
    let store = prepared(place).await;
    let ends = [
        (RunState::Failed, false),
        (RunState::Cancelled, false),
        (RunState::Succeeded, true),
        (RunState::Partial, true),
    ];
    for (number, (state, answers)) in (1..).zip(ends) {
        place.execute("DELETE FROM sync_runs").await;
        let uid = format!("uid-{number}");
        store.activate(&tenure(number), &with_two(&uid)).await.unwrap();
        assert!(store.answer_of("b").await.unwrap().is_none(), "it has not ended");
        store.finish(&tenure(number), &end(state)).await.unwrap();
        let found = store.answer_of("b").await.unwrap().map(|run| run.number);
        assert_eq!(found, answers.then_some(RunNumber(number)), "{state:?}");
        assert!(store.answer_of("c").await.unwrap().is_none());
        assert!(store.run_of("b").await.unwrap().is_none(), "it had no run of its own");
    }
}

pub(super) async fn it_is_known_whether_a_run_has_committed_anything(place: &dyn Place) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    let record = outcome("acme/r1", RepositoryPhase::Failed, Some("no"));
    store.put_outcome(&first, &record).await.unwrap();
    assert!(!store.run_of("uid-1").await.unwrap().unwrap().committed, "the history is no data");
    store.put_repository(&first, &repository(1), None).await.unwrap();
    assert!(store.run_of("uid-1").await.unwrap().unwrap().committed);
}

pub(super) async fn a_dry_run_counts_and_leaves_only_its_history(place: &dyn Place) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    store.put_repository(&first, &repository(1), None).await.unwrap();
    store.put_page(&first, &page(1, vec![issue(1, 1, "one"), issue(1, 2, "two")])).await.unwrap();
    store.finish(&first, &end(RunState::Succeeded)).await.unwrap();

    let dry = tenure(2);
    let run = NewRun { dry_run: true, ..new_run("uid-2") };
    store.activate(&dry, &run).await.unwrap();
    let before = place.dump().await;
    store.put_repository(&dry, &repository(7), None).await.unwrap();
    let changed = vec![issue(1, 1, "one"), issue(1, 2, "changed"), issue(1, 3, "new")];
    let counts = store.put_page(&dry, &last_page(1, changed, at(9))).await.unwrap();
    assert_eq!(counts, Counts { created: 1, updated: 1, unchanged: 1, ..Counts::default() });
    // Of a repository that is not known yet, as its row was taken back.
    let counts = store.put_page(&dry, &page(7, vec![issue(7, 1, "new")])).await.unwrap();
    assert_eq!(counts, Counts { created: 1, ..Counts::default() });
    let removal = Removal { number: 1, why: Removed::Deleted };
    assert_eq!(store.remove(&dry, 1, &[removal], at(9)).await.unwrap(), 1);
    store.untrack(&dry, &Untrack::Only(vec![1])).await.unwrap();
    let keep = Retention { sync_runs: Some(Duration::ZERO), ..Retention::default() };
    assert_eq!(store.prune(&dry, &keep, at(1000)).await.unwrap(), 1);
    assert_eq!(place.dump().await, before);

    let failed = outcome("acme/r1", RepositoryPhase::Failed, Some("no"));
    store.put_outcome(&dry, &failed).await.unwrap();
    store.finish(&dry, &end(RunState::Succeeded)).await.unwrap();
    let after = place.dump().await;
    assert_eq!(after["repositories"], before["repositories"]);
    assert_eq!(after["sync_run_repositories"].len(), 1);
    let run = store.run_of("uid-2").await.unwrap().unwrap();
    assert_eq!((run.dry_run, run.committed, run.state), (true, false, RunState::Succeeded));
}

pub(super) async fn a_store_that_was_given_away_activates_nothing(place: &dyn Place) {
    let store = prepared(place).await;
    place.execute("UPDATE sync_store SET owner = 'another'").await;
    let before = place.dump().await;
    let refused = store.activate(&tenure(1), &new_run("uid-1")).await;
    assert!(matches!(&refused, Err(Error::InUse { owner }) if owner == "another"), "{refused:?}");
    assert_eq!(place.dump().await, before);
}

pub(super) async fn old_history_is_deleted_and_nothing_else(place: &dyn Place) {
    let store = prepared(place).await;
    for number in 1..=3 {
        let run = active(&*store, number).await;
        store.put_repository(&run, &repository(1), None).await.unwrap();
        let record = outcome("acme/r1", RepositoryPhase::Succeeded, None);
        store.put_outcome(&run, &record).await.unwrap();
        let completed_at = at(number * 100);
        let done = RunEnd { completed_at, ..end(RunState::Succeeded) };
        store.finish(&run, &done).await.unwrap();
    }
    let run = active(&*store, 4).await;
    let aside = vec![singletrack::store::SetAside {
        item_key: Some("5".into()),
        error: "no".into(),
        raw: "{}".into(),
    }];
    let write = PageWrite { set_aside: aside, ..page(1, vec![issue(1, 1, "one")]) };
    store.put_page(&run, &write).await.unwrap();
    let removal = Removal { number: 1, why: Removed::Deleted };
    store.remove(&run, 1, &[removal], at(10)).await.unwrap();

    let none = store.prune(&run, &Retention::default(), at(100_000)).await.unwrap();
    assert_eq!(none, 0, "without a time everything is kept");
    let keep = Some(Duration::from_secs(100));
    let retention =
        Retention { sync_runs: keep, quarantine: keep, removed: keep, ..Retention::default() };
    // Runs 1 and 2 with a record each, the item that was set aside, and the tombstone.
    assert_eq!(store.prune(&run, &retention, at(301)).await.unwrap(), 6);
    let runs = place.rows("SELECT run_number FROM sync_runs").await;
    assert_eq!(runs, [["3"], ["4"]]);
    assert_eq!(place.rows("SELECT run_number FROM sync_run_repositories").await, [["3"]]);
    assert!(place.rows("SELECT number FROM issues").await.is_empty());
    assert_eq!(place.rows("SELECT id FROM repositories").await, [["1"]]);
}
