//! The ledger over the writer's open transaction.
//!
//! Each statement is prepared once and stepped per row: inside SQLite there is no round trip that a set would save, and a
//! set would have to be written as JSON and read again by `json_each`.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{AlertId, AlertStatus, ConnectorId, SpaceId, TraceContext};
use alert_connectors_store::{
    AuditEntry, Expiry, Idempotency, NewAlert,
    accept::{KeptAnswer, Ledger, NewDelivery, Problem, Recipients, SpaceRow, recipients_of},
    group::CONNECTOR_NUMBERS_MAX,
    stored::{IDENTITY_VERSION, warnings_json},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, params};

use crate::{
    audit, deliveries,
    error::Failure,
    idempotency,
    row::row,
    zones::{Zones, note_severity},
};

// By the unique index on id.
const SPACE: &str = "SELECT no, version FROM spaces WHERE id = ?1";
const CONNECTOR_NO: &str = "SELECT no FROM connectors WHERE id = ?1";
// By alerts_active.
const ACTIVE: &str =
    "SELECT seq, id, received_at, occurrences, content, coalesce(told_at, received_at)
    FROM alerts
    WHERE space_no = ?1 AND dedup_key = ?2 AND dedup_key IS NOT NULL AND status = 0";
// By alerts_by_id.
const BY_ID: &str =
    "SELECT seq, id, received_at, occurrences, content, coalesce(told_at, received_at)
    FROM alerts WHERE space_no = ?1 AND id = ?2";
const INSERT_ALERT: &str =
    "INSERT INTO alerts (seq, id, space_no, severity, status, alert_type, dedup_key, occurrences,
    received_at, content, warnings, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10, ?11)";
// By primary key.
const UPDATE_ALERT: &str = "UPDATE alerts SET severity = ?2, status = ?3, occurrences = ?4, content = ?5, told_at = ?6 WHERE seq = ?1";
// By primary key; before the alert is changed.
const NOTE_GROWTH: &str = "INSERT INTO alert_growth (seq, bytes)
    SELECT seq, ?2 + octet_length(?3) - octet_length(content) FROM alerts WHERE seq = ?1
    ON CONFLICT (seq) DO UPDATE SET bytes = bytes + excluded.bytes";
const KEEP_REVISION: &str =
    "INSERT INTO alert_revisions (alert_seq, first_delivery, content) VALUES (?1, ?2, ?3)";
const INSERT_DELIVERY: &str =
    "INSERT INTO deliveries (seq, id, alert_seq, connector_no, kind, state, created_at, trace)
    VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)";

/// What the writer knows without reading: the next numbers, and the numbers of connectors, which never change.
pub(crate) struct LedgerCache {
    next_alert: i64,
    next_delivery: i64,
    are_numbers_lost: bool,
    connector_numbers: HashMap<ConnectorId, i64>,
    zones: Zones,
    /// Read once in a group, since only changes of the group itself can move it.
    identity_version: Option<i64>,
    spaces: HashMap<SpaceId, Option<SpaceRow>>,
}

impl LedgerCache {
    pub(crate) fn new(connection: &Connection) -> rusqlite::Result<Self> {
        let mut cache = Self {
            next_alert: 0,
            next_delivery: 0,
            are_numbers_lost: false,
            connector_numbers: HashMap::new(),
            zones: Zones::default(),
            identity_version: None,
            spaces: HashMap::new(),
        };
        cache.read_numbers(connection)?;
        Ok(cache)
    }

    fn read_numbers(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let next = |sql| connection.query_row(sql, [], |row| row.get(0));
        self.next_alert = next(
            "SELECT max((SELECT coalesce(max(seq), 0) FROM alerts), (SELECT counted FROM counting)) + 1",
        )?;
        // What was erased gives its number to nothing that comes later: a report about it may be on its way.
        let delivery: i64 = next("SELECT coalesce(max(seq), 0) + 1 FROM deliveries")?;
        self.next_delivery = self.next_delivery.max(delivery);
        self.are_numbers_lost = false;
        Ok(())
    }

    /// After a group that was rolled back the numbers must be read again.
    pub(crate) fn forget_numbers(&mut self) {
        self.are_numbers_lost = true;
        self.zones.forget();
    }

    /// Prepares for a group.
    pub(crate) fn begin(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.are_numbers_lost {
            self.read_numbers(connection)?;
        }
        self.forget_versions();
        Ok(())
    }

    /// Forgets the versions that were read in this group: a new group begins, or a change was made in this one.
    pub(crate) fn forget_versions(&mut self) {
        self.spaces.clear();
        self.identity_version = None;
    }

    /// The ledger of the group that is open on this connection.
    pub(crate) const fn on<'w>(&'w mut self, connection: &'w Connection) -> SqliteLedger<'w> {
        SqliteLedger {
            connection,
            cache: self,
        }
    }
}

/// The writer's transaction, as accepting sees it.
pub(crate) struct SqliteLedger<'w> {
    connection: &'w Connection,
    cache: &'w mut LedgerCache,
}

