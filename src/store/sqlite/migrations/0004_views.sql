-- The views for people: the same names, columns and answers as in PostgreSQL. Times are text, ages are whole seconds,
-- and what is true is 1. What has been removed is left out.

DROP VIEW open_issues;
DROP VIEW current_issues;
DROP VIEW issue_labels;
DROP VIEW run_history;
DROP VIEW data_freshness;

-- All ages are counted from here.
CREATE VIEW sync_clock AS
SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now') AS now;

CREATE VIEW current_issues AS
SELECT r.full_name AS repository, i.repository_id, i.number, i.id, i.title, i.body, i.state, i.state_reason, i.type,
  i.status, i.author, i.author_type, coalesce(i.author_type = 'Bot', 0) AS is_bot_author, i.author_association,
  i.assignees, i.labels, i.github_labels, i.milestone, i.comments, i.locked, i.html_url, i.created_at, i.updated_at,
  i.closed_at,
  unixepoch(coalesce(i.closed_at, t.now)) - unixepoch(i.created_at) AS age_seconds,
  unixepoch(t.now) - unixepoch(i.updated_at) AS idle_seconds,
  unixepoch(i.closed_at) - unixepoch(i.created_at) AS lead_seconds
FROM issues i JOIN repositories r ON r.id = i.repository_id JOIN sync_clock t
WHERE i.removed_at IS NULL;

CREATE VIEW open_issues AS
SELECT c.* FROM current_issues c
WHERE c.state = 'open'
  AND NOT EXISTS (SELECT 1 FROM json_each(c.github_labels) l JOIN sync_excluded_labels x ON x.name = l.value);

CREATE VIEW issue_labels AS
SELECT i.repository_id, i.number, l.value AS name,
  CASE WHEN instr(l.value, '/') > 0 THEN substr(l.value, 1, instr(l.value, '/') - 1) END AS scope,
  substr(l.value, instr(l.value, '/') + 1) AS value
FROM issues i, json_each(i.labels) l
WHERE i.removed_at IS NULL;

CREATE VIEW issue_assignees AS
SELECT i.repository_id, i.number, json_extract(a.value, '$.login') AS login, json_extract(a.value, '$.id') AS user_id
FROM issues i, json_each(i.assignees) a
WHERE i.removed_at IS NULL;

CREATE VIEW current_pull_requests AS
SELECT r.full_name AS repository, p.repository_id, p.number, p.id, p.title, p.body, p.state, p.draft,
  p.merged_at IS NOT NULL AS merged, p.author, p.author_type, coalesce(p.author_type = 'Bot', 0) AS is_bot_author,
  p.author_association, p.assignees, p.requested_reviewers, p.labels, p.milestone, p.comments, p.head_ref, p.head_sha,
  p.head_repository, p.base_ref, p.html_url, p.created_at, p.updated_at, p.closed_at, p.merged_at,
  unixepoch(coalesce(p.closed_at, t.now)) - unixepoch(p.created_at) AS age_seconds,
  unixepoch(t.now) - unixepoch(p.updated_at) AS idle_seconds,
  unixepoch(p.merged_at) - unixepoch(p.created_at) AS lead_seconds
FROM pull_requests p JOIN repositories r ON r.id = p.repository_id JOIN sync_clock t;

-- A run is flaky if runs of its workflow on its commit have both failed and succeeded, or if one of its own attempts
-- has failed and a later one succeeded.
CREATE VIEW ci_runs AS
SELECT r.full_name AS repository, c.repository_id, c.id, c.workflow_id, coalesce(w.name, c.name) AS workflow,
  c.display_title, c.run_number, c.run_attempt, c.event, c.status, c.conclusion, c.head_branch, c.head_sha, c.actor,
  c.html_url, c.created_at, c.run_started_at, c.updated_at,
  CASE WHEN c.status = 'completed' THEN
    unixepoch(coalesce(
      (SELECT max(j.completed_at) FROM workflow_jobs j WHERE j.run_id = c.id AND j.run_attempt = c.run_attempt),
      c.updated_at)) - unixepoch(coalesce(c.run_started_at, c.created_at))
  END AS duration_seconds,
  unixepoch(
    (SELECT min(j.started_at) FROM workflow_jobs j WHERE j.run_id = c.id AND j.run_attempt = c.run_attempt))
    - unixepoch(coalesce(c.run_started_at, c.created_at)) AS queue_seconds,
  (EXISTS (SELECT 1 FROM workflow_runs o
      WHERE o.repository_id = c.repository_id AND o.head_sha = c.head_sha AND length(o.head_sha) <= 64
        AND o.workflow_id = c.workflow_id AND o.removed_at IS NULL AND o.conclusion IN ('failure', 'timed_out'))
    AND EXISTS (SELECT 1 FROM workflow_runs o
      WHERE o.repository_id = c.repository_id AND o.head_sha = c.head_sha AND length(o.head_sha) <= 64
        AND o.workflow_id = c.workflow_id AND o.removed_at IS NULL AND o.conclusion = 'success'))
  OR EXISTS (SELECT 1 FROM workflow_jobs f
      WHERE f.run_id = c.id AND f.conclusion IN ('failure', 'timed_out')
        AND (f.run_attempt < c.run_attempt AND c.conclusion = 'success'
          OR EXISTS (SELECT 1 FROM workflow_jobs s
            WHERE s.run_id = c.id AND s.run_attempt > f.run_attempt AND s.run_attempt < c.run_attempt
            GROUP BY s.run_attempt
            HAVING count(*) = sum(CASE WHEN s.conclusion IN ('success', 'skipped', 'neutral') THEN 1 ELSE 0 END)
              AND sum(CASE WHEN s.conclusion = 'success' THEN 1 ELSE 0 END) > 0))) AS is_flaky
