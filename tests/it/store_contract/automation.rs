//! The contract: what automation leaves behind.

use singletrack::store::{
    CommitRow, Completion, Counts, KnownPackage, KnownRun, PackageRow, PageWrite, PullRow, Reached,
    ReleaseRow, RepositoryRow, Retention, Row, SetAside, Vanished, WorkflowJobRow, WorkflowRow,
    WorkflowRunRow,
};

use super::{Place, SOURCE, active, at, page, prepared, pull, repository, with_pulls};

fn run(id: i64, status: &str) -> WorkflowRunRow {
    WorkflowRunRow {
        id,
        repository_id: 1,
        workflow_id: Some(7),
        run_attempt: Some(1),
        status: Some(status.into()),
        created_at: Some(at(id)),
        updated_at: Some(at(id + 100)),
        ..WorkflowRunRow::default()
    }
}

fn package(id: i64, package_type: &str) -> PackageRow {
    PackageRow {
        id,
        owner: "acme".into(),
        package_type: Some(package_type.into()),
        version_count: Some(3),
        latest_tag: Some("1.0".into()),
        updated_at: Some(at(id)),
        ..PackageRow::default()
    }
}

fn told_pull(number: i64, title: &str) -> PullRow {
    PullRow {
        id: Some(number * 10),
        source: "pulls",
        head_ref: Some("topic".into()),
        updated_at: Some(at(number)),
        requested_reviewers: Some(Vec::new()),
        ..pull(1, number, title)
    }
}

fn with_rows(rows: Vec<Row>) -> PageWrite {
    PageWrite { resource: "runs", rows, ..page(1, Vec::new()) }
}

/// One row of each table.
fn one_of_each() -> Vec<Row> {
    let release = ReleaseRow { id: 31, repository_id: 1, draft: Some(true), ..Default::default() };
    let labels = Some(vec!["ubuntu".to_owned()]);
    let job =
        WorkflowJobRow { id: 1 << 60, repository_id: 1, run_id: 5, labels, ..Default::default() };
    let commit = CommitRow { repository_id: 1, sha: "abc".into(), ..Default::default() };
    vec![
        Row::Workflow(WorkflowRow { id: 7, repository_id: 1, ..Default::default() }),
        Row::WorkflowJob(Box::new(job)),
        Row::WorkflowRun(Box::new(run(5, "completed"))),
        Row::Release(Box::new(release)),
        Row::Pull(Box::new(told_pull(3, "a pull request"))),
        Row::Package(Box::new(package(41, "npm"))),
        Row::Commit(Box::new(commit)),
    ]
}

pub(super) async fn each_table_is_written_once(place: &dyn Place) {
    let store = prepared(place).await;
    let first = active(&*store, 1).await;
    store.put_repository(&first, &repository(1), None).await.unwrap();
    let write = PageWrite { head: Some(Some("abc".into())), ..with_rows(one_of_each()) };
    let created = store.put_page(&first, &write).await.unwrap();
    assert_eq!(created, Counts { created: 7, ..Counts::default() });
    let before = place.dump().await;
    let again = active(&*store, 2).await;
    let unchanged = store.put_page(&again, &write).await.unwrap();
    assert_eq!(unchanged, Counts { unchanged: 7, ..Counts::default() });
    let after = place.dump().await;
    for (table, rows) in before.iter().filter(|(table, _)| !table.starts_with("sync_")) {
        assert_eq!(rows, &after[table], "{table}");
    }
    let jobs = place.rows("SELECT id, run_id FROM workflow_jobs").await;
    assert_eq!(jobs, [[(1_i64 << 60).to_string(), "5".to_owned()]]);
}

pub(super) async fn the_newest_commit_stands_in_its_repository(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    let default_branch = Some("main".to_owned());
    let row = RepositoryRow { default_branch, ..repository(1) };
    store.put_repository(&tenure, &row, None).await.unwrap();
    let known = store.repository(1).await.unwrap().unwrap();
    assert_eq!(known.default_branch.as_deref(), Some("main"));
    let newest = async || place.rows("SELECT latest_commit_sha FROM repositories").await;
    for sha in [Some("abc"), Some("def"), None] {
        let write = PageWrite { head: Some(sha.map(str::to_owned)), ..with_rows(Vec::new()) };
        store.put_page(&tenure, &write).await.unwrap();
        assert_eq!(newest().await, [[sha.unwrap_or_default()]]);
        assert_eq!(store.latest_commit(1).await.unwrap().as_deref(), sha);
    }
    assert_eq!(store.latest_commit(2).await.unwrap(), None, "there is no such repository");
}

pub(super) async fn runs_that_are_known_and_those_that_had_not_finished(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let states = [(1, "completed"), (2, "waiting"), (3, "in_progress"), (4, "queued")];
    let rows = states.map(|(id, status)| Row::WorkflowRun(Box::new(run(id, status))));
    store.put_page(&tenure, &with_rows(rows.to_vec())).await.unwrap();
    let mut known = store.known_runs(&[1, 3, 99]).await.unwrap();
    known.sort_by_key(|run| run.id);
    let expected = [(1, "completed"), (3, "in_progress")].map(|(id, status)| KnownRun {
        id,
        run_attempt: Some(1),
        status: Some(status.into()),
        created_at: Some(at(id)),
        updated_at: Some(at(id + 100)),
    });
    assert_eq!(known, expected);
    assert_eq!(store.unfinished_runs(1).await.unwrap(), [2, 3, 4]);
    assert_eq!(store.unfinished_runs(2).await.unwrap(), [0; 0]);
    let gone = store.vanish(&tenure, &Vanished::WorkflowRun(3), at(50)).await.unwrap();
    assert_eq!(gone, 1);
    assert_eq!(store.unfinished_runs(1).await.unwrap(), [2, 4]);
    assert!(store.known_runs(&[3]).await.unwrap().is_empty());
}

