-- Who decides for whom while they are away, when a waiting approval reminds and lets others decide too, and
-- what has to be reviewed after an emergency.

CREATE TABLE delegation (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,
    holder text NOT NULL,  -- the human whose right it is
    stand_in text NOT NULL,  -- the human who may use it
    holder_person jsonb NOT NULL,
    stand_in_person jsonb NOT NULL,
    starts_at timestamptz NOT NULL DEFAULT moment(),
    ends_at timestamptz NOT NULL,  -- by itself
    ended_at timestamptz,  -- by somebody, before that; what was decided under it counts no more
    PRIMARY KEY (tenant, id),
    CHECK (holder <> stand_in),
    CHECK (ends_at >= starts_at)
);
CREATE INDEX delegation_holder ON delegation (tenant, holder) WHERE ended_at IS NULL;
CREATE INDEX delegation_stand_in ON delegation (tenant, stand_in) WHERE ended_at IS NULL;

ALTER TABLE approval
    ADD COLUMN remind_at timestamptz,  -- NULL: never
    ADD COLUMN reminded_at timestamptz,
    ADD COLUMN escalate_at timestamptz,  -- from then on a second group decides too. NULL: there is none
    ADD COLUMN escalated_at timestamptz;  -- when that was said

CREATE TABLE review (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,  -- opaque, 128 bits: what the buttons carry
    approval text NOT NULL,  -- of what was done in the emergency
    run text NOT NULL,  -- that waits for the review
    reviewers text NOT NULL,  -- the directory group whose members may review
    every interval NOT NULL,  -- between two reminders
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'in_order', 'not_in_order')),
    reminders integer NOT NULL DEFAULT 0,
    remind_at timestamptz NOT NULL,
    reviewer jsonb,
    reviewed_at timestamptz,
    reason text,
    created_at timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, approval),
    FOREIGN KEY (tenant, approval) REFERENCES approval,
    FOREIGN KEY (tenant, run) REFERENCES run,
    CHECK ((status = 'open') = (reviewed_at IS NULL)),
    CHECK ((reviewed_at IS NULL) = (reviewer IS NULL)),
    CHECK (status <> 'not_in_order' OR reason <> '')
);
CREATE INDEX review_open ON review (tenant, created_at) WHERE status = 'open';

GRANT SELECT, INSERT, UPDATE ON delegation, review TO countersign_app;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['delegation', 'review'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
