-- What Slack refuses is kept. `waiting`: until somebody has mended why. `form`: 0 as it was drawn; above it, a
-- plainer form of it stands in its place, because Slack never accepts the other.

ALTER TABLE message DROP CONSTRAINT message_state_check;
ALTER TABLE message ADD CONSTRAINT message_state_check CHECK (state IN ('due', 'done', 'failed', 'waiting'));
ALTER TABLE message DROP CONSTRAINT message_kind_check;
ALTER TABLE message ADD CONSTRAINT message_kind_check CHECK (kind IN (
    'card', 'doubt', 'progress', 'notice', 'reply', 'beside', 'review', 'alarm',
    'more',  -- the rest of a message that was too long: `ref` names it
    'operator'  -- to whoever runs the bot: `ref` is the message it is about
));
ALTER TABLE message
    ADD COLUMN form smallint NOT NULL DEFAULT 0,
    ADD COLUMN refused text,  -- Slack's word for why it is waiting, or stands there in another form
    ADD COLUMN refused_in text,  -- where; NULL: anywhere
    ADD COLUMN refused_at timestamptz,  -- when that began
    ADD COLUMN detour text,  -- the Slack user who is told in their conversation with the bot instead
    ADD COLUMN shown_at timestamptz;  -- when it was first there as it was drawn, by the time of requests
CREATE INDEX message_waiting ON message (tenant, refused, refused_in, seq) WHERE state = 'waiting';

UPDATE message SET shown_at = created_at WHERE sent > 0 AND ts IS NOT NULL;

-- Until now such a card was given up at once.
UPDATE message SET state = 'waiting', refused = error, refused_at = clock_timestamp(),
    next_at = clock_timestamp() FROM approval
    WHERE message.kind = 'card' AND message.state = 'failed' AND approval.status = 'pending'
    AND (approval.tenant, approval.id) = (message.tenant, message.ref);
UPDATE message SET state = 'waiting', refused = error, refused_at = clock_timestamp(),
    next_at = clock_timestamp() FROM doubt
    WHERE message.kind = 'doubt' AND message.state = 'failed' AND doubt.answer IS NULL
    AND (doubt.tenant, doubt.id) = (message.tenant, message.ref);
