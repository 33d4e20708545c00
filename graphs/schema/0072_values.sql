-- What stands beside the record is deleted by the application's role when its time is over, and never while it is
-- needed to end what was granted. An erasure deletes as the owner.

CREATE FUNCTION ends_by(of_tenant text, of_seq bigint) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM audit_event AS told JOIN audit_event AS done ON done.tenant = told.tenant
            AND substring(done.body from '"approval":"([^"]+)"') = substring(told.body from '"approval":"([^"]+)"')
        WHERE told.tenant = of_tenant AND told.seq = of_seq AND done.kind = 'effect.done'
            AND substring(done.body from '"ends_at":"([^"]+)"')
                > to_char((moment() - interval '7 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS'))
$$;
COMMENT ON FUNCTION ends_by IS 'whether what stands beside an event tells how something ends that was granted';

CREATE POLICY needed ON audit_part AS RESTRICTIVE FOR DELETE TO countersign_app
    USING (NOT ends_by(tenant, seq));

CREATE POLICY needed ON audit_subject AS RESTRICTIVE FOR DELETE TO countersign_app USING (NOT EXISTS (
    SELECT FROM audit_part WHERE audit_part.tenant = audit_subject.tenant
        AND audit_part.owners @> ARRAY[audit_subject.pseudonym]
));
