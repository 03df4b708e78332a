//! Accepting alerts inside the writer's transaction.
//!
//! Each statement is prepared once and stepped per row: inside SQLite there is no round trip that a set would save, and a
//! set would have to be written as JSON and read again by `json_each`.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, Connector, ConnectorId, DeliveryId, DeliveryKind, DeliveryState,
    Random, Space, SpaceId,
};
use alert_connectors_store::{
    Acceptance, Accepted, AcceptedDelivery, Event, Expiry, Form, NewAlert, OpeningState,
    PendingDelivery, Resolution, Roster, StoreError, Submission, ends, ends_nothing,
    stored::{self, alert_json, time, warnings_json},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::zones::{Zones, note_severity};
use crate::{
    SqliteStore, alerts,
    error::ChangeFailed,
    error::Failure,
    idempotency::{remember, repeated},
    problem::Problem,
};

// By primary key.
pub(crate) const IDENTITY_VERSION: &str = "SELECT version FROM identity WHERE one = 1";
// By the unique index on id.
const SPACE: &str = "SELECT no, version FROM spaces WHERE id = ?1";
const CONNECTOR_NO: &str = "SELECT no FROM connectors WHERE id = ?1";
// By alerts_active.
const ACTIVE: &str =
    "SELECT seq, id, received_at, occurrences, content, coalesce(told_at, received_at)
    FROM alerts
    WHERE space_no = ?1 AND dedup_key = ?2 AND dedup_key IS NOT NULL AND status = 0";
const INSERT_ALERT: &str =
    "INSERT INTO alerts (seq, id, space_no, severity, status, alert_type, dedup_key, occurrences,
    received_at, content, warnings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?9, ?10)";
const INSERT_DELIVERY: &str =
    "INSERT INTO deliveries (seq, id, alert_seq, connector_no, kind, state, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)";
// By alerts_by_id.
const KNOWN: &str =
    "SELECT seq, id, received_at, occurrences, content, coalesce(told_at, received_at)
    FROM alerts WHERE id = ?1 AND space_no = ?2";
/// Connectors whose numbers are kept at hand.
const CONNECTOR_NUMBERS_MAX: usize = 50_000;

/// What the writer keeps between groups: the next numbers, and the short names of connectors, which never change.
pub(crate) struct Intake {
    next_alert: i64,
    next_delivery: i64,
    numbers_lost: bool,
    connector_numbers: HashMap<ConnectorId, i64>,
    zones: Zones,
    random: Arc<dyn Random>,
    /// Of the present group: read once, since nobody else writes inside its transaction but changes of its own.
    identity_version: Option<i64>,
    spaces: HashMap<SpaceId, Option<(i64, i64)>>,
}

impl Intake {
    pub(crate) fn new(connection: &Connection, random: Arc<dyn Random>) -> rusqlite::Result<Self> {
        let mut intake = Self {
            next_alert: 0,
            next_delivery: 0,
            numbers_lost: false,
            connector_numbers: HashMap::new(),
            zones: Zones::default(),
            random,
            identity_version: None,
            spaces: HashMap::new(),
        };
        intake.read_numbers(connection)?;
        Ok(intake)
    }

    fn read_numbers(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let next = |sql| connection.query_row(sql, [], |row| row.get(0));
        self.next_alert = next("SELECT coalesce(max(seq), 0) + 1 FROM alerts")?;
        self.next_delivery = next("SELECT coalesce(max(seq), 0) + 1 FROM deliveries")?;
        self.numbers_lost = false;
        Ok(())
    }

    /// After a group that was rolled back the numbers must be read again.
    pub(crate) fn forget_numbers(&mut self) {
        self.numbers_lost = true;
        self.zones.forget();
    }

