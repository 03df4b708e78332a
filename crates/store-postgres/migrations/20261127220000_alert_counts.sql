-- How many alerts came in each hour, by type and severity, counted a little after they came. Two new tables: nothing is rewritten,
-- and the alerts that are there are counted in steps after the start. A replica of the version before goes on working.

CREATE TABLE alert_counts (
    space_no   bigint NOT NULL,
    hour       bigint NOT NULL,
    alert_type text COLLATE "C" NOT NULL,
    severity   smallint NOT NULL,
    count      bigint NOT NULL,
    PRIMARY KEY (space_no, hour, alert_type, severity)
);
CREATE INDEX alert_counts_by_hour ON alert_counts (hour);
-- The last alert that was counted.
CREATE TABLE counting (one smallint PRIMARY KEY CHECK (one = 1), counted bigint NOT NULL);
INSERT INTO counting (one, counted) VALUES (1, 0);
