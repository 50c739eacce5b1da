-- The tables of the store, in SQLite's words. Times are TEXT of fixed width in UTC: YYYY-MM-DDTHH:MM:SSZ, in
-- sync_* with six fraction digits. STRICT, so that a value of the wrong kind is refused and not stored as it comes.

CREATE TABLE repositories (
  id INTEGER PRIMARY KEY,
  node_id TEXT,
  owner TEXT NOT NULL,
  owner_id INTEGER,
  name TEXT NOT NULL,
  full_name TEXT NOT NULL,
  html_url TEXT,
  description TEXT,
  default_branch TEXT,
  language TEXT,
  visibility TEXT,
  private INTEGER CHECK (private IN (0, 1)),
  fork INTEGER CHECK (fork IN (0, 1)),
  archived INTEGER CHECK (archived IN (0, 1)),
  disabled INTEGER CHECK (disabled IN (0, 1)),
  has_issues INTEGER CHECK (has_issues IN (0, 1)),
  topics TEXT CHECK (json_valid(topics)),
  license TEXT,
  stars INTEGER,
  forks INTEGER,
  open_issues_count INTEGER,
  created_at TEXT,
  updated_at TEXT,
  pushed_at TEXT,
  tracked INTEGER NOT NULL CHECK (tracked IN (0, 1)),
  latest_commit_sha TEXT,
  sync_error TEXT,
  sync_error_since TEXT,
  suspect_since TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL
) STRICT;

CREATE TABLE issues (
  repository_id INTEGER NOT NULL REFERENCES repositories,
  number INTEGER NOT NULL,
  id INTEGER UNIQUE,
  node_id TEXT,
  title TEXT,
  body TEXT,
  state TEXT NOT NULL,
  state_reason TEXT,
  type TEXT,
  status TEXT NOT NULL,
  author TEXT,
  author_id INTEGER,
  author_type TEXT,
  author_association TEXT,
  assignees TEXT NOT NULL CHECK (json_valid(assignees)),
  labels TEXT NOT NULL CHECK (json_valid(labels)),
  github_labels TEXT NOT NULL CHECK (json_valid(github_labels)),
  milestone TEXT,
  milestone_number INTEGER,
  comments INTEGER,
  locked INTEGER CHECK (locked IN (0, 1)),
  closed_by TEXT,
  html_url TEXT,
  created_at TEXT,
  updated_at TEXT,
  closed_at TEXT,
  removed_at TEXT,
  removed_reason TEXT,
  removed_to TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL,
  PRIMARY KEY (repository_id, number)
) STRICT;

CREATE TABLE pull_requests (
  repository_id INTEGER NOT NULL REFERENCES repositories,
  number INTEGER NOT NULL,
  id INTEGER,
  issue_id INTEGER,
  node_id TEXT,
  source TEXT NOT NULL,
  title TEXT,
  body TEXT,
  state TEXT NOT NULL,
  draft INTEGER CHECK (draft IN (0, 1)),
  merged INTEGER CHECK (merged IN (0, 1)),
  author TEXT,
  author_id INTEGER,
  author_type TEXT,
  author_association TEXT,
  assignees TEXT NOT NULL CHECK (json_valid(assignees)),
  requested_reviewers TEXT CHECK (json_valid(requested_reviewers)),
  labels TEXT NOT NULL CHECK (json_valid(labels)),
  milestone TEXT,
  comments INTEGER,
  merge_commit_sha TEXT,
  head_ref TEXT,
  head_sha TEXT,
  head_repository TEXT,
  base_ref TEXT,
  base_sha TEXT,
  html_url TEXT,
  created_at TEXT,
  updated_at TEXT,
  closed_at TEXT,
  merged_at TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL,
  PRIMARY KEY (repository_id, number)
) STRICT;

CREATE TABLE workflows (
  id INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories,
  name TEXT,
  path TEXT,
  state TEXT,
  created_at TEXT,
  updated_at TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL
) STRICT;