    /// Prepares for a group.
    pub(crate) fn begin(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.numbers_lost {
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

    fn identity_version(&mut self, connection: &Connection) -> rusqlite::Result<i64> {
        if let Some(version) = self.identity_version {
            return Ok(version);
        }
        let version = connection
            .prepare_cached(IDENTITY_VERSION)?
            .query_row([], |row| row.get(0))?;
        self.identity_version = Some(version);
        Ok(version)
    }

    /// Stores one request, unless what it was matched with has changed.
    pub(crate) fn accept(
        &mut self,
        connection: &Connection,
        submission: &Submission,
        events: &mut Vec<Event>,
    ) -> Result<Acceptance, ChangeFailed> {
        let Some((space_no, version)) = self.space(connection, submission.roster.space.id)? else {
            return Ok(Acceptance::Stale);
        };
        let identity_version = self.identity_version(connection)?;
        let authorised = submission
            .identity_version
            .is_none_or(|version| version == identity_version);
        if version != submission.roster.version || !authorised {
            return Ok(Acceptance::Stale);
        }
        let received_at = submission.received_at().as_millisecond();
        if let Some(idempotency) = &submission.idempotency
            && let Some(answer) = repeated(connection, space_no, idempotency, submission.expiry)?
        {
            return Ok(answer);
        }
        let mut accepted = Vec::with_capacity(submission.alerts.len());
        for new in &submission.alerts {
            accepted.push(self.accept_one(connection, space_no, submission, new, events)?);
        }
        if let Some(idempotency) = &submission.idempotency {
            remember(connection, space_no, idempotency, received_at, &accepted)?;
        }
        Ok(Acceptance::Stored(accepted))
    }

    /// The number and version of a space.
    fn space(
        &mut self,
        connection: &Connection,
        id: SpaceId,
    ) -> rusqlite::Result<Option<(i64, i64)>> {
        if let Some(known) = self.spaces.get(&id) {
            return Ok(*known);
        }
        let found = connection
            .prepare_cached(SPACE)?
            .query_row([&id.as_bytes()[..]], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        self.spaces.insert(id, found);
        Ok(found)
    }

    fn accept_one(
        &mut self,
        connection: &Connection,
        space_no: i64,
        submission: &Submission,
        new: &NewAlert,
        events: &mut Vec<Event>,
    ) -> Result<Accepted, ChangeFailed> {
        let Some(key) = &new.alert.dedup_key else {
            return Ok(self.insert(connection, space_no, submission, new, events)?);
        };
        match (active(connection, space_no, key)?, new.alert.status) {
            (Some(known), AlertStatus::Active) => {
                let merged = Arc::new(known.alert.repeated_by(&new.alert));
                note_severity(connection, known.seq, space_no, merged.severity)?;
                let mut problem = Problem {
                    connection,
                    roster: &submission.roster,
                    known,
                    alert: merged,
                    expiry: submission.expiry,
                };
                let told = problem.repeated(self, submission, &new.deliveries, events)?;
                Ok(accepted(&problem, told))
            }
            (Some(known), AlertStatus::Resolved) if !ends(new, &known.alert) => {
                let silent = ends_nothing(new);
                let accepted = self.insert(connection, space_no, submission, &silent, events)?;
                Ok(Accepted {
                    ends_nothing: true,
                    ..accepted
                })
            }
            (Some(known), AlertStatus::Resolved) => {
                let alert = Arc::new(known.alert.resolved_by(&new.alert));
                let mut problem = Problem {
                    connection,
                    roster: &submission.roster,
                    known,
                    alert,
                    expiry: submission.expiry,
                };
                let told = problem.resolved(self, events)?;
                Ok(accepted(&problem, told))
            }
            // Nobody was told of a problem, so nobody is told that it is gone.
            (None, AlertStatus::Resolved) => {
                let silent = NewAlert {
                    deliveries: Vec::new(),
                    ..new.clone()
                };
                Ok(self.insert(connection, space_no, submission, &silent, events)?)
            }
            (None, AlertStatus::Active) => {
                Ok(self.insert(connection, space_no, submission, new, events)?)
            }
        }
    }

    /// Closes a problem by its name.
    pub(crate) fn resolve(
        &mut self,
        connection: &Connection,
        roster: &Roster,
        id: AlertId,
        expiry: Expiry,
        events: &mut Vec<Event>,
    ) -> Result<Resolution, Failure> {
        let Some((space_no, version)) = self.space(connection, roster.space.id)? else {
            return Ok(Resolution::Absent);
        };
        if version != roster.version {
            return Ok(Resolution::Stale);
        }
        let Some(known) = known(connection, KNOWN, params![&id.as_bytes()[..], space_no])? else {
            return Ok(Resolution::Absent);
        };
        if known.alert.status == AlertStatus::Active {
            let alert = Arc::new(known.alert.resolved(expiry.now));
            let mut problem = Problem {
                connection,
                roster,
                known,
                alert,
                expiry,
            };
            problem.resolved(self, events)?;
        }
        let record = alerts::one(connection, space_no, id, expiry)?;
        Ok(record.map_or(Resolution::Absent, |record| {
            Resolution::Now(Box::new(record))
        }))
    }

    fn insert(
        &mut self,
        connection: &Connection,
        space_no: i64,
        submission: &Submission,
        new: &NewAlert,
        events: &mut Vec<Event>,
    ) -> rusqlite::Result<Accepted> {
        let alert = &new.alert;
        let alert_seq = self.next_alert;
        self.next_alert += 1;
        let received_at = submission.received_at();
        connection.prepare_cached(INSERT_ALERT)?.execute(params![
            alert_seq,
            &new.id.as_bytes()[..],
            space_no,
            alert.severity as i64,
            alert.status as i64,
            alert.alert_type.as_str(),
            alert.dedup_key,
            received_at.as_millisecond(),
            &*new.json,
            warnings_json(&new.warnings),
        ])?;
        self.zones.alert(
            connection,
            alert_seq,
            space_no,
            alert.severity,
            &alert.alert_type,
        )?;
        let mut deliveries = Vec::with_capacity(new.deliveries.len());
        for (id, connector) in &new.deliveries {
            let queued = Queued {
                id: *id,
                kind: DeliveryKind::Opening,
                opening: OpeningState::Arrived,
                alert_seq,
                alert_id: new.id,
                alert: &new.alert,
                now: received_at,
                space: &submission.roster.space,
                connector,
            };
            deliveries.push(self.queue(connection, &queued, events)?);
        }
        Ok(Accepted {
            id: new.id,
            received_at,
            occurrences: 1,
            current: None,
            ends_nothing: false,
            deliveries,
        })
    }

    /// A fresh name for a delivery of an alert.
    pub(crate) fn name_delivery(&self, alert: AlertId) -> DeliveryId {
        DeliveryId::of(alert, &*self.random)
    }

    /// Stores a delivery and tells of it.
    pub(crate) fn queue(
        &mut self,
        connection: &Connection,
        queued: &Queued<'_>,
        events: &mut Vec<Event>,
    ) -> rusqlite::Result<AcceptedDelivery> {
        let connector = queued.connector;
        let connector_no = self.connector_no(connection, connector.id)?;
        let seq = self.next_delivery;
        self.next_delivery += 1;
        connection
            .prepare_cached(INSERT_DELIVERY)?
            .execute(params![
                seq,
                &queued.id.as_bytes()[..],
                queued.alert_seq,
                connector_no,
                queued.kind.code(),
                queued.now.as_millisecond(),
            ])?;
        self.zones.delivery(connection, seq, connector_no)?;
        events.push(Event::Queued(PendingDelivery {
            seq,
            id: queued.id,
            alert_id: queued.alert_id,
            kind: queued.kind,
            opening: queued.opening,
            space: Arc::clone(queued.space),
            alert: Arc::clone(queued.alert),
            created_at: queued.now,
            queued_at: queued.now,
            connector: Arc::clone(connector),
            form: Form::Full,
            attempts: 0,
        }));
        Ok(AcceptedDelivery {
            id: queued.id,
            connector_id: connector.id,
            connector_name: connector.name.clone(),
            state: DeliveryState::Pending,
        })
    }

    fn connector_no(&mut self, connection: &Connection, id: ConnectorId) -> rusqlite::Result<i64> {
        if let Some(no) = self.connector_numbers.get(&id) {
            return Ok(*no);
        }
        if self.connector_numbers.len() >= CONNECTOR_NUMBERS_MAX {
            self.connector_numbers.clear();
        }
        let no = connection
            .prepare_cached(CONNECTOR_NO)?
            .query_row([&id.as_bytes()[..]], |row| row.get(0))?;
        self.connector_numbers.insert(id, no);
        Ok(no)
    }
}

/// A delivery to be stored.
pub(crate) struct Queued<'a> {
    pub(crate) id: DeliveryId,
    pub(crate) kind: DeliveryKind,
    pub(crate) opening: OpeningState,
    pub(crate) alert_seq: i64,
    pub(crate) alert_id: AlertId,
    pub(crate) alert: &'a Arc<Alert>,
    pub(crate) now: Timestamp,
    pub(crate) space: &'a Arc<Space>,
    pub(crate) connector: &'a Arc<Connector>,
}

fn accepted(problem: &Problem<'_>, deliveries: Vec<AcceptedDelivery>) -> Accepted {
    Accepted {
        id: problem.id(),
        received_at: time(problem.known.received_at),
        occurrences: problem.known.occurrences,
        current: Some(alert_json(&problem.alert).into()),
        ends_nothing: false,
        deliveries,
    }
}

/// An alert that is known already.
pub(crate) struct Active {
    pub(crate) seq: i64,
    pub(crate) id: AlertId,
    pub(crate) received_at: i64,
    pub(crate) occurrences: u64,
    pub(crate) alert: Alert,
    /// When people were told of it last.
    pub(crate) told_at: Timestamp,
}

fn active(connection: &Connection, space_no: i64, key: &str) -> Result<Option<Active>, Failure> {
    known(connection, ACTIVE, params![space_no, key])
}

fn known(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Result<Option<Active>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let Some(found) = rows.next()? else {
        return Ok(None);
    };
    let seq = found.get(0)?;
    let content: String = found.get(4)?;
    Ok(Some(Active {
        seq,
        id: AlertId::from_bytes(found.get(1)?),
        received_at: found.get(2)?,
        occurrences: found.get(3)?,
        alert: stored::alert(&content, seq)?,
        told_at: time(found.get(5)?),
    }))
}

#[async_trait]
impl alert_connectors_store::Intake for SqliteStore {
    async fn accept(&self, submission: Submission) -> Result<Acceptance, StoreError> {
        self.shared.writer.accept(submission).await
    }
}
