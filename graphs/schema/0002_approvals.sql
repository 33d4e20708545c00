-- Who has said what about an approval, apart from where the approval stands; what approvers changed in a
-- request; and which clause a waiting approval rests on, as columns that can be looked up.

CREATE TABLE vote (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    approval text NOT NULL,
    subject text NOT NULL,  -- the account that clicked
    human text NOT NULL,  -- who that is: linked accounts of one person have the same
    holder text NOT NULL,  -- the human whose right was used: their own, or that of whom they stand in for
    person jsonb NOT NULL,
    stands_for jsonb,  -- whom they stand in for; null: they decide in their own right
    verdict text NOT NULL CHECK (verdict IN ('approve', 'deny')),
    reason text,
    at timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (tenant, approval, subject),
    UNIQUE (tenant, approval, human),
    UNIQUE (tenant, approval, holder),  -- somebody and their stand-in count once
    FOREIGN KEY (tenant, approval) REFERENCES approval
);
INSERT INTO vote (tenant, approval, subject, human, holder, person, verdict, reason, at)
    SELECT tenant, id, decided_by->>'subject', decided_by->>'subject', decided_by->>'subject', decided_by,
        CASE status WHEN 'approved' THEN 'approve' ELSE 'deny' END, reason, decided_at
    FROM approval WHERE decided_at IS NOT NULL;

-- One that was asked for again and never carried out has been void since, whatever was said to it.
ALTER TABLE approval DROP CONSTRAINT approval_check;
UPDATE approval AS old SET status = 'void' WHERE status IN ('pending', 'approved')
    AND EXISTS (SELECT FROM approval AS newer
                WHERE (newer.tenant, newer.replaces) = (old.tenant, old.id))
    AND NOT EXISTS (SELECT FROM effect
                    WHERE (effect.tenant, effect.approval) = (old.tenant, old.id) AND effect.state = 'done');
ALTER TABLE approval DROP COLUMN decided_by;
ALTER TABLE approval DROP COLUMN reason;
ALTER TABLE approval
    ADD COLUMN void jsonb,  -- why it counts no more: the key of the reason, and what its sentence needs
    ADD COLUMN clause_document text,
    ADD COLUMN clause_anchor text,
    ADD COLUMN clause_hash text,
    ADD COLUMN clause_seen text;  -- the latest edition that was seen to hold the clause as it was then
UPDATE approval SET
    void = CASE status WHEN 'void' THEN '{"key": "changed", "facts": {}}'::jsonb END,
    clause_document = card->'clause'->>'document',
    clause_anchor = card->'clause'->>'anchor',
    clause_hash = action->>'clause',
    clause_seen = card->'clause'->>'edition';
ALTER TABLE approval
    ALTER COLUMN clause_document SET NOT NULL,
    ALTER COLUMN clause_anchor SET NOT NULL,
    ALTER COLUMN clause_hash SET NOT NULL,
    ALTER COLUMN clause_seen SET NOT NULL,
    ADD CHECK (decided_at IS NOT NULL OR status NOT IN ('approved', 'denied')),  -- when the quorum was reached
    ADD CHECK (decided_at IS NULL OR status IN ('approved', 'denied', 'void')),
    ADD CHECK ((status = 'void') = (void IS NOT NULL));
CREATE UNIQUE INDEX approval_live ON approval (tenant, run) WHERE status = 'pending';
CREATE INDEX approval_clause ON approval (tenant, clause_seen) WHERE status = 'pending';

CREATE TABLE edit (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    approval text NOT NULL,  -- the card on which it was made, which it ended
    run text NOT NULL,
    subject text NOT NULL,
    author jsonb NOT NULL,
    before jsonb NOT NULL,  -- the fields that were changed, as they were
    after jsonb NOT NULL,
    narrows boolean NOT NULL,  -- it only takes away: whoever made it approves what is left
    at timestamptz NOT NULL DEFAULT moment(),
    PRIMARY KEY (tenant, approval),
    FOREIGN KEY (tenant, approval) REFERENCES approval,
    FOREIGN KEY (tenant, run) REFERENCES run
);
CREATE INDEX edit_run ON edit (tenant, run);

GRANT SELECT, INSERT ON vote, edit TO countersign_app;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['vote', 'edit'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
