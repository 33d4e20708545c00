-- The record: requests over several runs, people under keys of their own, checkpoints, holds.

ALTER TABLE audit_event ADD COLUMN trace text;  -- the request that it belongs to
UPDATE audit_event SET trace = coalesce(
    (SELECT slots ->> 'run' FROM run WHERE run.tenant = audit_event.tenant AND run.id = audit_event.run), run);
CREATE INDEX audit_event_trace ON audit_event (tenant, trace, seq);

CREATE TABLE audit_subject (  -- the key of each person; without it their values open nowhere
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    pseudonym text NOT NULL,
    handle text NOT NULL,  -- keyed hash of the subject: only who has the secrets can ask for somebody
    key_id text NOT NULL,  -- of the secret that wraps the key
    sealed bytea NOT NULL,
    PRIMARY KEY (tenant, pseudonym),
    UNIQUE (tenant, handle)
);

CREATE TABLE audit_part (  -- values beside an event; it takes the keys of all their owners to read them
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    seq bigint NOT NULL,
    part integer NOT NULL,
    owners text[] NOT NULL CHECK (owners <> '{}'),  -- pseudonyms
    sealed bytea NOT NULL,
    PRIMARY KEY (tenant, seq, part),
    FOREIGN KEY (tenant, seq) REFERENCES audit_event
);
CREATE INDEX audit_part_owners ON audit_part USING gin (owners);

CREATE TABLE audit_checkpoint (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    seq bigint NOT NULL,  -- the last event that it covers
    body text NOT NULL,  -- canonical JSON (RFC 8785), the very bytes that are signed
    signature text NOT NULL,
    PRIMARY KEY (tenant, seq),
    FOREIGN KEY (tenant, seq) REFERENCES audit_event
);

CREATE TABLE audit_hold (  -- requests whose values neither time nor an erasure takes away
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    trace text NOT NULL,
    PRIMARY KEY (tenant, trace)
);

GRANT SELECT, INSERT ON audit_checkpoint TO countersign_app;
GRANT SELECT, INSERT, DELETE ON audit_subject, audit_part, audit_hold TO countersign_app;
REVOKE INSERT ON audit_detail FROM countersign_app;  -- what is in it is taken over, and it stays empty

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_subject', 'audit_part', 'audit_checkpoint', 'audit_hold'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
