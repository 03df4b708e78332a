-- The audit trail: who changed what, when and from where. A new table: nothing is rewritten. Nothing refers to it, and it refers to
-- nothing: an entry outlives what it is about.

CREATE TABLE audit_entries (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    space_id BLOB,
    action   INTEGER NOT NULL,
    -- The user's e-mail address.
    actor    TEXT,
    -- The rest as JSON.
    entry    TEXT NOT NULL
);
CREATE INDEX audit_entries_by_space ON audit_entries (space_id, seq) WHERE space_id IS NOT NULL;
