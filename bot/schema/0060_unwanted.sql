-- Messages of which nothing may be left in Slack, because somebody whom they show has been erased.

ALTER TABLE message ADD COLUMN unwanted boolean NOT NULL DEFAULT false;
