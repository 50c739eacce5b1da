-- The tables of the store, in PostgreSQL's words: the same names and columns as in SQLite. They are created in the schema
-- that the operator's configuration names. Names of repositories compare byte by byte whatever the database's locale is,
-- so that their case is folded everywhere in the same way.

CREATE TABLE repositories (
  id bigint PRIMARY KEY,
  node_id text,
  owner text COLLATE "C" NOT NULL,
  owner_id bigint,
  name text COLLATE "C" NOT NULL,
  full_name text COLLATE "C" NOT NULL,
  html_url text,
  description text,
  default_branch text,
  language text,
  visibility text,
  private boolean,
  fork boolean,
  archived boolean,
  disabled boolean,
  has_issues boolean,
  topics jsonb,
  license text,
  stars bigint,
  forks bigint,
  open_issues_count bigint,
  created_at timestamptz,
  updated_at timestamptz,
  pushed_at timestamptz,
  tracked boolean NOT NULL,
  latest_commit_sha text,
  sync_error text,
  sync_error_since timestamptz,
  suspect_since timestamptz,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL
);

CREATE TABLE issues (
  repository_id bigint NOT NULL REFERENCES repositories,
  number bigint NOT NULL,
  id bigint UNIQUE,
  node_id text,
  title text,
  body text,
  state text NOT NULL,
  state_reason text,
  type text,
  status text NOT NULL,
  author text,
  author_id bigint,
  author_type text,
  author_association text,
  assignees jsonb NOT NULL,
  labels jsonb NOT NULL,
  github_labels jsonb NOT NULL,
  milestone text,
  milestone_number bigint,
  comments bigint,
  locked boolean,
  closed_by text,
  html_url text,
  created_at timestamptz,
  updated_at timestamptz,
  closed_at timestamptz,
  removed_at timestamptz,
  removed_reason text,
  removed_to text,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL,
  PRIMARY KEY (repository_id, number)
);

CREATE TABLE pull_requests (
  repository_id bigint NOT NULL REFERENCES repositories,
  number bigint NOT NULL,
  id bigint,
  issue_id bigint,
  node_id text,
  source text NOT NULL,
  title text,
  body text,
  state text NOT NULL,
  draft boolean,
  merged boolean,
  author text,
  author_id bigint,
  author_type text,
  author_association text,
  assignees jsonb NOT NULL,
  requested_reviewers jsonb,
  labels jsonb NOT NULL,
  milestone text,
  comments bigint,
  merge_commit_sha text,
  head_ref text,
  head_sha text,
  head_repository text,
  base_ref text,
  base_sha text,
  html_url text,
  created_at timestamptz,
  updated_at timestamptz,
  closed_at timestamptz,
  merged_at timestamptz,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL,
  PRIMARY KEY (repository_id, number)
);

CREATE TABLE workflows (
  id bigint PRIMARY KEY,
  repository_id bigint NOT NULL REFERENCES repositories,
  name text,
  path text,
  state text,
  created_at timestamptz,
  updated_at timestamptz,
  removed_at timestamptz,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL
);

CREATE TABLE workflow_runs (
  id bigint PRIMARY KEY,
  repository_id bigint NOT NULL REFERENCES repositories,
  workflow_id bigint,
  name text,
  display_title text,
  run_number bigint,
  run_attempt bigint,
  event text,
  status text,
  conclusion text,
  head_branch text,
  head_sha text,
  actor text,
  actor_id bigint,
  triggering_actor text,
  html_url text,
  created_at timestamptz,
  run_started_at timestamptz,
  updated_at timestamptz,
  removed_at timestamptz,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL
);

CREATE TABLE workflow_jobs (
  id bigint PRIMARY KEY,
  repository_id bigint NOT NULL REFERENCES repositories,
  run_id bigint NOT NULL,
  run_attempt bigint,
  name text,
  status text,
  conclusion text,
  runner_name text,
  labels jsonb,
  html_url text,
  created_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL
);

CREATE TABLE releases (
  id bigint PRIMARY KEY,
  repository_id bigint NOT NULL REFERENCES repositories,
  tag_name text,
  name text,
  body text,
  draft boolean,
  prerelease boolean,
  target_commitish text,
  author text,
  html_url text,
  created_at timestamptz,
  published_at timestamptz,
  removed_at timestamptz,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL
);

CREATE TABLE packages (
  id bigint PRIMARY KEY,
  owner text NOT NULL,
  repository_id bigint,
  package_type text,
  name text,
  visibility text,
  version_count bigint,
  latest_tag text,
  html_url text,
  created_at timestamptz,
  updated_at timestamptz,
  removed_at timestamptz,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL
);

