-- Pace, blocks, follow-ups and history. On a large database the index takes some seconds.

-- When a delivery was retried last; its time is counted from here.
ALTER TABLE deliveries ADD COLUMN requeued_at INTEGER;
-- When people were told last that a problem is there.
ALTER TABLE alerts ADD COLUMN told_at INTEGER;
-- When a connector was switched on or off last.
ALTER TABLE connectors ADD COLUMN switched_at INTEGER;

CREATE INDEX deliveries_ended ON deliveries (connector_no, state, seq) WHERE state > 0;

-- How destinations stand that ever gave trouble. A wait is kept as its length and the time when it was set.
CREATE TABLE destinations (
    fingerprint   BLOB PRIMARY KEY,
    failures      INTEGER NOT NULL,
    failing_since INTEGER,
    recovered_at  INTEGER,
    last_error    TEXT,
    throttles     INTEGER NOT NULL,
    wait_set_at   INTEGER,
    wait_ms       INTEGER NOT NULL,
    wait_asked    INTEGER NOT NULL,
    refused       TEXT NOT NULL,
    blocked_at    INTEGER,
    block_reason  TEXT,
    probes        INTEGER NOT NULL,
    quiet         INTEGER NOT NULL,
    told          INTEGER NOT NULL,
    repaired_at   INTEGER
) WITHOUT ROWID;
