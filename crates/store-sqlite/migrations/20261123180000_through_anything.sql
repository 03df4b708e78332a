-- Pace, blocks, follow-ups and history. On a large database the zones take some seconds.

-- When a delivery was retried last; its time is counted from here.
ALTER TABLE deliveries ADD COLUMN requeued_at INTEGER;
-- When people were told last that a problem is there.
ALTER TABLE alerts ADD COLUMN told_at INTEGER;
-- When a connector was switched on or off last.
ALTER TABLE connectors ADD COLUMN switched_at INTEGER;

-- What did not arrive is rare, and is looked for by its state.
CREATE INDEX deliveries_missed ON deliveries (connector_no, state, seq) WHERE state >= 3;
-- So is what is resolved, among all that is not followed up.
CREATE INDEX alerts_resolved ON alerts (space_no, seq) WHERE status = 1;

-- Which stretches of 256 in the order hold something of a space and severity, of a space and type, of a connector. Unlike
-- an index with an entry for each row, of which every alert would touch a page, such a table grows once for each stretch.
DROP INDEX alerts_by_severity;
DROP INDEX alerts_by_type;
CREATE TABLE severity_zones (space_no INTEGER NOT NULL, severity INTEGER NOT NULL, zone INTEGER NOT NULL);
CREATE UNIQUE INDEX severity_zones_by_key ON severity_zones (space_no, severity, zone);
CREATE INDEX severity_zones_by_zone ON severity_zones (zone);
CREATE TABLE type_zones (space_no INTEGER NOT NULL, alert_type TEXT NOT NULL, zone INTEGER NOT NULL);
CREATE UNIQUE INDEX type_zones_by_key ON type_zones (space_no, alert_type, zone);
CREATE INDEX type_zones_by_zone ON type_zones (zone);
CREATE TABLE connector_zones (connector_no INTEGER NOT NULL, zone INTEGER NOT NULL);
CREATE UNIQUE INDEX connector_zones_by_key ON connector_zones (connector_no, zone);
CREATE INDEX connector_zones_by_zone ON connector_zones (zone);
INSERT INTO severity_zones SELECT DISTINCT space_no, severity, seq / 256 FROM alerts;
INSERT INTO type_zones SELECT DISTINCT space_no, alert_type, seq / 256 FROM alerts;
INSERT INTO connector_zones SELECT DISTINCT connector_no, seq / 256 FROM deliveries;

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
