-- How much each space stores. Nothing is rewritten: alerts that were stored before this migration count as nothing, and so do those
-- that a replica of the previous version stores, which goes on working. The two tables that get a column are locked for a moment, once
-- nobody reads them in a long transaction.

-- What the alert with its deliveries and revisions counts for, as it was measured last.
ALTER TABLE alerts ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
-- The last alert that is measured. Those after it are in no sum. The previous version does not move it.
ALTER TABLE counting ADD COLUMN measured bigint NOT NULL DEFAULT 0;
UPDATE counting SET measured = counted;
-- By how much alerts grew that changed since they were stored. It is added to what they count for a little later.
CREATE TABLE alert_growth (
    seq   bigint PRIMARY KEY REFERENCES alerts ON DELETE CASCADE,
    bytes bigint NOT NULL
);
-- The measured alerts of each space together.
CREATE TABLE stored_bytes (
    space_no bigint PRIMARY KEY,
    bytes    bigint NOT NULL,
    is_full  boolean NOT NULL DEFAULT false
);
