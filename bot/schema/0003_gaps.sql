-- What people asked and how well it was answered, so that owners learn what is missing. Times here are
-- moment()'s. No row names anybody: an asker is a keyed hash, there to be counted and to be erased.

CREATE TABLE asker_salt (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    salt bytea NOT NULL,
    PRIMARY KEY (tenant)
);

CREATE TABLE question (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,  -- opaque; the rating buttons below the answer carry it
    asker bytea NOT NULL,
    said text NOT NULL,  -- redacted
    earlier text[] NOT NULL,  -- what the same person said before in the thread, redacted
    private boolean NOT NULL,  -- only the asker saw the answer
    audience text[] NOT NULL,  -- whose documents were near: everyone's, or of those groups only
    status text NOT NULL CHECK (status IN ('answered', 'cautioned', 'not_covered')),
    confidence double precision NOT NULL,
    edition text NOT NULL,  -- the latest one that was asked
    nearest jsonb NOT NULL,
    owner text NOT NULL,  -- of the nearest; empty: nobody
    asked_at timestamptz NOT NULL DEFAULT moment(),
    vector bytea,  -- of what was said, once it has been grouped
    embedder text,
    answer text,  -- the document that an owner wrote for it
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'dismissed', 'closed')),
    reason text,
    ended_at timestamptz,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX question_asked ON question (asked_at);
CREATE INDEX question_asker ON question (tenant, asker);
CREATE INDEX question_open ON question (tenant, edition) WHERE state = 'open';

CREATE TABLE rating (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    question text NOT NULL,
    rater bytea NOT NULL,
    good boolean NOT NULL,
    note text NOT NULL DEFAULT '',  -- redacted
    rated_at timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (tenant, question, rater),
    FOREIGN KEY (tenant, question) REFERENCES question ON DELETE CASCADE
);
CREATE INDEX rating_rater ON rating (tenant, rater);

GRANT SELECT, INSERT ON asker_salt TO countersign_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON question, rating TO countersign_app;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['asker_salt', 'question', 'rating'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
