-- What an alert said when deliveries were queued for it, kept once a later post changes it. A new table: nothing is rewritten, and the
-- messages of earlier deliveries are shown with what their alert says now.

CREATE TABLE alert_revisions (
    alert_seq      INTEGER NOT NULL REFERENCES alerts ON DELETE CASCADE,
    -- It is what this delivery says, and those behind it until the next revision.
    first_delivery INTEGER NOT NULL,
    content        TEXT NOT NULL,
    PRIMARY KEY (alert_seq, first_delivery)
) WITHOUT ROWID;
