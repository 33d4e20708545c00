-- What the record says of one approval is found by its id alone, whatever the rows around it say; and what was
-- done for a time is found by its kind.

CREATE INDEX audit_event_approval
    ON audit_event (tenant, (substring(body from '"approval":"([^"]+)"')), seq)
    WHERE kind IN ('approval.requested', 'approval.voted', 'approval.decided', 'approval.expired', 'approval.void',
                   'effect.intended', 'effect.cleared', 'effect.done', 'effect.failed', 'effect.unknown',
                   'effect.resolved', 'effect.overdue');
CREATE INDEX audit_event_done ON audit_event (tenant, seq) WHERE kind = 'effect.done';
CREATE INDEX audit_event_named ON audit_event (tenant, kind, seq)
    WHERE kind IN ('group.resolved', 'audit.erased', 'review.requested', 'review.signed');
