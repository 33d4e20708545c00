-- Which of the keys that an installation makes for itself this database was written with, by their ids. A
-- process whose secrets hold other keys does not start on it.

CREATE TABLE key_in_use (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    name text NOT NULL,  -- of the secret
    id text NOT NULL,  -- derived from the key, and says nothing about it
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, name, id)
);

GRANT SELECT, INSERT ON key_in_use TO countersign_app;

ALTER TABLE key_in_use ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON key_in_use TO countersign_app
    USING (tenant = current_setting('countersign.tenant'));
