//! What is owed to destinations, and the outcomes of attempts.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{Alert, AlertId, Connector, DeliveryId, Fingerprint, Space};
use alert_connectors_store::{
    Due, Event, Form, NextStep, Outcome, Queue, Recorded, StoreError, Tidings,
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{SqliteStore, connectors, error::meaning, row, writer::ChangeFailed};

// Walks the few connectors; for each, one look into deliveries_pending.
const OWED: &str = "SELECT DISTINCT destination FROM connectors c WHERE deleted_at IS NULL
    AND EXISTS (SELECT 1 FROM deliveries d WHERE d.connector_no = c.no AND d.state = 0)";
// By primary key.
const VERSION: &str = "SELECT version FROM identity WHERE one = 1";
// By deliveries_pending, then by primary key.
const DUE: &str =
    "SELECT d.seq, d.id, d.plain, d.attempts, d.next_attempt_at, a.seq, a.id, a.content
    FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq
    WHERE d.connector_no = ?1 AND d.state = 0 AND d.seq > ?2 ORDER BY d.seq LIMIT ?3";
// By primary key.
const AGAIN: &str =
    "UPDATE deliveries SET plain = ?2, next_attempt_at = ?3, attempts = attempts + 1
    WHERE seq = ?1 AND state = 0";
// By primary key.
const END: &str =
    "UPDATE deliveries SET state = ?2, reason = ?3, ended_at = ?4, next_attempt_at = NULL,
    attempts = attempts + 1 WHERE seq = ?1 AND state = 0";
// By primary key.
const EXISTS: &str = "SELECT 1 FROM deliveries WHERE seq = ?1";
const INSERT_ATTEMPT: &str =
    "INSERT OR IGNORE INTO attempts (delivery_seq, id, started_at, duration_ms, outcome,
    status_code, error, digest_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

#[async_trait]
impl Queue for SqliteStore {
    async fn tidings(&self) -> Result<Tidings, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(OWED).map_err(meaning)?;
            let rows = statement
                .query_map([], |row| row.get(0).map(Fingerprint))
                .map_err(meaning)?;
            let owed = rows.collect::<rusqlite::Result<_>>().map_err(meaning)?;
            let version = connection
                .query_row(VERSION, [], |row| row.get(0))
                .map_err(meaning)?;
            Ok(Tidings { owed, version })
        })
        .await
    }

    async fn due(
        &self,
        destination: Fingerprint,
        after: i64,
        at_most: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(move |connection| {
            let mut owed = Vec::new();
            let mut after = After {
                seq: after,
                at_most,
                alerts: HashMap::new(),
            };
            for (no, connector, space) in
                connectors::of_destination(connection, &sealing, destination)?
            {
                due_of(
                    connection,
                    no,
                    &Arc::new(connector),
                    &Arc::new(space),
                    &mut after,
                    &mut owed,
                )?;
            }
            owed.sort_by_key(|due: &Due| due.seq);
            owed.truncate(at_most);
            Ok(owed)
        })
        .await
    }

    async fn record(&self, outcomes: Vec<Outcome>) -> Result<Vec<Recorded>, StoreError> {
        self.shared.writer.record(outcomes).await
    }

    async fn next_events(&self) -> Option<Vec<Event>> {
        self.shared.events.lock().await.recv().await
    }
}

/// Where a look into the queue begins and ends, and the alerts that it met, which connectors share.
struct After {
    seq: i64,
    at_most: usize,
    alerts: HashMap<i64, Arc<Alert>>,
}

fn due_of(
    connection: &Connection,
    connector_no: i64,
    connector: &Arc<Connector>,
    space: &Arc<Space>,
    after: &mut After,
    owed: &mut Vec<Due>,
) -> Result<(), StoreError> {
    let limit = i64::try_from(after.at_most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(DUE).map_err(meaning)?;
    let mut rows = statement
        .query(params![connector_no, after.seq, limit])
        .map_err(meaning)?;
    while let Some(row) = rows.next().map_err(meaning)? {
        let alert_seq: i64 = row.get(5).map_err(meaning)?;
        let alert = match after.alerts.get(&alert_seq) {
            Some(alert) => Arc::clone(alert),
            None => {
                let content: String = row.get(7).map_err(meaning)?;
                let alert = Arc::new(row::alert(&content, alert_seq)?);
                after.alerts.insert(alert_seq, Arc::clone(&alert));
                alert
            }
        };
        let plain: bool = row.get(2).map_err(meaning)?;
        owed.push(Due {
            seq: row.get(0).map_err(meaning)?,
            id: DeliveryId::from_bytes(row.get(1).map_err(meaning)?),
            alert_id: AlertId::from_bytes(row.get(6).map_err(meaning)?),
            space: Arc::clone(space),
            alert,
            connector: Arc::clone(connector),
            form: if plain { Form::Plain } else { Form::Full },
            attempts: row.get(3).map_err(meaning)?,
            next_attempt_at: row
                .get::<_, Option<i64>>(4)
                .map_err(meaning)?
                .map(row::time),
        });
    }
    Ok(())
}

/// Records outcomes inside the writer's transaction.
pub(crate) fn record(
    connection: &Connection,
    outcomes: &[Outcome],
) -> Result<Vec<Recorded>, ChangeFailed> {
    let mut recorded = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        recorded.push(record_one(connection, outcome)?);
    }
    Ok(recorded)
}

fn record_one(connection: &Connection, outcome: &Outcome) -> rusqlite::Result<Recorded> {
    let seq = outcome.seq;
    let changed = match outcome.next {
        NextStep::Again { form, at } => connection.prepare_cached(AGAIN)?.execute(params![
            seq,
            form == Form::Plain,
            at.as_millisecond()
        ])?,
        NextStep::End { state, reason, at } => connection.prepare_cached(END)?.execute(params![
            seq,
            state.code(),
            reason.map(alert_connectors_model::EndReason::code),
            at.as_millisecond(),
        ])?,
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
    let attempt = &outcome.attempt;
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
    Ok(if changed == 0 {
        Recorded::Superseded
    } else {
        Recorded::Done
    })
}
