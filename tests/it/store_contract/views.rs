//! The contract: what the views answer, at a moment that stands still.

use singletrack::api::RepositoryPhase;
use singletrack::lease::Tenure;
use singletrack::store::{
    Assignee, Completion, IssueRow, PageWrite, PullRow, Reached, Removal, Removed, RepositoryRow,
    Row, RunState, Store, WorkflowJobRow, WorkflowRow, WorkflowRunRow,
};

use super::{
    Place, SOURCE, active, at, end, issue, outcome, page, prepared, pull, repository, with_pulls,
};

const DAY: i64 = 86_400;

/// When the views are asked.
const NOW: i64 = 10 * DAY;

/// A store with an active run, whose views are asked at [`NOW`].
async fn at_ten_days(place: &dyn Place) -> (std::sync::Arc<dyn Store>, Tenure) {
    let store = prepared(place).await;
    place.stop_clock(at(NOW)).await;
    let tenure = active(&*store, 1).await;
    for id in [1, 2] {
        let default_branch = Some("main".to_owned());
        let row = RepositoryRow { default_branch, ..repository(id) };
        store.put_repository(&tenure, &row, None).await.unwrap();
    }
    (store, tenure)
}

#[track_caller]
fn same(found: &[Vec<String>], expected: &[&str]) {
    let found: Vec<String> = found.iter().map(|row| row.join(" ")).collect();
    assert_eq!(found, expected);
}

pub(super) async fn issues_have_ages_and_open_work_leaves_out_what_is_excluded(place: &dyn Place) {
    let (store, tenure) = at_ten_days(place).await;
    let new = |number| IssueRow {
        created_at: Some(at(0)),
        updated_at: Some(at(9 * DAY)),
        ..issue(1, number, "of one")
    };
    let assignee = |id: i64, login: &str| Assignee { id: Some(id), login: login.into() };
    let bot = IssueRow {
        author_type: Some("Bot".into()),
        labels: vec!["area/parser/x".into(), "bug".into()],
        assignees: vec![assignee(7, "ann"), assignee(8, "bob")],
        ..new(1)
    };
    let closed = IssueRow { state: "closed".into(), closed_at: Some(at(DAY)), ..new(2) };
    let unwanted = IssueRow { github_labels: vec!["wontfix".into()], ..new(3) };
    store.put_page(&tenure, &page(1, vec![bot, closed, unwanted, new(4)])).await.unwrap();
    let gone = Removal { number: 4, why: Removed::Deleted };
    store.remove(&tenure, 1, &[gone], at(9)).await.unwrap();
    let ages = "SELECT repository, number, is_bot_author, age_seconds, idle_seconds, lead_seconds \
                FROM current_issues";
    same(
        &place.rows(ages).await,
        &[
            "acme/r1 1 1 864000 86400 ",
            "acme/r1 2 0 86400 86400 86400",
            "acme/r1 3 0 864000 86400 ",
        ],
    );
    same(&place.rows("SELECT number FROM open_issues").await, &["1"]);
    let labels = "SELECT number, name, coalesce(scope, '-'), value FROM issue_labels";
    let expected = ["1 area/parser/x area parser/x", "1 bug - bug", "2 bug - bug", "3 bug - bug"];
    same(&place.rows(labels).await, &expected);
    let assignees = "SELECT number, login, user_id FROM issue_assignees";
    same(&place.rows(assignees).await, &["1 ann 7", "1 bob 8"]);
}

pub(super) async fn pull_requests_have_the_time_to_merge(place: &dyn Place) {
    let (store, tenure) = at_ten_days(place).await;
    let new = |number| PullRow {
        created_at: Some(at(0)),
        updated_at: Some(at(DAY)),
        ..pull(1, number, "a change")
    };
    let closed =
        |number| PullRow { state: "closed".into(), closed_at: Some(at(DAY)), ..new(number) };
    let merged = PullRow { merged_at: Some(at(DAY)), ..closed(2) };
    let pulls = vec![new(1), merged, closed(3)];
    store.put_page(&tenure, &with_pulls(page(1, Vec::new()), pulls)).await.unwrap();
    let sql = "SELECT number, merged, age_seconds, idle_seconds, lead_seconds \
               FROM current_pull_requests";
    let expected = ["1 0 864000 777600 ", "2 1 86400 777600 86400", "3 0 86400 777600 "];
    same(&place.rows(sql).await, &expected);
}

