-- What the record says of one approval is found by its id also under the policy of the tenant's rows: an index on
-- an expression is of no use there, because PostgreSQL evaluates only what it knows to be leakproof before a policy.

ALTER TABLE audit_event
    ADD COLUMN approval text GENERATED ALWAYS AS (substring(body from '"approval":"([^"]+)"')) STORED;

DROP INDEX audit_event_approval;
CREATE INDEX audit_event_approval ON audit_event (tenant, approval, seq)
    WHERE kind IN ('approval.requested', 'approval.voted', 'approval.decided', 'approval.expired', 'approval.void',
                   'effect.intended', 'effect.cleared', 'effect.done', 'effect.failed', 'effect.unknown',
                   'effect.resolved', 'effect.overdue', 'effect.read_back', 'plan.stopped');

CREATE OR REPLACE FUNCTION ends_by(of_tenant text, of_seq bigint) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM audit_event AS told JOIN audit_event AS done
            ON (done.tenant, done.approval) = (told.tenant, told.approval)
        WHERE told.tenant = of_tenant AND told.seq = of_seq AND done.kind = 'effect.done'
            AND substring(done.body from '"ends_at":"([^"]+)"')
                > to_char((moment() - interval '7 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'))
$$;
