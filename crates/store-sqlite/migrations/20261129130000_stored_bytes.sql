-- How much each space stores. Nothing is rewritten: alerts that were stored before this migration count as nothing.

-- What the alert and its deliveries count for, as they were accepted.
ALTER TABLE alerts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
-- The alerts of each space that are counted, which those of `counting` are.
CREATE TABLE stored_bytes (
    space_no INTEGER PRIMARY KEY,
    bytes    INTEGER NOT NULL,
    is_full  INTEGER NOT NULL DEFAULT 0
);
