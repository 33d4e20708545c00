-- Nobody's messages hold up another's: who has just said much is answered after who has said little, and each
-- person's cards and answers take turns in a channel. A share is one of 4,096, drawn from a person's id: enough to
-- tell people apart who write at the same time, and nothing that says who somebody is.

ALTER TABLE event ADD COLUMN share text;
CREATE INDEX event_share ON event (tenant, share, received_at) WHERE share IS NOT NULL;

ALTER TABLE message
    ADD COLUMN queued_in text,  -- the channel in which it waits for its turn
    ADD COLUMN queued_until timestamptz,  -- it does not wait there any more, unless it says so again
    ADD COLUMN rank smallint NOT NULL DEFAULT 0,  -- the higher, the sooner
    ADD COLUMN share text;  -- whose turn it takes
CREATE INDEX message_queued ON message (tenant, queued_in) WHERE queued_in IS NOT NULL;

CREATE TABLE channel_turn (  -- when each share was last posted for in a channel
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    channel text NOT NULL,
    share text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, channel, share)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON channel_turn TO countersign_app;
ALTER TABLE channel_turn ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON channel_turn TO countersign_app
    USING (tenant = current_setting('countersign.tenant'));
