-- A timer that only paces (a retry, a lease, a reminder) says how far ahead it can lie. When the database's clock
-- was wrong and has been put right, one that lies farther ahead is due: it was set by the wrong clock. A timer
-- without a pace is a promise (the end of a grant, a deadline) and is kept to the moment.

ALTER TABLE timer ADD COLUMN pace interval CHECK (pace >= interval '0');
