//! The pending deliveries of destinations, and the outcomes of attempts.

use std::{collections::HashSet, sync::Arc};

use alert_connectors_model::{Connector, ConnectorId, Fingerprint, Space, SpaceId};
use alert_connectors_store::{
    Backlog, BatchQuery, DestinationState, DigestBatch, Disposition, Expiry, Form, HealthState,
    Leases, OpeningState, Outcome, PendingDelivery, Queue, Recorded, Relay, Report, StoreError,
    StoreEvent,
    stored::{self, IDENTITY_VERSION, PENDING_COLUMNS, SharedAlerts, TROUBLED, time},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    SqliteStore, connectors, destination_health, digest_batch, error::Failure,
    history::last_success, openings::opening, row::rows, zones::ZoneQuery,
};

// By primary key.
const DESTINATION: &str = "SELECT destination FROM connectors WHERE no = ?1 AND deleted_at IS NULL";
// By deliveries_pending: the next connector with pending deliveries.
const NEXT_WITH_PENDING: &str =
    "SELECT connector_no FROM deliveries WHERE state = 0 AND connector_no > ?1
    ORDER BY connector_no LIMIT 1";
// By deliveries_pending, then by primary key.
const DUE: &str = "coalesce(d.requeued_at, d.created_at) FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq
    WHERE d.connector_no = ?1 AND d.state = 0 AND d.seq > ?2 AND coalesce(d.requeued_at, d.created_at) > ?4
    ORDER BY d.seq LIMIT ?3";
// By primary key.
const FOLLOW_UP: &str = "SELECT alert_seq, connector_no FROM deliveries WHERE seq = ?1";
// By primary key, one zone, then by the primary key of attempts.
const LAST_OF_ZONE: &str = "SELECT max(t.started_at) FROM (SELECT seq FROM deliveries
    WHERE seq BETWEEN ?2 AND ?3 AND connector_no = ?1 AND state BETWEEN 1 AND 3) ended
    JOIN attempts t ON t.delivery_seq = ended.seq";
// By deliveries_pending, then by the primary key of attempts.
const LAST_PENDING: &str = "SELECT max(t.started_at) FROM (SELECT seq FROM deliveries
    WHERE connector_no = ?1 AND state = 0 ORDER BY seq LIMIT 64) oldest
    JOIN attempts t ON t.delivery_seq = oldest.seq";
// By primary key.
const AGAIN: &str =
    "UPDATE deliveries SET plain = ?2, next_attempt_at = ?3, attempts = attempts + ?4
    WHERE seq = ?1 AND state = 0";
// By primary key.
const END: &str =
    "UPDATE deliveries SET state = ?2, reason = ?3, ended_at = ?4, next_attempt_at = NULL,
    attempts = attempts + ?5 WHERE seq = ?1 AND state = 0";
// By primary key; 3 is `failed` as a state, and `message_refused` as a reason.
const REVIVE: &str = "UPDATE deliveries SET state = 0, reason = NULL, ended_at = NULL, plain = 0
    WHERE seq = ?1 AND state = 3 AND reason = 3";
// By primary key.
const EXISTS: &str = "SELECT 1 FROM deliveries WHERE seq = ?1";
const INSERT_ATTEMPT: &str =
    "INSERT OR IGNORE INTO attempts (delivery_seq, id, started_at, duration_ms, outcome,
    status_code, error, digest_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

