-- How much each space stores. Nothing is rewritten: alerts that were stored before this migration count as nothing.

-- What the alert with its deliveries and revisions counts for, as it was measured last.
ALTER TABLE alerts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
-- The last alert that is measured. Those after it are in no sum.
ALTER TABLE counting ADD COLUMN measured INTEGER NOT NULL DEFAULT 0;
UPDATE counting SET measured = counted;
-- By how much alerts grew that changed since they were stored. It is added to what they count for a little later.
CREATE TABLE alert_growth (
    seq   INTEGER PRIMARY KEY REFERENCES alerts ON DELETE CASCADE,
    bytes INTEGER NOT NULL
);
-- The measured alerts of each space together.
CREATE TABLE stored_bytes (
    space_no INTEGER PRIMARY KEY,
    bytes    INTEGER NOT NULL,
    is_full  INTEGER NOT NULL DEFAULT 0
);
