-- The bots that share this database and the sockets to Slack that each holds: whether another deployment uses the
-- same Slack app shows in there being more.

CREATE TABLE bot_process (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,
    app text NOT NULL,  -- Slack's id of the app
    sockets integer NOT NULL,  -- that it holds or is about to open
    refused text,  -- why Slack opens none for it at the moment
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON bot_process TO countersign_app;
ALTER TABLE bot_process ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON bot_process TO countersign_app USING (tenant = current_setting('countersign.tenant'));
