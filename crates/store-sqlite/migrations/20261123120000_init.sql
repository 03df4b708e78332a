-- The first schema. Made on an empty database, so it locks nothing that anyone waits for.
--
-- Times are milliseconds since 1970 in UTC. Ids are the sixteen bytes of a UUID. `no` and `seq` are the database's own
-- numbers: short keys for joins, and for alerts and deliveries the order in which they were accepted.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- The version of identity: whatever may change who a caller is or where the caller may go bumps it.
CREATE TABLE identity (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL
);
INSERT INTO identity VALUES (1, 1);

CREATE TABLE users (
    no            INTEGER PRIMARY KEY AUTOINCREMENT,
    id            BLOB NOT NULL UNIQUE,
    email         TEXT NOT NULL UNIQUE,
    full_name     TEXT NOT NULL,
    password_hash TEXT,
    is_operator   INTEGER NOT NULL,
    is_disabled   INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL
);

CREATE TABLE tokens (
    hash       BLOB PRIMARY KEY,
    user_no    INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_by_user ON tokens (user_no);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);

-- `version` counts the changes of the space's connectors.
CREATE TABLE spaces (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL UNIQUE,
    slug       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    version    INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL
);

CREATE TABLE members (
    space_no INTEGER NOT NULL REFERENCES spaces ON DELETE CASCADE,
    user_no  INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    role     INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (space_no, user_no)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user_no);

CREATE TABLE api_keys (
    id           BLOB PRIMARY KEY,
    hash         BLOB NOT NULL UNIQUE,
    user_no      INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name         TEXT NOT NULL,
    space_no     INTEGER REFERENCES spaces ON DELETE CASCADE,
    scope        TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER
) WITHOUT ROWID;
CREATE INDEX api_keys_by_user ON api_keys (user_no);
CREATE INDEX api_keys_by_space ON api_keys (space_no) WHERE space_no IS NOT NULL;

-- A deleted connector keeps its row, without its URL, so that history can name it.
CREATE TABLE connectors (
    no                INTEGER PRIMARY KEY AUTOINCREMENT,
    id                BLOB NOT NULL UNIQUE,
    space_no          INTEGER NOT NULL,
    name              TEXT NOT NULL,
    connector_type    TEXT NOT NULL,
    url_key_id        BLOB NOT NULL,
    url_sealed        BLOB NOT NULL,
    destination       BLOB NOT NULL,
    is_active         INTEGER NOT NULL,
    severity_filter   TEXT NOT NULL,
    alert_type_filter TEXT,
    creator           TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    deleted_at        INTEGER
);
CREATE INDEX connectors_by_space ON connectors (space_no, no) WHERE deleted_at IS NULL;
CREATE INDEX connectors_by_destination ON connectors (destination) WHERE deleted_at IS NULL;

CREATE TABLE alerts (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL,
    space_no    INTEGER NOT NULL,
    severity    INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    alert_type  TEXT NOT NULL,
    dedup_key   TEXT,
    occurrences INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    content     TEXT NOT NULL,
    warnings    TEXT
);
CREATE UNIQUE INDEX alerts_by_id ON alerts (id);
CREATE INDEX alerts_by_severity ON alerts (space_no, severity, status, seq);
CREATE INDEX alerts_by_type ON alerts (space_no, alert_type, seq);
CREATE INDEX alerts_by_dedup_key ON alerts (space_no, dedup_key, seq) WHERE dedup_key IS NOT NULL;
-- One active alert per key and space.
CREATE UNIQUE INDEX alerts_active ON alerts (space_no, dedup_key) WHERE dedup_key IS NOT NULL AND status = 0;

CREATE TABLE deliveries (
    seq             INTEGER PRIMARY KEY,
    id              BLOB NOT NULL,
    alert_seq       INTEGER NOT NULL,
    connector_no    INTEGER NOT NULL,
    kind            INTEGER NOT NULL,
    state           INTEGER NOT NULL,
    reason          INTEGER,
    plain           INTEGER NOT NULL DEFAULT 0,
    attempts        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    next_attempt_at INTEGER,
    ended_at        INTEGER
);
CREATE INDEX deliveries_by_alert ON deliveries (alert_seq);
CREATE INDEX deliveries_pending ON deliveries (connector_no, seq) WHERE state = 0;

CREATE TABLE attempts (
    delivery_seq INTEGER NOT NULL,
    id           BLOB NOT NULL,
    started_at   INTEGER NOT NULL,
    duration_ms  INTEGER NOT NULL,
    outcome      INTEGER NOT NULL,
    status_code  INTEGER,
    error        TEXT,
    digest_size  INTEGER NOT NULL,
    PRIMARY KEY (delivery_seq, id)
) WITHOUT ROWID;

CREATE TABLE idempotency (
    space_no   INTEGER NOT NULL,
    route      INTEGER NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    answer     TEXT NOT NULL,
    PRIMARY KEY (space_no, route, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- The version rule, in one place: whatever changes, by whichever program, bumps its version in the same transaction.
CREATE TRIGGER users_changed AFTER UPDATE ON users BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER users_removed AFTER DELETE ON users BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER tokens_removed AFTER DELETE ON tokens BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER keys_removed AFTER DELETE ON api_keys BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER members_added AFTER INSERT ON members BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER members_changed AFTER UPDATE ON members BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER members_removed AFTER DELETE ON members BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER spaces_changed AFTER UPDATE OF slug, name ON spaces BEGIN
    UPDATE identity SET version = version + 1;
    UPDATE spaces SET version = version + 1 WHERE no = NEW.no;
END;
CREATE TRIGGER spaces_removed AFTER DELETE ON spaces BEGIN UPDATE identity SET version = version + 1; END;
CREATE TRIGGER connectors_added AFTER INSERT ON connectors BEGIN
    UPDATE spaces SET version = version + 1 WHERE no = NEW.space_no;
END;
CREATE TRIGGER connectors_changed AFTER UPDATE ON connectors BEGIN
    UPDATE spaces SET version = version + 1 WHERE no = NEW.space_no;
END;
