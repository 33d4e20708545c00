-- What is said beside a card, reviews of emergencies, and alarms, are messages like the others. `ref` of what is
-- said beside a card is the message that it stands under; of an alarm it is its run.

ALTER TABLE message DROP CONSTRAINT message_kind_check;
ALTER TABLE message ADD CONSTRAINT message_kind_check
    CHECK (kind IN ('card', 'doubt', 'progress', 'notice', 'reply', 'beside', 'review', 'alarm'));
