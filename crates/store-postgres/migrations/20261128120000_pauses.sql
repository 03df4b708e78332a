-- When connectors were switched off and on again, and what they would have heard of meanwhile. A new table: nothing is rewritten.
-- A pause that goes on stands in its connector alone.

CREATE TABLE pauses (
    connector_no      bigint NOT NULL REFERENCES connectors ON DELETE CASCADE,
    began_at          bigint NOT NULL,
    ended_at          bigint NOT NULL,
    -- The filters at its end.
    severity_filter   text NOT NULL,
    alert_type_filter text
);
CREATE INDEX pauses_by_connector ON pauses (connector_no, ended_at);
-- Whatever switches a connector on writes its pause. The last hundred of each are kept.
CREATE FUNCTION connector_switched_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pauses VALUES (NEW.no, coalesce(OLD.switched_at, OLD.created_at), NEW.switched_at, OLD.severity_filter,
        OLD.alert_type_filter);
    DELETE FROM pauses WHERE connector_no = NEW.no AND ended_at <=
        (SELECT ended_at FROM pauses WHERE connector_no = NEW.no ORDER BY ended_at DESC LIMIT 1 OFFSET 100);
    RETURN NULL;
END $$;
CREATE TRIGGER connectors_switched_on AFTER UPDATE OF is_active ON connectors FOR EACH ROW
    WHEN (NEW.is_active AND NOT OLD.is_active) EXECUTE FUNCTION connector_switched_on();
