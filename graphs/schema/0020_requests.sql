-- Emergencies come before everything else, and one person's open requests are counted.

ALTER TABLE run ADD COLUMN urgent boolean NOT NULL DEFAULT false;
CREATE INDEX run_open_subject ON run (tenant, (requester->>'subject'))
    WHERE status NOT IN ('done', 'refused', 'failed');
CREATE INDEX run_open_human ON run (tenant, (requester->>'human'))
    WHERE status NOT IN ('done', 'refused', 'failed');
