-- Every event carries an HMAC by a key outside the database: what has none that holds is foreign, whoever wrote it.

ALTER TABLE audit_event ADD COLUMN mac text;  -- the id of the key, a colon, and the HMAC in hexadecimal
CREATE INDEX audit_event_standing ON audit_event (tenant, kind, seq)  -- what stands until something ends it
    WHERE kind IN ('delegation.made', 'delegation.ended', 'audit.held', 'audit.released', 'audit.foreign');

CREATE TABLE audit_before_keys (  -- what was there when this was applied; the application only reads it
    tenant text PRIMARY KEY,
    through bigint NOT NULL
);
INSERT INTO audit_before_keys SELECT tenant, max(seq) FROM audit_event GROUP BY tenant;

CREATE TABLE audit_adopted (  -- the HMACs of those events, made once, at the first start with keys
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    seq bigint NOT NULL,
    mac text NOT NULL,
    PRIMARY KEY (tenant, seq)
);

GRANT SELECT ON audit_before_keys TO countersign_app;
GRANT SELECT, INSERT ON audit_adopted TO countersign_app;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_before_keys', 'audit_adopted'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
