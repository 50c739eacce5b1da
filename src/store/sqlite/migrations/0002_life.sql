-- What the whole life of a request needs.

-- Whether the run has committed anything; and when its failed attempt is followed by another, which means that the
-- run is not the request's end.
ALTER TABLE sync_runs ADD COLUMN committed INTEGER NOT NULL DEFAULT 0 CHECK (committed IN (0, 1));
ALTER TABLE sync_runs ADD COLUMN next_attempt_at TEXT;

-- Which GitHub a cursor is of, and how far a pass has come that was cut short: its key (the URL of its first page), when
-- it began by GitHub's clock, and whether it has changed a row. next_url and next_at are where and when it stopped.
ALTER TABLE sync_cursors ADD COLUMN source TEXT;
ALTER TABLE sync_cursors ADD COLUMN pass TEXT;
ALTER TABLE sync_cursors ADD COLUMN began_at TEXT;
ALTER TABLE sync_cursors ADD COLUMN changed INTEGER CHECK (changed IN (0, 1));

CREATE INDEX sync_runs_coalescing ON sync_runs (run_number) WHERE coalesced <> '[]';
CREATE INDEX sync_runs_completed ON sync_runs (completed_at);
CREATE INDEX sync_quarantine_repository ON sync_quarantine (repository_id, resource);
CREATE INDEX issues_removed ON issues (removed_at) WHERE removed_at IS NOT NULL;
