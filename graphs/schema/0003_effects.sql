-- An effect that nobody can tell about is asked of a person; a run that was tried too often rests until it is replayed.

ALTER TABLE effect DROP CONSTRAINT effect_state_check;
ALTER TABLE effect ADD CONSTRAINT effect_state_check
    CHECK (state IN ('intended', 'cleared', 'done', 'failed', 'unknown'));
ALTER TABLE effect ADD COLUMN resolved text  -- what a person said of an unknown effect, until it is acted upon
    CHECK (resolved IN ('happened', 'did_not', 'undo'));

CREATE TABLE doubt (  -- one for each time that an effect became unknown
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,  -- opaque, 128 bits: what the buttons carry
    effect text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT moment(),
    answer text CHECK (answer IN ('happened', 'did_not', 'undo')),
    answered_by jsonb,
    answered_at timestamptz,
    PRIMARY KEY (tenant, id),
    FOREIGN KEY (tenant, effect) REFERENCES effect,
    CHECK ((answer IS NULL) = (answered_by IS NULL) AND (answer IS NULL) = (answered_at IS NULL))
);
CREATE UNIQUE INDEX doubt_open ON doubt (tenant, effect) WHERE answer IS NULL;

INSERT INTO doubt (tenant, id, effect)
    SELECT tenant, replace(gen_random_uuid()::text, '-', ''), id FROM effect WHERE state = 'unknown';
INSERT INTO timer (tenant, run, due_at)  -- so that their cards are posted
    SELECT tenant, id, moment() FROM run WHERE status = 'unknown' ON CONFLICT DO NOTHING;

CREATE TABLE outage (  -- an outside system that is left alone for a while
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    system text NOT NULL,
    since timestamptz NOT NULL DEFAULT moment(),
    until timestamptz NOT NULL,  -- when it is asked again
    reason text NOT NULL,
    PRIMARY KEY (tenant, system)
);

GRANT SELECT, INSERT, UPDATE ON doubt TO countersign_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON outage TO countersign_app;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['doubt', 'outage'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
