-- The first schema. Made on an empty database, so it locks nothing that anyone waits for.
--
-- Times are milliseconds since 1970 in UTC; only leases are in the database's own time, which judges them. `no` and `seq`
-- are the database's own numbers: short keys for joins, and for alerts and deliveries the order in which they were accepted.

CREATE TABLE meta (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);

-- The version of identity: whatever may change who a caller is or where the caller may go bumps it.
CREATE TABLE identity (
    one     smallint PRIMARY KEY CHECK (one = 1),
    version bigint NOT NULL
);
INSERT INTO identity VALUES (1, 1);

-- The next places in the order. Whoever accepts holds this row until the commit, so that what is visible is always a whole
-- beginning of the order: nobody who reads on behind a place can miss one before it.
CREATE TABLE numbering (
    one           smallint PRIMARY KEY CHECK (one = 1),
    next_alert    bigint NOT NULL,
    next_delivery bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO numbering VALUES (1, 1, 1);

CREATE TABLE users (
    no            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    email         text COLLATE "C" NOT NULL UNIQUE,
    full_name     text NOT NULL,
    password_hash text,
    is_operator   boolean NOT NULL,
    is_disabled   boolean NOT NULL DEFAULT false,
    created_at    bigint NOT NULL
);

CREATE TABLE tokens (
    hash       bytea PRIMARY KEY,
    user_no    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at bigint NOT NULL
);
CREATE INDEX tokens_by_user ON tokens (user_no);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);

-- `version` counts the changes of the space's connectors.
CREATE TABLE spaces (
    no         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         uuid NOT NULL UNIQUE,
    slug       text COLLATE "C" NOT NULL UNIQUE,
    name       text NOT NULL,
    version    bigint NOT NULL DEFAULT 1,
    created_at bigint NOT NULL
);

CREATE TABLE members (
    space_no bigint NOT NULL REFERENCES spaces ON DELETE CASCADE,
    user_no  bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    role     smallint NOT NULL,
    added_at bigint NOT NULL,
    PRIMARY KEY (space_no, user_no)
);
CREATE INDEX members_by_user ON members (user_no);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    hash         bytea NOT NULL UNIQUE,
    user_no      bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text COLLATE "C" NOT NULL,
    space_no     bigint REFERENCES spaces ON DELETE CASCADE,
    scope        text NOT NULL,
    created_at   bigint NOT NULL,
    expires_at   bigint,
    last_used_at bigint
);
CREATE INDEX api_keys_by_user ON api_keys (user_no);
CREATE INDEX api_keys_by_space ON api_keys (space_no) WHERE space_no IS NOT NULL;

-- A deleted connector keeps its row, without its URL, so that history can name it.
CREATE TABLE connectors (
    no                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                uuid NOT NULL UNIQUE,
    space_no          bigint NOT NULL,
    name              text NOT NULL,
    connector_type    text NOT NULL,
    url_key_id        bytea NOT NULL,
    url_sealed        bytea NOT NULL,
    destination       bytea NOT NULL,
    is_active         boolean NOT NULL,
    severity_filter   text NOT NULL,
    alert_type_filter text,
    creator           text NOT NULL,
    created_at        bigint NOT NULL,
    updated_at        bigint NOT NULL,
    switched_at       bigint,
    deleted_at        bigint
);
CREATE INDEX connectors_by_space ON connectors (space_no, no);
CREATE INDEX connectors_by_destination ON connectors (destination) WHERE deleted_at IS NULL;

CREATE TABLE alerts (
    seq         bigint PRIMARY KEY,
    id          uuid NOT NULL,
    space_no    bigint NOT NULL,
    severity    smallint NOT NULL,
    status      smallint NOT NULL,
    alert_type  text COLLATE "C" NOT NULL,
    dedup_key   bytea,
    occurrences bigint NOT NULL,
    received_at bigint NOT NULL,
    told_at     bigint,
    content     text NOT NULL,
    warnings    text
);
CREATE UNIQUE INDEX alerts_by_id ON alerts (id);
CREATE INDEX alerts_by_severity ON alerts (space_no, severity, seq);
CREATE INDEX alerts_by_dedup_key ON alerts (space_no, dedup_key, seq) WHERE dedup_key IS NOT NULL;
CREATE INDEX alerts_resolved ON alerts (space_no, seq) WHERE status = 1;
-- One active alert per key and space.
CREATE UNIQUE INDEX alerts_active ON alerts (space_no, dedup_key) WHERE dedup_key IS NOT NULL AND status = 0;

