-- What graphs owns: the clock, runs, approvals, effects and the audit record.
-- Every row belongs to a tenant, which the connection names; row security keeps tenants apart.

CREATE TABLE clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    shift interval NOT NULL DEFAULT interval '0'  -- moved by the owner's role alone, and only in a demo
);
INSERT INTO clock DEFAULT VALUES;
GRANT SELECT ON clock TO countersign_app;

CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS $$ SELECT date_trunc('milliseconds', clock_timestamp() + (SELECT shift FROM clock)) $$;

CREATE TABLE run (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,
    key text NOT NULL,  -- what caused it, so that the same cause gives the same run
    workflow text NOT NULL,
    version integer NOT NULL,
    status text NOT NULL,
    requester jsonb NOT NULL,
    origin jsonb NOT NULL,
    slots jsonb NOT NULL,
    submissions integer NOT NULL DEFAULT 0,
    missing jsonb NOT NULL DEFAULT '[]',
    problems jsonb NOT NULL DEFAULT '{}',
    reason text,
    facts jsonb NOT NULL DEFAULT '{}',
    due_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    token bigint NOT NULL DEFAULT 0,  -- fencing: raised by each worker that takes the run
    created_at timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, key)
);
CREATE INDEX run_open ON run (workflow, version) WHERE status NOT IN ('done', 'refused', 'failed');

CREATE TABLE run_step (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    run text NOT NULL,
    mark text NOT NULL,  -- a node that runs again writes its step once
    seq bigint GENERATED ALWAYS AS IDENTITY,
    key text NOT NULL,
    at timestamptz NOT NULL DEFAULT moment(),
    facts jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant, run, mark),
    FOREIGN KEY (tenant, run) REFERENCES run
);

CREATE TABLE timer (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    run text NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, run, due_at),
    FOREIGN KEY (tenant, run) REFERENCES run
);
CREATE INDEX timer_due ON timer (due_at);

CREATE TABLE approval (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,  -- opaque, 128 bits: what the buttons carry
    run text NOT NULL,
    round integer NOT NULL,  -- a run asks again when something has changed
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'approved', 'denied', 'expired', 'void')),
    digest text NOT NULL,
    action jsonb NOT NULL,  -- exactly what the digest covers
    card jsonb NOT NULL,  -- the same in words, for the card
    replaces text,
    created_at timestamptz NOT NULL DEFAULT moment(),
    decide_by timestamptz NOT NULL,
    decided_by jsonb,
    decided_at timestamptz,
    reason text,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, run, round),
    FOREIGN KEY (tenant, run) REFERENCES run,
    CHECK ((status IN ('approved', 'denied')) = (decided_at IS NOT NULL AND decided_by IS NOT NULL))
);

CREATE TABLE effect (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,
    approval text NOT NULL,
    run text NOT NULL,
    act text NOT NULL CHECK (act IN ('apply', 'undo')),
    operation text NOT NULL,
    key text NOT NULL,  -- the idempotency key that the other side is given
    payload jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('intended', 'done', 'failed', 'unknown')),
    found boolean NOT NULL DEFAULT false,  -- done, and known by looking instead of by an answer
    result jsonb,
    token bigint NOT NULL,
    intended_at timestamptz NOT NULL DEFAULT moment(),
    settled_at timestamptz,
    ends_at timestamptz,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, approval, act),
    UNIQUE (tenant, key),
    FOREIGN KEY (tenant, run) REFERENCES run,
    FOREIGN KEY (tenant, approval) REFERENCES approval
);

CREATE TABLE audit_event (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    seq bigint NOT NULL,
    run text,
    kind text NOT NULL,
    previous text NOT NULL,
    hash text NOT NULL,
    body text NOT NULL,  -- canonical JSON (RFC 8785), the very bytes that are hashed
    PRIMARY KEY (tenant, seq)
);
CREATE INDEX audit_event_run ON audit_event (tenant, run, seq);

CREATE TABLE audit_detail (  -- personal values beside the chain, which holds a salted commitment to them
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    seq bigint NOT NULL,
    salt text NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (tenant, seq),
    FOREIGN KEY (tenant, seq) REFERENCES audit_event
);

CREATE TABLE authority_level (  -- written by people, never by the bot
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    operation text NOT NULL,
    level integer NOT NULL CHECK (level BETWEEN 0 AND 4),
    PRIMARY KEY (tenant, operation)
);

GRANT SELECT, INSERT, UPDATE ON run, approval, effect TO countersign_app;
GRANT SELECT, INSERT ON run_step, audit_event TO countersign_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON timer TO countersign_app;  -- update: to lock a row while taking it
GRANT SELECT, INSERT, DELETE ON audit_detail TO countersign_app;
GRANT SELECT ON authority_level TO countersign_app;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['run', 'run_step', 'timer', 'approval', 'effect', 'audit_event',
                                'audit_detail', 'authority_level'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
