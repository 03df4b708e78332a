-- How much each space stores. Nothing is rewritten: alerts that were stored before this migration count as nothing, and so do those
-- that a replica of the previous version stores.

-- What the alert and its deliveries count for, as they were accepted.
ALTER TABLE alerts ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
-- The alerts of each space that are counted, which those of `counting` are.
CREATE TABLE stored_bytes (
    space_no bigint PRIMARY KEY,
    bytes    bigint NOT NULL,
    is_full  boolean NOT NULL DEFAULT false
);
