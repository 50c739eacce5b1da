//! The contract: pages of rows, with their ETags and cursors.

use std::sync::Arc;

use singletrack::store::{
    Completion, Counts, Error, IssueRow, PageWrite, Reached, SeenPage, SetAside,
};

use super::{
    Place, SOURCE, active, at, issue, last_page, page, prepared, pull, repository, seen, since,
    with_pulls,
};

pub(super) async fn the_same_page_again_changes_nothing(place: &dyn Place) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    store.put_repository(&first, &repository(1), None).await.unwrap();
    let pull = pull(1, 3, "a pull request");
    let set_aside =
        vec![SetAside { item_key: None, error: "no number".into(), raw: r#"{"a":1}"#.into() }];
    let issues = vec![issue(1, 1, "one"), issue(1, 2, "two")];
    let page = PageWrite { set_aside, ..with_pulls(page(1, issues), vec![pull]) };
    let counts = store.put_page(&first, &page).await.unwrap();
    assert_eq!(counts, Counts { created: 3, quarantined: 1, ..Counts::default() });
    let before = place.dump().await;
    let second = active(&*store, 2).await;
    store.put_repository(&second, &repository(1), None).await.unwrap();
    let counts = store.put_page(&second, &page).await.unwrap();
    assert_eq!(counts, Counts { unchanged: 3, quarantined: 1, ..Counts::default() });
    let after = place.dump().await;
    for table in ["repositories", "issues", "pull_requests"] {
        assert_eq!(after[table], before[table], "{table} was written");
    }
    assert_eq!(after["sync_quarantine"].len(), 1);
}

pub(super) async fn a_changed_row_is_the_only_one_that_is_written(place: &dyn Place) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    store.put_repository(&first, &repository(1), None).await.unwrap();
    let issues = (1..=3).map(|number| issue(1, number, "old")).collect();
    store.put_page(&first, &page(1, issues)).await.unwrap();
    let second = active(&*store, 2).await;
    let emptied = IssueRow { title: None, ..issue(1, 3, "") };
    let issues = vec![issue(1, 1, "old"), issue(1, 2, "new"), emptied, issue(1, 4, "fresh")];
    let counts = store.put_page(&second, &page(1, issues)).await.unwrap();
    assert_eq!(counts, Counts { created: 1, updated: 2, unchanged: 1, ..Counts::default() });
    let rows = place.rows("SELECT number, title, stored_by FROM issues").await;
    assert_eq!(rows, [["1", "old", "1"], ["2", "new", "2"], ["3", "", "2"], ["4", "fresh", "2"]]);
}

pub(super) async fn etag_and_cursor_are_written_with_the_rows(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let SeenPage { url, identity, .. } = seen();
    assert_eq!(store.seen_page(&url, &identity).await.unwrap(), None);
    assert_eq!(since(&*store, 1, "issues.open").await, None);
    let write = last_page(1, vec![issue(1, 1, "one")], at(5));
    store.put_page(&tenure, &write).await.unwrap();
    assert_eq!(store.seen_page(&url, &identity).await.unwrap(), Some(seen()));
    assert_eq!(since(&*store, 1, "issues.open").await, Some(at(5)));
    for (url, identity) in [(url.as_str(), "another token"), ("https://x/", identity.as_str())] {
        assert_eq!(store.seen_page(url, identity).await.unwrap(), None);
    }
    for (id, resource) in [(1, "issues.closed"), (2, "issues.open")] {
        assert_eq!(since(&*store, id, resource).await, None);
    }
}

pub(super) async fn a_refused_row_refuses_the_whole_page(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    store.put_page(&tenure, &page(1, vec![issue(1, 1, "one")])).await.unwrap();
    let before = place.dump().await;
    let taken = IssueRow { id: issue(1, 1, "").id, ..issue(1, 9, "another number") };
    let strange = issue(77, 1, "of a repository that is not there");
    let fine = || vec![issue(1, 1, "changed"), issue(1, 2, "new")];
    let with = |row| last_page(1, fine().into_iter().chain([row]).collect(), at(5));
    let pages = [
        with(taken),
        with(strange),
        with_pulls(last_page(1, fine(), at(5)), vec![pull(77, 3, "nowhere")]),
    ];
    for page in pages {
        let refused = store.put_page(&tenure, &page).await;
        assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
        assert!(!refused.unwrap_err().is_passing());
        assert_eq!(place.dump().await, before);
    }
}

pub(super) async fn the_cursor_moves_only_if_the_pass_changed_a_row(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    // Title of the one row, whether an earlier page has changed one, cursor asked for and then.
    let rows = [
        ("a", false, Some(5), Some(5)),
        ("a", false, Some(6), Some(5)),
        ("a", true, Some(7), Some(7)),
        ("b", false, Some(8), Some(8)),
        ("c", true, None, Some(8)),
    ];
    for (moment, (title, changed, asked, then)) in (20..).zip(rows) {
        let source = SOURCE.to_owned();
        let reached =
            Reached::End(Completion { source, cursor: asked.map(at), changed, horizon: None });
        let page = page(1, vec![issue(1, 1, title)]);
        let page = PageWrite { reached, at: at(moment), ..page };
        store.put_page(&tenure, &page).await.unwrap();
        assert_eq!(since(&*store, 1, "issues.open").await, then.map(at), "{moment}");
        let complete_at = place.rows("SELECT complete_at FROM sync_cursors").await;
        assert_eq!(complete_at, [[at(moment).format("%Y-%m-%dT%H:%M:%SZ").to_string()]]);
    }
}

pub(super) async fn a_list_of_issues_leaves_alone_what_pulls_has_told(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    place
        .execute(
            "INSERT INTO pull_requests (repository_id, number, id, source, title, state, \
             assignees, labels, head_ref, stored_at, stored_by) VALUES (1, 3, 33, 'pulls', 'old', \
             'open', '[]', '[]', 'topic', '2023-01-01T00:00:00Z', 1)",
        )
        .await;
    let write = with_pulls(page(1, Vec::new()), vec![pull(1, 3, "old")]);
    let counts = store.put_page(&tenure, &write).await.unwrap();
    assert_eq!(counts, Counts { unchanged: 1, ..Counts::default() });
    let write = with_pulls(page(1, Vec::new()), vec![pull(1, 3, "new")]);
    let counts = store.put_page(&tenure, &write).await.unwrap();
    assert_eq!(counts, Counts { updated: 1, ..Counts::default() });
    let rows = place.rows("SELECT id, source, head_ref, title FROM pull_requests").await;
    assert_eq!(rows, [["33", "pulls", "topic", "new"]]);
}

pub(super) async fn eight_tasks_write_through_one_store(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    let mut tasks = tokio::task::JoinSet::new();
    for id in 1..=8 {
        let (store, tenure) = (Arc::clone(&store), tenure.clone());
        tasks.spawn(async move {
            store.put_repository(&tenure, &repository(id), None).await.unwrap();
            for first in [1, 11, 21] {
                let issues = (first..first + 10).map(|number| issue(id, number, "new")).collect();
                let counts = store.put_page(&tenure, &page(id, issues)).await.unwrap();
                assert_eq!(counts, Counts { created: 10, ..Counts::default() });
            }
        });
    }
    tasks.join_all().await;
    let rows = place.rows("SELECT count(*), count(DISTINCT repository_id) FROM issues").await;
    assert_eq!(rows, [["240", "8"]]);
}
