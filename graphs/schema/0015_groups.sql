-- Which group of the directory a name of the configuration stands for is looked up by the name.

CREATE INDEX audit_event_group ON audit_event (tenant, seq) WHERE kind = 'group.resolved';
