-- What bot owns: events as Slack sent them, signatures seen, people's Slack accounts, and what is to be posted.
-- Times here are the machine's (clock_timestamp), not moment(): they pace our talk with Slack, whatever day a
-- demo pretends it is.

CREATE TABLE event (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    event_id text NOT NULL,
    body jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    taken_at timestamptz,  -- when a listener took it, in the transaction that made its work
    tries integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,  -- when it is given to its listener again, if it is not taken
    PRIMARY KEY (tenant, event_id)
);
CREATE INDEX event_untaken ON event (next_at) WHERE taken_at IS NULL;
CREATE INDEX event_received ON event (received_at);

CREATE TABLE signature (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    signature text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, signature)
);
CREATE INDEX signature_seen ON signature (seen_at);

CREATE TABLE slack_person (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    team text NOT NULL,
    slack_user text NOT NULL,
    subject text NOT NULL,  -- who this account belonged to at first sight, and ever after
    pinned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, team, slack_user)
);
CREATE INDEX slack_person_subject ON slack_person (tenant, subject);

CREATE TABLE message (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    id text NOT NULL,  -- names what is said, so that it is said once
    seq bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CHECK (kind IN ('card', 'progress', 'notice', 'reply')),
    ref text NOT NULL,  -- of a card its approval, of progress and notices their run, of a reply its event
    channel text,  -- or a person's id, for their conversation with the bot; NULL: known when it is drawn
    thread text,
    to_user text,  -- only for this person's eyes
    payload jsonb,
    ts text,  -- of the message in Slack, once it is there
    posted_in text,  -- the channel's id, once it is there
    wanted integer NOT NULL DEFAULT 1,  -- raised with each change of what it shows
    sent integer NOT NULL DEFAULT 0,
    attempted_at timestamptz,  -- a post may have happened since
    tries integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'done', 'failed')),
    error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, id)
);
CREATE INDEX message_due ON message (next_at) WHERE state = 'due';
CREATE INDEX message_ref ON message (tenant, ref, seq);

CREATE TABLE channel_pace (
    tenant text NOT NULL DEFAULT current_setting('countersign.tenant'),
    channel text NOT NULL,
    free_at timestamptz NOT NULL,  -- no post before
    PRIMARY KEY (tenant, channel)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON event, signature TO countersign_app;
GRANT SELECT, INSERT ON slack_person TO countersign_app;
GRANT SELECT, INSERT, UPDATE ON message, channel_pace TO countersign_app;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['event', 'signature', 'slack_person', 'message', 'channel_pace'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO countersign_app '
                       'USING (tenant = current_setting(''countersign.tenant''))', name);
    END LOOP;
END $$;
