-- A card about an effect that may have happened or not.

ALTER TABLE message DROP CONSTRAINT message_kind_check;
ALTER TABLE message ADD CONSTRAINT message_kind_check
    CHECK (kind IN ('card', 'doubt', 'progress', 'notice', 'reply'));
