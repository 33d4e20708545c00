-- Which edition of the documents serves: the newest row of its tenant. The rows before it are the history.

CREATE TABLE edition_activation (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    edition text NOT NULL CHECK (edition ~ '^[0-9a-zA-Z]+$'),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by text NOT NULL,  -- who ran the command, or the job
    why text NOT NULL CHECK (why IN ('ingest', 'activate', 'sync')),
    PRIMARY KEY (tenant, seq)
);

GRANT SELECT, INSERT ON edition_activation TO countersign_app;

ALTER TABLE edition_activation ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON edition_activation TO countersign_app
    USING (tenant = current_setting('countersign.tenant'));
