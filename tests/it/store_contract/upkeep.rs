//! The contract: passes that are cut short, what is missing or gone, and what does not fit.

use singletrack::store::{
    Completion, Counts, IssueRow, Missing, PageWrite, Reached, Removal, Removed, Resume, SetAside,
    Untrack,
};

use super::{Place, SOURCE, active, at, issue, page, prepared, repository, since};

pub(super) async fn a_pass_that_was_cut_short_leaves_where_it_stopped_until_it_is_complete(
    place: &dyn Place,
) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let resume = |changed| Resume {
        pass: "first page".into(),
        next_url: "next page".into(),
        at: at(7),
        began_at: at(3),
        changed,
    };
    let reach = |issues| PageWrite { reached: Reached::Page(resume(false)), ..page(1, issues) };
    let found = async || store.cursor(1, "issues.open", SOURCE).await.unwrap().resume;
    assert_eq!(found().await, None);
    store.put_page(&tenure, &reach(vec![])).await.unwrap();
    assert_eq!(found().await, Some(resume(false)));
    store.put_page(&tenure, &reach(vec![issue(1, 1, "one")])).await.unwrap();
    assert_eq!(found().await, Some(resume(true)), "a row was changed");
    let source = SOURCE.to_owned();
    let done = Completion { source, cursor: Some(at(3)), changed: true, horizon: None };
    let last = PageWrite { reached: Reached::End(done), ..page(1, vec![]) };
    store.put_page(&tenure, &last).await.unwrap();
    assert_eq!(found().await, None);
    assert_eq!(since(&*store, 1, "issues.open").await, Some(at(3)));
}

pub(super) async fn a_cursor_of_another_github_is_none(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let end = |source: &str, cursor| {
        let done = Completion { source: source.into(), cursor, changed: true, horizon: None };
        PageWrite { reached: Reached::End(done), ..page(1, vec![]) }
    };
    store.put_page(&tenure, &end("https://ghe.example", Some(at(3)))).await.unwrap();
    assert_eq!(since(&*store, 1, "issues.open").await, None);
    store.put_page(&tenure, &end(SOURCE, None)).await.unwrap();
    assert_eq!(since(&*store, 1, "issues.open").await, None, "nor does it come back");
    store.put_page(&tenure, &end(SOURCE, Some(at(5)))).await.unwrap();
    assert_eq!(since(&*store, 1, "issues.open").await, Some(at(5)));
}

pub(super) async fn what_is_missing_and_what_is_removed(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let closed = IssueRow { state: "closed".into(), ..issue(1, 4, "closed") };
    let rows = vec![issue(1, 1, "a"), issue(1, 2, "b"), issue(1, 3, "c"), closed];
    store.put_page(&tenure, &page(1, rows)).await.unwrap();
    let missing = async |met: &[i64]| store.missing(1, met).await.unwrap();
    assert_eq!(missing(&[2]).await, Missing { numbers: vec![1, 3], open: 3 });
    let removals = [
        Removal { number: 1, why: Removed::Deleted },
        Removal { number: 3, why: Removed::Transferred("acme/other#9".into()) },
        Removal { number: 77, why: Removed::Deleted },
    ];
    assert_eq!(store.remove(&tenure, 1, &removals, at(9)).await.unwrap(), 2);
    assert_eq!(store.remove(&tenure, 1, &removals, at(10)).await.unwrap(), 0, "once is enough");
    assert_eq!(missing(&[2]).await, Missing { numbers: vec![], open: 1 });
    let gone = "SELECT number, removed_reason, removed_to, title FROM issues \
                WHERE removed_at IS NOT NULL";
    let expected = [["1", "deleted", "", "a"], ["3", "transferred", "acme/other#9", "c"]];
    assert_eq!(place.rows(gone).await, expected);
    // One that shows up again is there again.
    let counts = store.put_page(&tenure, &page(1, vec![issue(1, 1, "a")])).await.unwrap();
    assert_eq!(counts, Counts { updated: 1, ..Counts::default() });
    assert_eq!(place.rows(gone).await, expected[1..]);
}

