//! Questions that people ask, and how the views answer them: the same SQL in both databases. Pure.

/// A view, a question that it answers, and the question in SQL.
pub const QUESTIONS: [(&str, &str, &str); 12] = [
    (
        "open_issues",
        "How much open work has each label?",
        "SELECT o.repository, l.name AS label, count(*) AS open
FROM open_issues o JOIN issue_labels l ON l.repository_id = o.repository_id AND l.number = o.number
GROUP BY o.repository, l.name ORDER BY open DESC",
    ),
    (
        "open_issues",
        "What has nobody answered? (GitHub's lists tell how many comments there are, not when the first one came)",
        "SELECT repository, number, title, age_seconds / 86400 AS days
FROM open_issues WHERE comments = 0 ORDER BY age_seconds DESC",
    ),
    (
        "issue_assignees",
        "Who works on how much?",
        "SELECT a.login, count(*) AS open
FROM open_issues o JOIN issue_assignees a ON a.repository_id = o.repository_id AND a.number = o.number
GROUP BY a.login ORDER BY open DESC",
    ),
    (
        "current_issues",
        "How long does an issue take?",
        "SELECT repository, count(*) AS closed, CAST(sum(lead_seconds) AS bigint) / count(*) / 3600 AS hours
FROM current_issues WHERE lead_seconds IS NOT NULL GROUP BY repository",
    ),
    (
        "current_pull_requests",
        "How long does it take to merge, for people and for bots?",
        "SELECT repository, is_bot_author, count(*) AS merged,
  CAST(sum(lead_seconds) AS bigint) / count(*) / 3600 AS hours
FROM current_pull_requests WHERE merged GROUP BY repository, is_bot_author",
    ),
    (
        "current_pull_requests",
        "Which changes are forgotten?",
        "SELECT repository, number, title, idle_seconds / 86400 AS days
FROM current_pull_requests WHERE state = 'open' AND idle_seconds > 30 * 86400 ORDER BY idle_seconds DESC",
    ),
    (
        "ci_runs",
        "Which workflows are flaky?",
        "SELECT repository, workflow, count(*) AS runs, count(CASE WHEN is_flaky THEN 1 END) AS flaky
FROM ci_runs GROUP BY repository, workflow HAVING count(CASE WHEN is_flaky THEN 1 END) > 0",
    ),
    (
        "ci_runs",
        "How long do runs take, and the longest?",
        "SELECT repository, workflow, count(*) AS runs,
  CAST(sum(duration_seconds) AS bigint) / count(*) AS seconds, max(duration_seconds) AS longest
FROM ci_runs WHERE conclusion = 'success' GROUP BY repository, workflow",
    ),
    (
        "failing_workflows",
        "What is broken on the default branch, and since when?",
        "SELECT repository, workflow, failures_in_a_row, failing_since FROM failing_workflows",
    ),
    (
        "run_history",
        "What have the last runs done?",
        "SELECT run_number, status, duration_seconds, created, updated, removed, api_requests
FROM run_history ORDER BY run_number DESC LIMIT 20",
    ),
    (
        "data_freshness",
        "How old is what I see?",
        "SELECT repository, resource, age_seconds / 60 AS minutes, complete_since
FROM data_freshness WHERE tracked ORDER BY age_seconds DESC",
    ),
    (
        "stale_repositories",
        "What is not kept up to date?",
        "SELECT repository, resource, age_seconds / 3600 AS hours, sync_error FROM stale_repositories",
    ),
];