fn workflow(id: i64) -> Row {
    let name = Some(format!("workflow {id}"));
    Row::Workflow(WorkflowRow { id, repository_id: 1, name, ..Default::default() })
}

/// A finished run of the default branch, asked for at this hour.
fn run(id: i64, workflow_id: i64, conclusion: &str, sha: &str) -> WorkflowRunRow {
    WorkflowRunRow {
        id,
        repository_id: 1,
        workflow_id: Some(workflow_id),
        run_attempt: Some(1),
        event: Some("push".into()),
        status: Some("completed".into()),
        conclusion: Some(conclusion.into()),
        head_branch: Some("main".into()),
        head_sha: Some(sha.into()),
        created_at: Some(at(id * 3_600)),
        run_started_at: Some(at(id * 3_600 + 60)),
        updated_at: Some(at(id * 3_600 + 600)),
        ..WorkflowRunRow::default()
    }
}

fn job(id: i64, run_id: i64, run_attempt: i64, conclusion: &str) -> Row {
    Row::WorkflowJob(Box::new(WorkflowJobRow {
        id,
        repository_id: 1,
        run_id,
        run_attempt: Some(run_attempt),
        conclusion: Some(conclusion.into()),
        started_at: Some(at(run_id * 3_600 + 70)),
        completed_at: Some(at(run_id * 3_600 + 360)),
        ..Default::default()
    }))
}

async fn put(store: &dyn Store, tenure: &Tenure, runs: Vec<WorkflowRunRow>, others: Vec<Row>) {
    let runs = runs.into_iter().map(|run| Row::WorkflowRun(Box::new(run)));
    let rows = others.into_iter().chain(runs).collect();
    let page = PageWrite { resource: "workflow_runs", rows, ..page(1, Vec::new()) };
    store.put_page(tenure, &page).await.unwrap();
}

pub(super) async fn flaky_runs_are_told_from_those_that_failed(place: &dyn Place) {
    let (store, tenure) = at_ten_days(place).await;
    let attempts = |id, attempts, conclusion: &str| WorkflowRunRow {
        run_attempt: Some(attempts),
        ..run(id, 7, conclusion, &format!("sha of {id}"))
    };
    let going_on = WorkflowRunRow {
        status: Some("in_progress".into()),
        conclusion: None,
        ..run(10, 7, "", "going on")
    };
    let runs = vec![
        // The same commit of one workflow, and of another.
        run(1, 7, "failure", "abc"),
        run(2, 7, "success", "abc"),
        run(3, 8, "failure", "abc"),
        // Attempts: the last succeeded, one between did, only failures, and cancelled in between.
        attempts(4, 2, "success"),
        attempts(5, 3, "failure"),
        attempts(6, 2, "failure"),
        attempts(7, 3, "failure"),
        run(8, 7, "success", "def"),
        // A commit whose other run is not there any more.
        run(9, 8, "success", "abc"),
        going_on,
    ];
    let jobs = vec![
        workflow(7),
        job(41, 4, 1, "failure"),
        job(42, 4, 2, "success"),
        job(51, 5, 1, "timed_out"),
        job(52, 5, 2, "success"),
        job(53, 5, 2, "skipped"),
        job(54, 5, 3, "failure"),
        job(61, 6, 1, "failure"),
        job(62, 6, 2, "failure"),
        job(71, 7, 1, "failure"),
        job(72, 7, 2, "success"),
        job(73, 7, 2, "cancelled"),
        job(74, 7, 3, "failure"),
    ];
    put(&*store, &tenure, runs, jobs).await;
    place.execute("UPDATE workflow_runs SET removed_at = stored_at WHERE id = 9").await;
    let sql = "SELECT id, workflow, is_flaky, duration_seconds, queue_seconds FROM ci_runs";
    same(
        &place.rows(sql).await,
        &[
            "1 workflow 7 1 540 ",
            "10 workflow 7 0  ",
            "2 workflow 7 1 540 ",
            "3  0 540 ",
            "4 workflow 7 1 300 10",
            "5 workflow 7 1 300 10",
            "6 workflow 7 0 300 10",
            "7 workflow 7 0 300 10",
            "8 workflow 7 0 540 ",
        ],
    );
}