CREATE TABLE commits (
  repository_id bigint NOT NULL REFERENCES repositories,
  sha text NOT NULL,
  message text,
  author text,
  author_email text,
  committer text,
  authored_at timestamptz,
  committed_at timestamptz,
  html_url text,
  stored_at timestamptz NOT NULL,
  stored_by bigint NOT NULL,
  PRIMARY KEY (repository_id, sha)
);

CREATE TABLE sync_runs (
  run_number bigint PRIMARY KEY,
  type text NOT NULL,
  status text NOT NULL,
  dry_run boolean NOT NULL,
  request_namespace text,
  request_name text,
  request_uid text,
  coalesced jsonb NOT NULL,
  attempt bigint,
  holder text NOT NULL,
  takeover_reason text,
  reason text,
  message text,
  started_at timestamptz NOT NULL,
  completed_at timestamptz,
  repositories bigint,
  failed bigint,
  created bigint,
  updated bigint,
  removed bigint,
  unchanged bigint,
  quarantined bigint,
  api_requests bigint,
  api_not_modified bigint,
  api_retried bigint,
  api_waited_seconds bigint,
  api_remaining bigint,
  operator_version text,
  -- Whether the run has committed anything; and when its failed attempt is followed by another, which means that the
  -- run is not the request's end.
  committed boolean NOT NULL DEFAULT false,
  next_attempt_at timestamptz
);

CREATE TABLE sync_run_repositories (
  run_number bigint NOT NULL,
  repository text COLLATE "C" NOT NULL,
  repository_id bigint,
  phase text NOT NULL,
  reason text,
  error text,
  pages bigint,
  created bigint,
  updated bigint,
  removed bigint,
  unchanged bigint,
  complete boolean NOT NULL,
  truncated boolean NOT NULL,
  started_at timestamptz,
  completed_at timestamptz,
  PRIMARY KEY (run_number, repository)
);

CREATE TABLE sync_quarantine (
  id text COLLATE "C" PRIMARY KEY,
  run_number bigint NOT NULL,
  repository_id bigint,
  resource text NOT NULL,
  item_key text,
  error text NOT NULL,
  raw jsonb NOT NULL,
  first_seen_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL
);

CREATE TABLE schema_info (
  version bigint NOT NULL,
  min_reader bigint NOT NULL,
  min_writer bigint NOT NULL,
  migrated_at timestamptz NOT NULL,
  operator_version text NOT NULL
);

CREATE TABLE sync_store (
  owner text NOT NULL
);

CREATE TABLE sync_tickets (
  seq bigint NOT NULL
);

CREATE TABLE sync_fence (
  active bigint NOT NULL,
  holder text NOT NULL
);

-- Which GitHub a cursor is of, since when what is stored of its list is complete, and how far a pass has come that was
-- cut short: its key (the URL of its first page), when it began by GitHub's clock, and whether it has changed a row.
-- next_url and next_at are where and when it stopped.
CREATE TABLE sync_cursors (
  repository_id bigint NOT NULL,
  resource text NOT NULL,
  since timestamptz,
  next_url text,
  next_at timestamptz,
  complete_at timestamptz,
  source text,
  pass text,
  began_at timestamptz,
  changed boolean,
  horizon timestamptz,
  PRIMARY KEY (repository_id, resource)
);

CREATE TABLE sync_etags (
  url text COLLATE "C" NOT NULL,
  token_identity text NOT NULL,
  etag text NOT NULL,
  next_url text,
  numbers jsonb,
  stored_at timestamptz NOT NULL,
  PRIMARY KEY (url, token_identity)
);

-- The labels whose issues are not open work, from the configuration of the newest run.
CREATE TABLE sync_excluded_labels (
  name text PRIMARY KEY
);

INSERT INTO sync_tickets (seq) VALUES (0);
INSERT INTO sync_fence (active, holder) VALUES (0, '');

CREATE INDEX repositories_full_name ON repositories (lower(full_name));
CREATE INDEX issues_open ON issues (repository_id) WHERE state = 'open' AND removed_at IS NULL;
CREATE INDEX issues_removed ON issues (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX issues_github_labels ON issues USING gin (github_labels);
CREATE INDEX workflows_repository ON workflows (repository_id);
CREATE INDEX workflow_runs_unfinished ON workflow_runs (repository_id) WHERE status <> 'completed';
CREATE INDEX releases_repository ON releases (repository_id);
CREATE INDEX packages_owner ON packages (owner, package_type);
CREATE INDEX sync_runs_request ON sync_runs (request_uid);
CREATE INDEX sync_runs_unfinished ON sync_runs (run_number) WHERE status = 'running';
CREATE INDEX sync_runs_coalescing ON sync_runs (run_number) WHERE coalesced <> '[]';
CREATE INDEX sync_runs_completed ON sync_runs (completed_at);
CREATE INDEX sync_quarantine_repository ON sync_quarantine (repository_id, resource);
