-- What a space has set for the producers that post to it. A new table: nothing is rewritten.

CREATE TABLE ingest_sources (
    space_no bigint NOT NULL REFERENCES spaces ON DELETE CASCADE,
    source   text NOT NULL,
    -- The JSON document of the mapping, as it was set.
    mapping  text,
    -- What signs the bodies: the id of the key that seals it, then the sealed bytes. Empty where there is none.
    secret   bytea NOT NULL DEFAULT '',
    PRIMARY KEY (space_no, source)
);
-- It bumps the version of the space.
CREATE TRIGGER ingest_sources_changed AFTER INSERT OR UPDATE ON ingest_sources FOR EACH ROW EXECUTE FUNCTION connector_changed();