#[async_trait]
impl Queue for SqliteStore {
    async fn version(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            connection
                .query_row(IDENTITY_VERSION, [], |row| row.get(0))
                .map_err(Failure::from)
        })
        .await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.read(|connection| {
            Ok(Backlog {
                pending: pending(connection)?,
                troubled: fingerprints(connection, TROUBLED)?,
                queued_elsewhere: true,
            })
        })
        .await
    }

    async fn destination_state(
        &self,
        destination: Fingerprint,
        _now: Timestamp,
    ) -> Result<DestinationState, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(move |connection| {
            let mut last = None;
            for (no, _, _) in connectors::of_destination(connection, &sealing, destination)? {
                last = last.max(last_request(connection, no)?);
            }
            Ok(DestinationState {
                health: destination_health::read(connection, destination)?,
                last_request_at: last.map(time),
            })
        })
        .await
    }

    async fn pending(
        &self,
        destination: Fingerprint,
        after: i64,
        at_most: usize,
        expiry: Expiry,
    ) -> Result<Vec<PendingDelivery>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(move |connection| {
            let mut pending = Vec::new();
            let repaired_at = destination_health::repaired_at(connection, destination)?;
            let mut look = Look {
                connection,
                after,
                at_most,
                expiry,
                cutoff: expiry.cutoff(repaired_at).as_millisecond(),
                alerts: SharedAlerts::default(),
            };
            for (no, connector, space) in
                connectors::of_destination(connection, &sealing, destination)?
            {
                if connector.is_active {
                    look.pending_of(no, &Arc::new(connector), &Arc::new(space), &mut pending)?;
                }
            }
            pending.sort_by_key(|due: &PendingDelivery| due.seq);
            pending.truncate(at_most);
            Ok(pending)
        })
        .await
    }

    async fn digest_batch(
        &self,
        destination: Fingerprint,
        query: BatchQuery,
    ) -> Result<Option<DigestBatch>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(move |connection| {
            let connectors = connectors::of_destination(connection, &sealing, destination)?;
            let repaired_at = destination_health::repaired_at(connection, destination)?;
            digest_batch::read(connection, connectors, repaired_at, query)
        })
        .await
    }

    async fn opening(&self, follow_up: i64, expiry: Expiry) -> Result<OpeningState, StoreError> {
        self.read(move |connection| {
            let found = connection
                .prepare_cached(FOLLOW_UP)
                .and_then(|mut statement| {
                    statement
                        .query_row([follow_up], |row| Ok((row.get(0)?, row.get(1)?)))
                        .optional()
                })?;
            let Some((alert_seq, connector_no)) = found else {
                return Ok(OpeningState::Undelivered);
            };
            opening(connection, alert_seq, connector_no, follow_up, expiry)
        })
        .await
    }

    async fn connectors_of(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(Arc<Space>, Arc<Connector>)>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(move |connection| {
            let found = connectors::of_destination(connection, &sealing, destination)?;
            Ok(found
                .into_iter()
                .map(|(_, connector, space)| (Arc::new(space), Arc::new(connector)))
                .collect())
        })
        .await
    }

    async fn health_states(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(SpaceId, ConnectorId, HealthState)>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(move |connection| {
            let health = destination_health::read(connection, destination)?;
            let found = connectors::of_destination(connection, &sealing, destination)?;
            let state = |(no, connector, space): (i64, Connector, Space)| {
                let last = last_success(connection, no)?;
                let state = HealthState::of(connector.is_active, last, &health);
                Ok((space.id, connector.id, state))
            };
            found.into_iter().map(state).collect()
        })
        .await
    }

    async fn record(&self, reports: Arc<[Report]>) -> Result<Vec<Recorded>, StoreError> {
        self.shared.writer.record(reports).await
    }

    async fn next_events(&self) -> Option<Vec<StoreEvent>> {
        self.shared.events.lock().await.recv().await
    }
}

/// Only one server uses a file, so it works every destination without leases.
impl Leases for SqliteStore {}

impl Relay for SqliteStore {}

/// The destinations with pending deliveries, from connector to connector.
fn pending(connection: &Connection) -> rusqlite::Result<Vec<Fingerprint>> {
    let (mut pending, mut after) = (HashSet::new(), 0);
    while let Some(no) = next_with_pending(connection, after)? {
        let destination: Option<_> = connection
            .prepare_cached(DESTINATION)?
            .query_row([no], |row| row.get(0))
            .optional()?;
        pending.extend(destination.map(Fingerprint));
        after = no;
    }
    Ok(pending.into_iter().collect())
}

/// The next connector with pending deliveries.
pub(crate) fn next_with_pending(
    connection: &Connection,
    after: i64,
) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(NEXT_WITH_PENDING)?
        .query_row([after], |row| row.get(0))
        .optional()
}