-- Which stretches of 1,024 places in the order hold an alert of a type.
CREATE TABLE type_zones (
    space_no   bigint NOT NULL,
    alert_type text COLLATE "C" NOT NULL,
    zone       bigint NOT NULL,
    PRIMARY KEY (space_no, alert_type, zone)
);
CREATE INDEX type_zones_by_zone ON type_zones (zone);

-- No index holds the state, so that an outcome is written beside its row without touching any of them; each row is written
-- twice, when it is made and when it ends, and its page has room for both. The attempt that ended it stands in the row, from
-- `ended_by` on; those before are in the table of attempts.
CREATE TABLE deliveries (
    seq             bigint PRIMARY KEY,
    id              uuid NOT NULL,
    alert_seq       bigint NOT NULL,
    connector_no    bigint NOT NULL,
    kind            smallint NOT NULL,
    state           smallint NOT NULL,
    reason          smallint,
    plain           boolean NOT NULL DEFAULT false,
    attempts        integer NOT NULL DEFAULT 0,
    created_at      bigint NOT NULL,
    requeued_at     bigint,
    next_attempt_at bigint,
    ended_at        bigint,
    ended_by        uuid,
    started_at      bigint,
    duration_ms     integer,
    outcome         smallint,
    status_code     integer,
    error           text,
    digest_size     integer
) WITH (fillfactor = 40);
CREATE INDEX deliveries_by_alert ON deliveries (alert_seq);
CREATE INDEX deliveries_by_connector ON deliveries (connector_no, seq);