pub(super) async fn a_workflow_fails_since_its_last_success(place: &dyn Place) {
    let (store, tenure) = at_ten_days(place).await;
    let beside = |id, change: fn(&mut WorkflowRunRow)| {
        let mut run = run(id, 7, "success", "abc");
        change(&mut run);
        run
    };
    let runs = vec![
        run(1, 7, "failure", "a"),
        run(2, 7, "success", "b"),
        run(3, 7, "failure", "c"),
        run(4, 7, "cancelled", "d"),
        run(5, 7, "timed_out", "e"),
        // None of these is a verdict on the default branch.
        beside(6, |run| run.head_branch = Some("topic".into())),
        beside(7, |run| run.event = Some("pull_request".into())),
        beside(8, |run| run.status = Some("in_progress".into())),
        // One that was mended, one that never worked, and one whose workflow is gone.
        run(11, 8, "failure", "a"),
        run(12, 8, "success", "b"),
        run(13, 9, "failure", "a"),
        run(14, 10, "failure", "a"),
    ];
    put(&*store, &tenure, runs, [7, 8, 9, 10].map(workflow).to_vec()).await;
    place.execute("UPDATE workflows SET removed_at = stored_at WHERE id = 10").await;
    let sql = "SELECT repository, workflow, run_id, conclusion, failures_in_a_row, failing_since, \
               failing_seconds FROM failing_workflows";
    same(
        &place.rows(sql).await,
        &[
            "acme/r1 workflow 7 5 timed_out 2 2023-11-15T01:13:20Z 853200",
            "acme/r1 workflow 9 13 failure 1 2023-11-15T11:13:20Z 817200",
        ],
    );
}

pub(super) async fn freshness_is_that_of_the_last_complete_pass(place: &dyn Place) {
    let (store, tenure) = at_ten_days(place).await;
    for id in [3, 4, 5] {
        let has_issues = Some(id != 4);
        let row = RepositoryRow { has_issues, tracked: id != 5, ..repository(id) };
        store.put_repository(&tenure, &row, None).await.unwrap();
    }
    let read = async |id, resource, day, horizon| {
        let done = Completion { source: SOURCE.into(), cursor: None, changed: false, horizon };
        let at = at(day * DAY);
        let page = PageWrite { resource, at, reached: Reached::End(done), ..page(id, Vec::new()) };
        store.put_page(&tenure, &page).await.unwrap();
    };
    read(1, "issues.open", 10, None).await;
    read(1, "workflow_runs", 9, Some(at(DAY))).await;
    read(2, "issues.open", 10, None).await;
    read(2, "releases", 8, None).await;
    let failed = outcome("acme/r1", RepositoryPhase::Failed, Some("no answer"));
    store.put_outcome(&tenure, &failed).await.unwrap();
    let fresh = "SELECT repository, resource, complete_since IS NOT NULL, age_seconds, tracked \
                 FROM data_freshness";
    same(
        &place.rows(fresh).await,
        &[
            "acme/r1 issues.open 0 0 1",
            "acme/r1 workflow_runs 1 86400 1",
            "acme/r2 issues.open 0 0 1",
            "acme/r2 releases 0 172800 1",
        ],
    );
    let stale = "SELECT repository, sync_error, resource, age_seconds FROM stale_repositories";
    same(
        &place.rows(stale).await,
        &["acme/r1 no answer workflow_runs 86400", "acme/r2  releases 172800", "acme/r3   "],
    );
    store.finish(&tenure, &end(RunState::Partial)).await.unwrap();
    let runs = "SELECT run_number, status, duration_seconds FROM run_history";
    same(&place.rows(runs).await, &["1 partial 60"]);
}
