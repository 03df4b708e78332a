-- What an alert said when deliveries were queued for it: for its openings, kept when a later post changes it; for follow-ups, at once.
-- A new table: nothing is rewritten. Deliveries from before this migration are shown with what their alert says now. A replica of the version before goes on working.

CREATE TABLE alert_revisions (
    alert_seq      bigint NOT NULL REFERENCES alerts ON DELETE CASCADE,
    -- The first delivery that says it; the deliveries behind it do too, up to the next revision.
    first_delivery bigint NOT NULL,
    content        text NOT NULL,
    PRIMARY KEY (alert_seq, first_delivery)
);
