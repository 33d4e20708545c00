-- A greeting was called after the account that it greets, which outlived the account's erasure. One is said
-- where nothing has been said, and is called after the event like every other reply.

CREATE INDEX message_channel ON message (tenant, channel) WHERE channel IS NOT NULL;

WITH renamed AS (
    SELECT tenant, id, gen_random_uuid()::text AS event FROM message WHERE starts_with(ref, 'greeting:')
)
UPDATE message SET id = 'reply:' || renamed.event, ref = renamed.event
FROM renamed WHERE message.tenant = renamed.tenant AND message.id = renamed.id;