-- What waits, by connector. `queued_at` is from when its time is counted. It is vacuumed early and at once; its file isn't cut,
-- since who cuts it has to have the table alone, and what was emptied is filled again.
CREATE TABLE pending (
    connector_no bigint NOT NULL,
    seq          bigint NOT NULL,
    queued_at    bigint NOT NULL,
    PRIMARY KEY (connector_no, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off);

-- What did not arrive, which is rare.
CREATE TABLE missed (
    connector_no bigint NOT NULL,
    state        smallint NOT NULL,
    seq          bigint NOT NULL,
    PRIMARY KEY (connector_no, state, seq)
);

CREATE TABLE attempts (
    delivery_seq bigint NOT NULL,
    id           uuid NOT NULL,
    started_at   bigint NOT NULL,
    duration_ms  integer NOT NULL,
    outcome      smallint NOT NULL,
    status_code  integer,
    error        text,
    digest_size  integer NOT NULL,
    PRIMARY KEY (delivery_seq, id)
);

CREATE TABLE idempotency (
    space_no   bigint NOT NULL,
    route      smallint NOT NULL,
    key        text COLLATE "C" NOT NULL,
    body_hash  bytea NOT NULL,
    created_at bigint NOT NULL,
    answer     text NOT NULL,
    PRIMARY KEY (space_no, route, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- How destinations stand that ever gave trouble. A wait is kept as its length and the time when it was set, and when it was
-- noted by the database's own clock, which judges it for other replicas.
CREATE TABLE destinations (
    fingerprint   bytea PRIMARY KEY,
    failures      bigint NOT NULL,
    failing_since bigint,
    recovered_at  bigint,
    last_error    text,
    throttles     bigint NOT NULL,
    wait_set_at   bigint,
    wait_noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    wait_ms       bigint NOT NULL,
    wait_asked    boolean NOT NULL,
    refused       text NOT NULL,
    blocked_at    bigint,
    block_reason  text,
    probes        bigint NOT NULL,
    quiet         boolean NOT NULL,
    told          boolean NOT NULL,
    repaired_at   bigint
);

-- Who works a destination, until when by the database's clock. The number is new with every taking, so that what a holder
-- of before says late is known by it. `changed` counts what others changed; `wanted` says that another asks for it.
CREATE TABLE leases (
    destination bytea PRIMARY KEY,
    number      bigint NOT NULL,
    holder      uuid NOT NULL,
    until       timestamptz NOT NULL,
    changed     bigint NOT NULL DEFAULT 0,
    wanted      boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
CREATE SEQUENCE lease_numbers;

-- The replicas that were seen lately, among which the work is spread.
CREATE TABLE replicas (
    id      uuid PRIMARY KEY,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The version rule, in one place: whatever changes, by whichever program, bumps its version in the same transaction.
CREATE FUNCTION identity_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE identity SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER users_changed AFTER UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION identity_changed();
CREATE TRIGGER tokens_removed AFTER DELETE ON tokens FOR EACH ROW EXECUTE FUNCTION identity_changed();
CREATE TRIGGER keys_removed AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION identity_changed();
CREATE TRIGGER members_changed AFTER INSERT OR UPDATE OR DELETE ON members FOR EACH ROW EXECUTE FUNCTION identity_changed();
CREATE TRIGGER spaces_removed AFTER DELETE ON spaces FOR EACH ROW EXECUTE FUNCTION identity_changed();

CREATE FUNCTION space_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE identity SET version = version + 1;
    UPDATE spaces SET version = version + 1 WHERE no = NEW.no;
    RETURN NULL;
END $$;
CREATE TRIGGER spaces_changed AFTER UPDATE OF slug, name ON spaces FOR EACH ROW EXECUTE FUNCTION space_changed();

CREATE FUNCTION connector_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE spaces SET version = version + 1 WHERE no = NEW.space_no;
    RETURN NULL;
END $$;
CREATE TRIGGER connectors_changed AFTER INSERT OR UPDATE ON connectors FOR EACH ROW EXECUTE FUNCTION connector_changed();

-- The first alert received at a time or later, found by halving: places and times grow together.
CREATE FUNCTION first_alert_since(since bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    bigint := 1;
    high   bigint;
    middle bigint;
    found  record;
BEGIN
    SELECT coalesce(max(seq), 0) + 1 INTO high FROM alerts;
    WHILE low < high LOOP
        middle := (low + high) / 2;
        SELECT seq, received_at INTO found FROM alerts WHERE seq >= middle ORDER BY seq LIMIT 1;
        IF found.seq IS NOT NULL AND found.received_at < since THEN
            low := found.seq + 1;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- The same for deliveries.
CREATE FUNCTION first_delivery_since(since bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    low    bigint := 1;
    high   bigint;
    middle bigint;
    found  record;
BEGIN
    SELECT coalesce(max(seq), 0) + 1 INTO high FROM deliveries;
    WHILE low < high LOOP
        middle := (low + high) / 2;
        SELECT seq, created_at INTO found FROM deliveries WHERE seq >= middle ORDER BY seq LIMIT 1;
        IF found.seq IS NOT NULL AND found.created_at < since THEN
            low := found.seq + 1;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;

-- The newest alerts of a type before a place in the order, zone by zone and no further than wanted.
CREATE FUNCTION alerts_of_type(space bigint, name text, before bigint, first bigint, wanted bigint,
    severities smallint[], statuses smallint[], since bigint, until bigint)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    at    bigint := before / 1024 + 1;
    given bigint := 0;
    more  bigint;
BEGIN
    LOOP
        SELECT zone INTO at FROM type_zones WHERE space_no = space AND alert_type = name AND zone < at ORDER BY zone DESC LIMIT 1;
        EXIT WHEN at IS NULL OR at < first / 1024;
        RETURN QUERY SELECT seq FROM alerts WHERE space_no = space AND severity = ANY (severities) AND alert_type = name
            AND seq >= greatest(at * 1024, first) AND seq < least((at + 1) * 1024, before)
            AND status = ANY (statuses) AND received_at >= since AND received_at < until
            ORDER BY seq DESC LIMIT wanted - given;
        GET DIAGNOSTICS more = ROW_COUNT;
        given := given + more;
        EXIT WHEN given >= wanted;
    END LOOP;
END $$;

-- The connectors for which anything waits, from one to the next.
CREATE FUNCTION owed_connectors() RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    at bigint := 0;
BEGIN
    LOOP
        SELECT connector_no INTO at FROM pending WHERE connector_no > at ORDER BY connector_no LIMIT 1;
        EXIT WHEN at IS NULL;
        RETURN NEXT at;
    END LOOP;
END $$;
