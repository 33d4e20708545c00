-- How long a channel is left alone, beside the time at which that ends: a time farther ahead than that was set by a
-- clock that has been put right since, and holds nobody.

ALTER TABLE channel_pace ADD COLUMN lasts interval NOT NULL DEFAULT interval '1 second';