pub(super) async fn an_issue_that_comes_from_another_repository_takes_its_id_along(
    place: &dyn Place,
) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    for id in [1, 2] {
        store.put_repository(&tenure, &repository(id), None).await.unwrap();
    }
    store.put_page(&tenure, &page(1, vec![issue(1, 5, "it")])).await.unwrap();
    let id = issue(1, 5, "").id;
    let arrived = IssueRow { id, ..issue(2, 8, "it") };
    let counts = store.put_page(&tenure, &page(2, vec![arrived])).await.unwrap();
    assert_eq!(counts, Counts { created: 1, ..Counts::default() });
    let rows = place.rows("SELECT repository_id, number, title, coalesce(id, 0) FROM issues").await;
    let id = id.unwrap().to_string();
    assert_eq!(rows, [["1", "5", "it", "0"], ["2", "8", "it", id.as_str()]]);
}

pub(super) async fn an_item_that_is_fine_again_leaves_the_quarantine(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    for id in [1, 2] {
        store.put_repository(&tenure, &repository(id), None).await.unwrap();
    }
    let bad = |key: &str| SetAside {
        item_key: Some(key.into()),
        error: "no".into(),
        raw: format!("{{\"key\":\"{key}\"}}"),
    };
    for id in [1, 2] {
        let write = PageWrite { set_aside: vec![bad("5"), bad("id 5")], ..page(id, vec![]) };
        store.put_page(&tenure, &write).await.unwrap();
    }
    assert_eq!(store.set_aside(1, "issues").await.unwrap().len(), 2);
    // In another list of the same kind.
    let fine = PageWrite { resource: "issues.closed", ..page(1, vec![issue(1, 5, "fine")]) };
    store.put_page(&tenure, &fine).await.unwrap();
    assert_eq!(store.set_aside(1, "issues").await.unwrap(), ["id 5"]);
    assert_eq!(store.set_aside(2, "issues").await.unwrap().len(), 2, "another repository's");
}

pub(super) async fn labels_that_do_not_fit_the_state_are_found(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let row = |number, state: &str, labels: &[&str]| IssueRow {
        state: state.into(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..issue(1, number, "it")
    };
    let rows = vec![
        row(1, "open", &["bug", "status/todo"]),
        row(2, "open", &["status/done"]),
        row(3, "closed", &["status/done", "bug"]),
        row(4, "closed", &["status/todo", "status/done"]),
        row(5, "closed", &[]),
        row(6, "closed", &["status/todo"]),
    ];
    store.put_page(&tenure, &page(1, rows)).await.unwrap();
    let removal = Removal { number: 6, why: Removed::Deleted };
    store.remove(&tenure, 1, &[removal], at(9)).await.unwrap();
    let unfit = store.unfit(1, "status/done").await.unwrap();
    assert_eq!(unfit, [(2, false), (4, true)]);
}

pub(super) async fn what_is_not_tracked_any_more_keeps_its_row(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    for id in 1..=4 {
        store.put_repository(&tenure, &repository(id), None).await.unwrap();
    }
    let tracked = async || place.rows("SELECT id FROM repositories WHERE tracked = true").await;
    let names = vec!["acme/r2".to_owned()];
    let which = Untrack::AllBut { names, ids: vec![1] };
    store.untrack(&tenure, &which).await.unwrap();
    assert_eq!(tracked().await, [["1"], ["2"]]);
    store.untrack(&tenure, &Untrack::Only(vec![2])).await.unwrap();
    assert_eq!(tracked().await, [["1"]]);
    assert_eq!(store.repositories_named("ACME/R1").await.unwrap(), [1]);
    assert!(store.repositories_named("acme/r2").await.unwrap().is_empty());
    assert_eq!(store.repository(2).await.unwrap().unwrap().full_name, "acme/r2");
    assert_eq!(place.rows("SELECT id FROM repositories").await.len(), 4);
}
