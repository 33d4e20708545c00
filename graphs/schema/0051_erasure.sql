-- People who are being erased. While something of theirs cannot end yet, the directory's id is kept here alone,
-- sealed with the record's secret; rows hold a pseudonym in its place. The row goes when all has ended.

CREATE TABLE erasure (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    pseudonym text NOT NULL,
    handles text[] NOT NULL,  -- keyed hashes of the subjects and addresses: only who has the secrets can ask
    key_id text NOT NULL,  -- of the secret that wraps the key
    wrapped bytea NOT NULL,
    sealed bytea NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (tenant, pseudonym)
);

GRANT SELECT ON erasure TO countersign_app;  -- the owner's role alone writes it: an operator erases, never the bot

ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasure TO countersign_app USING (tenant = current_setting('countersign.tenant'));
