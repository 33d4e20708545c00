-- What is written once can be changed by nobody but the owner: the application's role may update the columns
-- that it does update, and no others. Times, spans and the shape of values are such as every reader of them can
-- hold, and the token that fences workers off goes up by one.

DO $$
DECLARE may record;
BEGIN
    FOR may IN SELECT * FROM (VALUES
        ('run', 'status, slots, submissions, missing, problems, reason, facts, due_at, attempts, token'),
        ('approval', 'status, decided_at, void, clause_seen, reminded_at, escalated_at'),
        ('effect', 'run, operation, key, payload, state, found, result, token, intended_at, settled_at, ends_at,'
                   'resolved, step'),
        ('timer', 'pace'),
        ('doubt', 'answer, answered_by, answered_at'),
        ('delegation', 'ends_at, ended_at'),
        ('review', 'run, reviewers, every, status, reminders, remind_at, reviewer, reviewed_at, reason')
    ) AS listed (name, columns) LOOP
        EXECUTE format('REVOKE UPDATE ON %I FROM countersign_app', may.name);
        EXECUTE format('GRANT UPDATE (%s) ON %I TO countersign_app', may.columns, may.name);
    END LOOP;
END $$;

DO $$
DECLARE kept record;
BEGIN
    FOR kept IN
        SELECT attrelid::regclass AS name, attname AS "column", CASE
            WHEN atttypid = 'timestamptz'::regtype THEN '%I BETWEEN ''1970-01-01 UTC'' AND ''9000-01-01 UTC'''
            WHEN atttypid = 'interval'::regtype THEN '%I BETWEEN ''0'' AND ''100 years'''
            WHEN attname = 'missing' THEN 'jsonb_typeof(%I) = ''array'''
            ELSE 'jsonb_typeof(%I) = ''object''' END AS is_such
        FROM pg_attribute WHERE attrelid = ANY (ARRAY['run', 'run_step', 'timer', 'approval', 'vote', 'edit',
            'effect', 'doubt', 'delegation', 'review']::regclass[]) AND attnum > 0 AND NOT attisdropped
            AND atttypid IN ('timestamptz'::regtype, 'interval'::regtype, 'jsonb'::regtype)
    LOOP
        EXECUTE format('ALTER TABLE %s ADD CHECK (' || kept.is_such || ') NOT VALID', kept.name, kept.column);
    END LOOP;
END $$;

CREATE FUNCTION only_by_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.token NOT IN (OLD.token, OLD.token + 1) THEN
        RAISE 'the token of a run goes up by one, and never down';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_by_one BEFORE UPDATE OF token ON run FOR EACH ROW EXECUTE FUNCTION only_by_one();