impl SqliteLedger<'_> {
    fn connector_no(&mut self, id: ConnectorId) -> rusqlite::Result<Option<i64>> {
        let numbers = &mut self.cache.connector_numbers;
        if let Some(no) = numbers.get(&id) {
            return Ok(Some(*no));
        }
        if numbers.len() >= CONNECTOR_NUMBERS_MAX {
            numbers.clear();
        }
        let mut statement = self.connection.prepare_cached(CONNECTOR_NO)?;
        let no = statement.query_row([&id.as_bytes()[..]], |row| row.get(0));
        let no = no.optional()?;
        if let Some(no) = no {
            numbers.insert(id, no);
        }
        Ok(no)
    }

    fn find(&self, sql: &str, parameters: impl Params) -> Result<Option<Problem>, Failure> {
        row(self.connection, sql, parameters, |row| Problem::of(row, 0))
    }
}

impl Ledger for SqliteLedger<'_> {
    type Error = Failure;

    fn identity_version(&mut self) -> Result<i64, Failure> {
        if let Some(version) = self.cache.identity_version {
            return Ok(version);
        }
        let version = self
            .connection
            .prepare_cached(IDENTITY_VERSION)?
            .query_row([], |row| row.get(0))?;
        self.cache.identity_version = Some(version);
        Ok(version)
    }

    fn add_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), Failure> {
        Ok(audit::insert(self.connection, entry)?)
    }

    fn space(&mut self, id: SpaceId) -> Result<Option<SpaceRow>, Failure> {
        if let Some(space) = self.cache.spaces.get(&id) {
            return Ok(*space);
        }
        let mut statement = self.connection.prepare_cached(SPACE)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(SpaceRow {
                no: row.get(0)?,
                version: row.get(1)?,
            })
        };
        let found = statement.query_row([&id.as_bytes()[..]], read).optional()?;
        self.cache.spaces.insert(id, found);
        Ok(found)
    }

    fn kept_answer(
        &mut self,
        space_no: i64,
        idempotency: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<KeptAnswer>, Failure> {
        idempotency::kept_answer(self.connection, space_no, idempotency, now)
    }

    fn keep_answer(
        &mut self,
        space_no: i64,
        idempotency: &Idempotency,
        answer: KeptAnswer,
    ) -> Result<(), Failure> {
        idempotency::keep_answer(self.connection, space_no, idempotency, &answer)
    }

    fn active_problem(
        &mut self,
        space_no: i64,
        dedup_key: &str,
    ) -> Result<Option<Problem>, Failure> {
        self.find(ACTIVE, params![space_no, dedup_key])
    }

    fn problem(&mut self, space_no: i64, id: AlertId) -> Result<Option<Problem>, Failure> {
        self.find(BY_ID, params![space_no, &id.as_bytes()[..]])
    }

    fn recipients(&mut self, problem: &Problem, expiry: Expiry) -> Result<Recipients, Failure> {
        let deliveries = deliveries::of_alert(self.connection, problem.seq)?;
        Ok(recipients_of(&deliveries, expiry))
    }

    fn insert_alert(
        &mut self,
        space_no: i64,
        new: &NewAlert,
        received_at: Timestamp,
        bytes: i64,
    ) -> Result<i64, Failure> {
        let alert = &new.alert;
        let seq = self.cache.next_alert;
        self.cache.next_alert += 1;
        self.connection
            .prepare_cached(INSERT_ALERT)?
            .execute(params![
                seq,
                &new.id.as_bytes()[..],
                space_no,
                alert.severity.code(),
                alert.status.code(),
                alert.alert_type.as_str(),
                alert.dedup_key,
                received_at.as_millisecond(),
                &*new.json,
                warnings_json(&new.warnings),
                bytes,
            ])?;
        let zones = &mut self.cache.zones;
        zones.alert(
            self.connection,
            seq,
            space_no,
            alert.severity,
            &alert.alert_type,
        )?;
        Ok(seq)
    }

    fn update_problem(
        &mut self,
        space_no: i64,
        problem: &Problem,
        json: &Arc<str>,
        growth: i64,
    ) -> Result<(), Failure> {
        let alert = &problem.alert;
        self.connection
            .prepare_cached(NOTE_GROWTH)?
            .execute(params![problem.seq, growth, &**json])?;
        self.connection
            .prepare_cached(UPDATE_ALERT)?
            .execute(params![
                problem.seq,
                alert.severity.code(),
                alert.status.code(),
                problem.occurrences,
                &**json,
                problem.notified_at.as_millisecond(),
            ])?;
        // Only a repeat can raise the severity.
        if alert.status == AlertStatus::Active {
            note_severity(self.connection, problem.seq, space_no, alert.severity)?;
        }
        Ok(())
    }

    fn keep_revision(
        &mut self,
        alert_seq: i64,
        first_delivery: i64,
        json: &Arc<str>,
    ) -> Result<(), Failure> {
        self.connection
            .prepare_cached(KEEP_REVISION)?
            .execute(params![alert_seq, first_delivery, &**json])?;
        Ok(())
    }

    fn insert_delivery(&mut self, delivery: &NewDelivery) -> Result<Option<i64>, Failure> {
        let Some(connector_no) = self.connector_no(delivery.connector_id)? else {
            return Ok(None);
        };
        let seq = self.cache.next_delivery;
        self.cache.next_delivery += 1;
        self.connection
            .prepare_cached(INSERT_DELIVERY)?
            .execute(params![
                seq,
                &delivery.id.as_bytes()[..],
                delivery.alert_seq,
                connector_no,
                delivery.kind.code(),
                delivery.created_at.as_millisecond(),
                delivery.trace.map(TraceContext::to_bytes),
            ])?;
        let zones = &mut self.cache.zones;
        zones.delivery(self.connection, seq, connector_no)?;
        Ok(Some(seq))
    }
}
