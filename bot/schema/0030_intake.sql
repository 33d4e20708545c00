-- What an event is about, so that edits and deletions of a message, and what was said before in its thread, are
-- found without reading every event that is kept. Names of places and messages in Slack, of nobody.

ALTER TABLE event
    ADD COLUMN about text,  -- the channel and the timestamp of the message; NULL: about none
    ADD COLUMN thread text;  -- the channel and the timestamp of its thread
CREATE INDEX event_about ON event (tenant, about) WHERE about IS NOT NULL;
CREATE INDEX event_thread ON event (tenant, thread) WHERE thread IS NOT NULL;