fn fingerprints(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Fingerprint>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| row.get(0).map(Fingerprint))?;
    rows.collect()
}

/// When the last request for a connector began, as found among its oldest pending deliveries and the newest that ended.
fn last_request(connection: &Connection, connector_no: i64) -> rusqlite::Result<Option<i64>> {
    let mut last: Option<i64> = connection
        .prepare_cached(LAST_PENDING)?
        .query_row([connector_no], |row| row.get(0))?;
    let read = |least: i64, most: i64| {
        let found: Option<i64> = connection
            .prepare_cached(LAST_OF_ZONE)?
            .query_row([connector_no, least, most], |row| row.get(0))?;
        last = last.max(found);
        Ok::<_, rusqlite::Error>(found.is_none())
    };
    ZoneQuery::Connectors(&[connector_no]).walk(connection, i64::MAX, 0, read)?;
    Ok(last)
}

/// A read of the queue, with the alerts that it met, which connectors share.
struct Look<'c> {
    connection: &'c Connection,
    after: i64,
    at_most: usize,
    expiry: Expiry,
    cutoff: i64,
    alerts: SharedAlerts,
}

impl Look<'_> {
    fn pending_of(
        &mut self,
        connector_no: i64,
        connector: &Arc<Connector>,
        space: &Arc<Space>,
        pending: &mut Vec<PendingDelivery>,
    ) -> Result<(), Failure> {
        let limit = i64::try_from(self.at_most).unwrap_or(i64::MAX);
        let sql = format!("SELECT {PENDING_COLUMNS}, {DUE}");
        let parameters = [connector_no, self.after, limit, self.cutoff];
        let alerts = &mut self.alerts;
        let found = rows(self.connection, &sql, parameters, |row| {
            stored::pending(row, connector, space, alerts)
        })?;
        for (alert_seq, mut due) in found {
            if due.is_follow_up() {
                due.opening = opening(
                    self.connection,
                    alert_seq,
                    connector_no,
                    due.seq,
                    self.expiry,
                )?;
            }
            pending.push(due);
        }
        Ok(())
    }
}

/// Records reports inside the writer's transaction.
pub(crate) fn record(
    connection: &Connection,
    reports: &[Report],
) -> Result<Vec<Recorded>, Failure> {
    let mut recorded = Vec::with_capacity(reports.len());
    for report in reports {
        for outcome in &report.outcomes {
            recorded.push(record_one(connection, outcome)?);
        }
        for seq in &report.revived {
            connection.prepare_cached(REVIVE)?.execute([seq])?;
        }
        if let Some(health) = &report.health {
            destination_health::record(connection, report.destination, health)?;
        }
    }
    Ok(recorded)
}

fn record_one(connection: &Connection, outcome: &Outcome) -> rusqlite::Result<Recorded> {
    let seq = outcome.seq;
    let changed = match outcome.disposition {
        Disposition::Retry { form, at } => connection.prepare_cached(AGAIN)?.execute(params![
            seq,
            form == Form::Plain,
            at.as_millisecond(),
            outcome.attempt.is_some(),
        ])?,
        Disposition::End { state, reason, at } => {
            connection.prepare_cached(END)?.execute(params![
                seq,
                state.code(),
                reason.map(alert_connectors_model::EndReason::code),
                at.as_millisecond(),
                outcome.attempt.is_some(),
            ])?
        }
    };
    if changed == 0
        && connection
            .prepare_cached(EXISTS)?
            .query_row([seq], |_row| Ok(()))
            .optional()?
            .is_none()
    {
        return Ok(Recorded::Gone);
    }
    if let Some(attempt) = &outcome.attempt {
        connection.prepare_cached(INSERT_ATTEMPT)?.execute(params![
            seq,
            &attempt.id.as_bytes()[..],
            attempt.started_at.as_millisecond(),
            attempt.duration_ms,
            attempt.outcome.code(),
            attempt.status_code,
            attempt.error,
            attempt.digest_size,
        ])?;
    }
    Ok(if changed == 0 {
        Recorded::Superseded
    } else {
        Recorded::Done
    })
}
