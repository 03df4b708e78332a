-- How many alerts came in each hour, by type and severity, counted a little after they came. Two new tables: nothing is rewritten,
-- and the alerts that are there are counted in steps after the start.

CREATE TABLE alert_counts (
    space_no   INTEGER NOT NULL,
    hour       INTEGER NOT NULL,
    alert_type TEXT NOT NULL,
    severity   INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (space_no, hour, alert_type, severity)
) WITHOUT ROWID;
CREATE INDEX alert_counts_by_hour ON alert_counts (hour);
-- The last alert that was counted.
CREATE TABLE counting (one INTEGER PRIMARY KEY CHECK (one = 1), counted INTEGER NOT NULL);
INSERT INTO counting (one, counted) VALUES (1, 0);