CREATE TABLE workflow_runs (
  id INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories,
  workflow_id INTEGER,
  name TEXT,
  display_title TEXT,
  run_number INTEGER,
  run_attempt INTEGER,
  event TEXT,
  status TEXT,
  conclusion TEXT,
  head_branch TEXT,
  head_sha TEXT,
  actor TEXT,
  actor_id INTEGER,
  triggering_actor TEXT,
  html_url TEXT,
  created_at TEXT,
  run_started_at TEXT,
  updated_at TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL
) STRICT;

CREATE TABLE workflow_jobs (
  id INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories,
  run_id INTEGER NOT NULL,
  run_attempt INTEGER,
  name TEXT,
  status TEXT,
  conclusion TEXT,
  runner_name TEXT,
  labels TEXT CHECK (json_valid(labels)),
  html_url TEXT,
  created_at TEXT,
  started_at TEXT,
  completed_at TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL
) STRICT;

CREATE TABLE releases (
  id INTEGER PRIMARY KEY,
  repository_id INTEGER NOT NULL REFERENCES repositories,
  tag_name TEXT,
  name TEXT,
  body TEXT,
  draft INTEGER CHECK (draft IN (0, 1)),
  prerelease INTEGER CHECK (prerelease IN (0, 1)),
  target_commitish TEXT,
  author TEXT,
  html_url TEXT,
  created_at TEXT,
  published_at TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL
) STRICT;

CREATE TABLE packages (
  id INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  repository_id INTEGER,
  package_type TEXT,
  name TEXT,
  visibility TEXT,
  version_count INTEGER,
  latest_tag TEXT,
  html_url TEXT,
  created_at TEXT,
  updated_at TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL
) STRICT;

CREATE TABLE commits (
  repository_id INTEGER NOT NULL REFERENCES repositories,
  sha TEXT NOT NULL,
  message TEXT,
  author TEXT,
  author_email TEXT,
  committer TEXT,
  authored_at TEXT,
  committed_at TEXT,
  html_url TEXT,
  stored_at TEXT NOT NULL,
  stored_by INTEGER NOT NULL,
  PRIMARY KEY (repository_id, sha)
) STRICT;

CREATE TABLE sync_runs (
  run_number INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  dry_run INTEGER NOT NULL CHECK (dry_run IN (0, 1)),
  request_namespace TEXT,
  request_name TEXT,
  request_uid TEXT,
  coalesced TEXT NOT NULL CHECK (json_valid(coalesced)),
  attempt INTEGER,
  holder TEXT NOT NULL,
  takeover_reason TEXT,
  reason TEXT,
  message TEXT,
  started_at TEXT NOT NULL,
  completed_at TEXT,
  repositories INTEGER,
  failed INTEGER,
  created INTEGER,
  updated INTEGER,
  removed INTEGER,
  unchanged INTEGER,
  quarantined INTEGER,
  api_requests INTEGER,
  api_not_modified INTEGER,
  api_retried INTEGER,
  api_waited_seconds INTEGER,
  api_remaining INTEGER,
  operator_version TEXT
) STRICT;

CREATE TABLE sync_run_repositories (
  run_number INTEGER NOT NULL,
  repository TEXT NOT NULL,
  repository_id INTEGER,
  phase TEXT NOT NULL,
  reason TEXT,
  error TEXT,
  pages INTEGER,
  created INTEGER,
  updated INTEGER,
  removed INTEGER,
  unchanged INTEGER,
  complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
  truncated INTEGER NOT NULL CHECK (truncated IN (0, 1)),
  started_at TEXT,
  completed_at TEXT,
  PRIMARY KEY (run_number, repository)
) STRICT;

CREATE TABLE sync_quarantine (
  id TEXT PRIMARY KEY,
  run_number INTEGER NOT NULL,
  repository_id INTEGER,
  resource TEXT NOT NULL,
  item_key TEXT,
  error TEXT NOT NULL,
  raw TEXT NOT NULL CHECK (json_valid(raw)),
  first_seen_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL
) STRICT;

