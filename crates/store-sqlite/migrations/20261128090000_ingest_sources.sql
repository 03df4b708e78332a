-- What a space has set for the producers that post to it. A new table: nothing is rewritten.

CREATE TABLE ingest_sources (
    space_no INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
    source   TEXT NOT NULL,
    -- The JSON document of the mapping, as it was set.
    mapping  TEXT,
    -- What signs the bodies: the id of the key that seals it, then the sealed bytes. Empty where there is none.
    secret   BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (space_no, source)
) WITHOUT ROWID;
CREATE TRIGGER ingest_sources_added AFTER INSERT ON ingest_sources BEGIN
    UPDATE spaces SET version = version + 1 WHERE no = NEW.space_no;
END;
CREATE TRIGGER ingest_sources_changed AFTER UPDATE ON ingest_sources BEGIN
    UPDATE spaces SET version = version + 1 WHERE no = NEW.space_no;
END;