FROM workflow_runs c JOIN repositories r ON r.id = c.repository_id
LEFT JOIN workflows w ON w.id = c.workflow_id
WHERE c.removed_at IS NULL;

-- Only what succeeds or fails is a verdict; a pull request's branch may have the default branch's name in a fork.
CREATE VIEW failing_workflows AS
WITH verdicts AS (
  SELECT c.repository_id, c.workflow_id, c.id, c.conclusion, c.html_url, c.created_at,
    row_number() OVER (PARTITION BY c.repository_id, c.workflow_id ORDER BY c.created_at DESC, c.id DESC) AS nth
  FROM workflow_runs c JOIN repositories r ON r.id = c.repository_id AND r.default_branch = c.head_branch
  WHERE c.removed_at IS NULL AND c.status = 'completed' AND c.created_at IS NOT NULL
    AND c.conclusion IN ('success', 'failure', 'timed_out', 'startup_failure')
    AND coalesce(c.event, '') NOT IN ('pull_request', 'pull_request_target')
), successes AS (
  SELECT repository_id, workflow_id, min(nth) AS nth FROM verdicts WHERE conclusion = 'success'
  GROUP BY repository_id, workflow_id
), streaks AS (
  SELECT v.repository_id, v.workflow_id, count(*) AS failures, min(v.created_at) AS since
  FROM verdicts v LEFT JOIN successes s ON s.repository_id = v.repository_id AND s.workflow_id = v.workflow_id
  WHERE s.nth IS NULL OR v.nth < s.nth
  GROUP BY v.repository_id, v.workflow_id
)
SELECT r.full_name AS repository, v.repository_id, v.workflow_id, w.name AS workflow, w.path, v.id AS run_id,
  v.conclusion, v.html_url, s.since AS failing_since, s.failures AS failures_in_a_row,
  unixepoch(t.now) - unixepoch(s.since) AS failing_seconds
FROM verdicts v JOIN streaks s ON s.repository_id = v.repository_id AND s.workflow_id = v.workflow_id
JOIN workflows w ON w.id = v.workflow_id AND w.removed_at IS NULL
JOIN repositories r ON r.id = v.repository_id JOIN sync_clock t
WHERE v.nth = 1 AND v.conclusion <> 'success';

CREATE VIEW run_history AS
SELECT run_number, type, status, dry_run, request_namespace, request_name, reason, message, started_at, completed_at,
  unixepoch(completed_at) - unixepoch(started_at) AS duration_seconds,
  repositories, failed, created, updated, removed, unchanged, quarantined, api_requests, api_not_modified,
  takeover_reason
FROM sync_runs;

CREATE VIEW data_freshness AS
SELECT r.full_name AS repository, c.repository_id, c.resource, r.tracked, c.complete_at, c.horizon AS complete_since,
  unixepoch(t.now) - unixepoch(c.complete_at) AS age_seconds
FROM sync_cursors c JOIN repositories r ON r.id = c.repository_id JOIN sync_clock t;

-- By the list that was read to its end longest ago, or never; where issues are switched off, theirs do not count.
CREATE VIEW stale_repositories AS
WITH lists AS (
  SELECT f.*, row_number() OVER
    (PARTITION BY f.repository_id ORDER BY f.complete_at IS NOT NULL, f.complete_at, f.resource) AS nth
  FROM data_freshness f JOIN repositories r ON r.id = f.repository_id
  WHERE coalesce(r.has_issues, 1) OR f.resource NOT LIKE 'issues.%'
)
SELECT r.full_name AS repository, r.id AS repository_id, r.sync_error, r.sync_error_since, r.suspect_since,
  l.resource, l.complete_at, l.age_seconds
FROM repositories r LEFT JOIN lists l ON l.repository_id = r.id AND l.nth = 1
WHERE r.tracked AND (r.sync_error IS NOT NULL OR r.suspect_since IS NOT NULL
  OR l.age_seconds > 86400 OR (l.complete_at IS NULL AND (l.resource IS NOT NULL OR coalesce(r.has_issues, 1))));

CREATE INDEX pull_requests_open ON pull_requests (repository_id) WHERE state = 'open';
CREATE INDEX workflow_runs_commit ON workflow_runs (repository_id, head_sha) WHERE length(head_sha) <= 64;
CREATE INDEX workflow_runs_workflow ON workflow_runs (workflow_id, created_at);
CREATE INDEX workflow_jobs_run ON workflow_jobs (run_id);

-- By these, retention finds what is old.
CREATE INDEX workflow_jobs_completed ON workflow_jobs (completed_at);
CREATE INDEX workflow_runs_updated ON workflow_runs (updated_at) WHERE status = 'completed';
