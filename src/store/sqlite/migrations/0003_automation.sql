-- What the copies of automation data need.

-- What GitHub does not have any more keeps its row, as issues do.
ALTER TABLE workflows ADD COLUMN removed_at TEXT;
ALTER TABLE workflow_runs ADD COLUMN removed_at TEXT;
ALTER TABLE releases ADD COLUMN removed_at TEXT;
ALTER TABLE packages ADD COLUMN removed_at TEXT;

-- Since when what is stored of a list is complete, where a limit has cut it off; null from the beginning.
ALTER TABLE sync_cursors ADD COLUMN horizon TEXT;

CREATE INDEX workflows_repository ON workflows (repository_id);
CREATE INDEX workflow_runs_unfinished ON workflow_runs (repository_id) WHERE status <> 'completed';
CREATE INDEX releases_repository ON releases (repository_id);
CREATE INDEX packages_owner ON packages (owner, package_type);