CREATE TABLE schema_info (
  version INTEGER NOT NULL,
  min_reader INTEGER NOT NULL,
  min_writer INTEGER NOT NULL,
  migrated_at TEXT NOT NULL,
  operator_version TEXT NOT NULL
) STRICT;

CREATE TABLE sync_store (
  owner TEXT NOT NULL
) STRICT;

CREATE TABLE sync_tickets (
  seq INTEGER NOT NULL
) STRICT;

CREATE TABLE sync_fence (
  active INTEGER NOT NULL,
  holder TEXT NOT NULL
) STRICT;

CREATE TABLE sync_cursors (
  repository_id INTEGER NOT NULL,
  resource TEXT NOT NULL,
  since TEXT,
  next_url TEXT,
  next_at TEXT,
  complete_at TEXT,
  PRIMARY KEY (repository_id, resource)
) STRICT;

CREATE TABLE sync_etags (
  url TEXT NOT NULL,
  token_identity TEXT NOT NULL,
  etag TEXT NOT NULL,
  next_url TEXT,
  numbers TEXT CHECK (json_valid(numbers)),
  stored_at TEXT NOT NULL,
  PRIMARY KEY (url, token_identity)
) STRICT;

-- The labels whose issues are not open work, from the configuration of the newest run.
CREATE TABLE sync_excluded_labels (
  name TEXT PRIMARY KEY
) STRICT;

INSERT INTO sync_tickets (seq) VALUES (0);
INSERT INTO sync_fence (active, holder) VALUES (0, '');

CREATE INDEX issues_open ON issues (repository_id) WHERE state = 'open' AND removed_at IS NULL;
CREATE INDEX sync_runs_request ON sync_runs (request_uid);
CREATE INDEX sync_runs_unfinished ON sync_runs (run_number) WHERE status = 'running';

CREATE VIEW current_issues AS
SELECT r.full_name AS repository, i.repository_id, i.number, i.id, i.title, i.body, i.state, i.state_reason, i.type, i.status, i.author, i.author_type,
  coalesce(i.author_type = 'Bot', 0) AS is_bot_author, i.author_association, i.assignees, i.labels, i.github_labels, i.milestone, i.comments, i.locked,
  i.html_url, i.created_at, i.updated_at, i.closed_at,
  CAST(strftime('%s', coalesce(i.closed_at, 'now')) - strftime('%s', i.created_at) AS INTEGER) AS age_seconds,
  CAST(strftime('%s', i.closed_at) - strftime('%s', i.created_at) AS INTEGER) AS lead_seconds
FROM issues i JOIN repositories r ON r.id = i.repository_id
WHERE i.removed_at IS NULL;

CREATE VIEW open_issues AS
SELECT c.* FROM current_issues c
WHERE c.state = 'open'
  AND NOT EXISTS (SELECT 1 FROM json_each(c.github_labels) l JOIN sync_excluded_labels x ON x.name = l.value);

CREATE VIEW issue_labels AS
SELECT i.repository_id, i.number, l.value AS name,
  CASE WHEN instr(l.value, '/') > 0 THEN substr(l.value, 1, instr(l.value, '/') - 1) END AS scope,
  CASE WHEN instr(l.value, '/') > 0 THEN substr(l.value, instr(l.value, '/') + 1) ELSE l.value END AS value
FROM issues i, json_each(i.labels) l
WHERE i.removed_at IS NULL;

CREATE VIEW run_history AS
SELECT run_number, type, status, dry_run, request_namespace, request_name, reason, message, started_at, completed_at,
  CAST(round((julianday(completed_at) - julianday(started_at)) * 86400) AS INTEGER) AS duration_seconds,
  repositories, failed, created, updated, removed, unchanged, quarantined, api_requests, api_not_modified, takeover_reason
FROM sync_runs;

CREATE VIEW data_freshness AS
SELECT r.full_name AS repository, c.repository_id, c.resource, c.complete_at,
  CAST(strftime('%s', 'now') - strftime('%s', c.complete_at) AS INTEGER) AS age_seconds
FROM sync_cursors c JOIN repositories r ON r.id = c.repository_id;
