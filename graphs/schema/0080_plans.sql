-- Several effects under one approval: each is one step of its plan, and no two rows are about the same step and act.
-- Which stage a run has come to is in the record, as `run.moved`.

UPDATE effect SET step = 'grant';  -- the one step of what was approved before
ALTER TABLE effect ALTER COLUMN step DROP DEFAULT;
ALTER TABLE effect DROP CONSTRAINT effect_tenant_approval_act_key;
ALTER TABLE effect ADD UNIQUE (tenant, approval, step, act);
REVOKE UPDATE (step) ON effect FROM countersign_app;

DROP INDEX audit_event_approval;
CREATE INDEX audit_event_approval
    ON audit_event (tenant, (substring(body from '"approval":"([^"]+)"')), seq)
    WHERE kind IN ('approval.requested', 'approval.voted', 'approval.decided', 'approval.expired', 'approval.void',
                   'effect.intended', 'effect.cleared', 'effect.done', 'effect.failed', 'effect.unknown',
                   'effect.resolved', 'effect.overdue', 'effect.read_back', 'plan.stopped');
