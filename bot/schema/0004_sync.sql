-- When each scheduled source is fetched again, and how that went last. Times are the machine's: documents are
-- fetched in real time, whatever day a demo pretends it is.

CREATE TABLE sync (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    source text NOT NULL,
    schedule text NOT NULL,
    due_at timestamptz NOT NULL,
    wanted_at timestamptz,  -- when a worker saw that it was due; NULL again when it has been done
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('done', 'failed')),
    detail text,  -- what went wrong
    PRIMARY KEY (tenant, source)
);
CREATE INDEX sync_due ON sync (due_at) WHERE wanted_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON sync TO countersign_app;
ALTER TABLE sync ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sync TO countersign_app USING (tenant = current_setting('countersign.tenant'));