pub(super) async fn what_is_gone_is_marked_and_comes_back(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    for id in [1, 2] {
        store.put_repository(&tenure, &repository(id), None).await.unwrap();
    }
    let workflow =
        |id, repository_id| Row::Workflow(WorkflowRow { id, repository_id, ..Default::default() });
    let packages = [(41, "npm"), (42, "npm"), (43, "maven")];
    let packages = packages.map(|(id, kind)| Row::Package(Box::new(package(id, kind))));
    let release =
        |id| Row::Release(Box::new(ReleaseRow { id, repository_id: 1, ..Default::default() }));
    let mut rows = vec![workflow(7, 1), workflow(8, 1), workflow(9, 2), release(31), release(32)];
    rows.extend(packages);
    store.put_page(&tenure, &with_rows(rows)).await.unwrap();
    let vanished = [
        Vanished::WorkflowsBut { repository_id: 1, ids: vec![7] },
        Vanished::ReleasesBut { repository_id: 1, ids: vec![32] },
        Vanished::PackagesBut { owner: "acme".into(), package_type: "npm", ids: vec![41] },
    ];
    for which in &vanished {
        assert_eq!(store.vanish(&tenure, which, at(50)).await.unwrap(), 1, "{which:?}");
        assert_eq!(store.vanish(&tenure, which, at(60)).await.unwrap(), 0, "{which:?}");
    }
    let gone = async |table: &str| {
        place.rows(&format!("SELECT id FROM {table} WHERE removed_at IS NOT NULL")).await
    };
    assert_eq!(gone("workflows").await, [["8"]]);
    assert_eq!(gone("releases").await, [["31"]]);
    assert_eq!(gone("packages").await, [["42"]]);
    let back = store.put_page(&tenure, &with_rows(vec![workflow(8, 1)])).await.unwrap();
    assert_eq!(back.updated, 1);
    assert!(gone("workflows").await.is_empty());
    let known = store.known_packages(&[41, 42, 99]).await.unwrap();
    let (version_count, latest_tag) = (Some(3), Some("1.0".to_owned()));
    let updated_at = Some(at(41));
    assert_eq!(known, [KnownPackage { id: 41, version_count, latest_tag, updated_at }]);
    let keep = Some(std::time::Duration::from_secs(100));
    let retention = Retention { removed: keep, ..Retention::default() };
    assert_eq!(store.prune(&tenure, &retention, at(140)).await.unwrap(), 0);
    assert_eq!(store.prune(&tenure, &retention, at(151)).await.unwrap(), 2);
    assert!(gone("releases").await.is_empty() && gone("packages").await.is_empty());
    assert_eq!(place.rows("SELECT count(*) FROM workflows").await, [["3"]]);
}

pub(super) async fn both_sources_of_a_pull_request_agree(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    store.put_repository(&tenure, &repository(1), None).await.unwrap();
    let from_issues = with_pulls(
        page(1, Vec::new()),
        vec![PullRow { comments: Some(4), issue_id: Some(9), ..told_pull(3, "t") }],
    );
    let told = with_rows(vec![Row::Pull(Box::new(told_pull(3, "t")))]);
    store.put_page(&tenure, &from_issues).await.unwrap();
    assert_eq!(store.put_page(&tenure, &told).await.unwrap().updated, 1);
    for write in [&from_issues, &told, &from_issues] {
        assert_eq!(store.put_page(&tenure, write).await.unwrap().unchanged, 1);
    }
    let row =
        place.rows("SELECT source, id, issue_id, comments, head_ref FROM pull_requests").await;
    assert_eq!(row, [["pulls", "30", "9", "4", "topic"]]);
    let oldest = store.oldest_update(1, &[3, 4]).await.unwrap();
    assert_eq!(oldest, Some(at(3)));
    assert_eq!(store.oldest_update(1, &[4]).await.unwrap(), None);
}

pub(super) async fn a_list_that_is_cut_off_says_since_when_it_is_complete(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    let horizon = async || store.cursor(1, "runs", SOURCE).await.unwrap().horizon;
    for expected in [Some(at(5)), None] {
        let source = SOURCE.to_owned();
        let end = Completion { source, cursor: None, changed: false, horizon: expected };
        let write = PageWrite { reached: Reached::End(end), ..with_rows(Vec::new()) };
        store.put_page(&tenure, &write).await.unwrap();
        assert_eq!(horizon().await, expected);
    }
    let elsewhere = store.cursor(1, "runs", "https://ghe.example").await.unwrap();
    assert_eq!(elsewhere.horizon, None);
}

pub(super) async fn an_owners_list_belongs_to_no_repository(place: &dyn Place) {
    let store = prepared(place).await;
    let tenure = active(&*store, 1).await;
    let item_key = Some("id 41".to_owned());
    let bad = SetAside { item_key, error: "no name".into(), raw: r#"{"id":41}"#.into() };
    let write = PageWrite {
        repository_id: None,
        resource: "packages",
        set_aside: vec![bad],
        ..page(1, Vec::new())
    };
    store.put_page(&tenure, &write).await.unwrap();
    let aside = async || place.rows("SELECT item_key, repository_id FROM sync_quarantine").await;
    assert_eq!(aside().await, [["id 41", ""]]);
    let rows = vec![Row::Package(Box::new(package(41, "npm")))];
    let write = PageWrite { rows, set_aside: Vec::new(), ..write };
    store.put_page(&tenure, &write).await.unwrap();
    assert!(aside().await.is_empty());
}
