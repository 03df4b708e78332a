//! The history of deliveries, their retry and replay, and a connector's health.

use alert_connectors_model::{AlertId, ConnectorId, Delivery, DeliveryId, Fingerprint, SpaceId};
use alert_connectors_store::{
    DeliveryLook, DeliveryQuery, Event, Expiry, Health, HealthFacts, History, Page, Replay,
    ReplayPlan, Replayed, Retried, StoreError, retry_of,
    stored::{StoredDelivery, maybe_time, time},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use crate::{
    SqliteStore,
    alerts::space_no,
    deliveries, destination_health,
    error::Failure,
    order::{CLOCK_STEP, first_since},
    zones::ZoneQuery,
};

// By the unique index on id.
const CONNECTOR: &str =
    "SELECT no, destination, is_active, created_at, coalesce(switched_at, created_at)
    FROM connectors WHERE id = ?1 AND space_no = ?2 AND deleted_at IS NULL";
// By alerts_by_id: the ids of an alert's deliveries begin like its own.
const ALERTS_NAMED: &str = "SELECT seq FROM alerts WHERE id >= ?1 AND id <= ?2 AND space_no = ?3";
// By deliveries_missed.
const MISSED: &str = "WHERE d.connector_no = ?1 AND d.state = ?4 AND d.state >= 3 AND d.seq < ?2 ORDER BY d.seq DESC LIMIT ?3";
// By primary key, one zone.
const ARRIVED: &str = "WHERE d.seq BETWEEN ?4 AND ?5 AND d.seq < ?2 AND d.connector_no = ?1 AND d.state BETWEEN ?6 AND ?7
    ORDER BY d.seq DESC LIMIT ?3";
// By deliveries_pending.
const WAITING: &str = "WHERE d.connector_no = ?1 AND d.state = 0 AND d.seq < ?2
    AND coalesce(d.requeued_at, d.created_at) > ?4 ORDER BY d.seq DESC LIMIT ?3";
// By deliveries_pending.
const OVERDUE: &str = "WHERE d.connector_no = ?1 AND d.state = 0 AND d.seq < ?2
    AND coalesce(d.requeued_at, d.created_at) <= ?4 ORDER BY d.seq DESC LIMIT ?3";
// By primary key.
const CREATED: &str = "SELECT seq, created_at FROM deliveries WHERE seq >= ?1 ORDER BY seq LIMIT 1";
// By primary key.
const NEWEST: &str = "SELECT coalesce(max(seq), 0) FROM deliveries";
// By deliveries_missed.
const MISSED_BETWEEN: &str =
    "SELECT seq FROM deliveries WHERE connector_no = ?1 AND state = ?2 AND state >= 3
    AND seq >= ?3 AND created_at >= ?4 AND created_at < ?5 ORDER BY seq LIMIT ?6";
// By primary key, one zone.
const ARRIVED_BETWEEN: &str =
    "SELECT seq FROM deliveries WHERE seq BETWEEN ?6 AND ?7 AND connector_no = ?1 AND state = ?2
    AND seq >= ?3 AND created_at >= ?4 AND created_at < ?5 ORDER BY seq";
// By deliveries_pending.
const OVERDUE_BETWEEN: &str = "SELECT seq FROM deliveries WHERE connector_no = ?1 AND state = 0
    AND coalesce(requeued_at, created_at) <= ?2 AND seq >= ?3 AND created_at >= ?4 AND created_at < ?5
    ORDER BY seq LIMIT ?6";
// By primary key.
const QUEUE_AGAIN: &str = "UPDATE deliveries SET state = 0, reason = NULL, ended_at = NULL, next_attempt_at = NULL, plain = 0,
    requeued_at = ?2 WHERE seq = ?1 AND (state > 0 OR coalesce(requeued_at, created_at) <= ?3)";
// By deliveries_pending.
const OLDEST_WAITING: &str = "SELECT created_at, coalesce(requeued_at, created_at) FROM deliveries
    WHERE connector_no = ?1 AND state = 0 ORDER BY seq LIMIT 1";
// By deliveries_pending alone.
const DEPTH: &str = "SELECT count(*) FROM deliveries WHERE connector_no = ?1 AND state = 0";
// By deliveries_pending.
const DEPTH_IN_TIME: &str =
    "SELECT count(*), min(created_at) FROM deliveries WHERE connector_no = ?1 AND state = 0
    AND coalesce(requeued_at, created_at) > ?2";
// By primary key, one zone; the newest by order are about the newest by time.
const LAST_ARRIVED: &str =
    "SELECT max(ended_at) FROM deliveries WHERE seq BETWEEN ?2 AND ?3 AND connector_no = ?1
    AND state BETWEEN 1 AND 2";

/// At most this many deliveries are queued again in one transaction.
const STEP: usize = 500;

#[async_trait]
impl History for SqliteStore {
    async fn deliveries(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        query: DeliveryQuery,
        expiry: Expiry,
    ) -> Result<Page<Delivery>, StoreError> {
        self.read(
            move |connection| match StoredConnector::find(connection, space_id, connector)? {
                Some(connector) => connector.page(connection, &query, expiry),
                None => Ok(Page {
                    items: Vec::new(),
                    next: None,
                }),
            },
        )
        .await
    }

    async fn delivery(
        &self,
        space_id: SpaceId,
        id: DeliveryId,
        expiry: Expiry,
    ) -> Result<Option<Delivery>, StoreError> {
        self.read(move |connection| {
            let Some(stored) = find(connection, space_id, id)? else {
                return Ok(None);
            };
            let attempts = deliveries::attempts(connection, stored.seq)?;
            Ok(Some(Delivery {
                attempts,
                ..stored.read(expiry)
            }))
        })
        .await
    }

    async fn retry(
        &self,
        space_id: SpaceId,
        id: DeliveryId,
        expiry: Expiry,
    ) -> Result<Retried, StoreError> {
        self.change(move |connection, events| {
            let Some(stored) = find(connection, space_id, id)? else {
                return Ok(Retried::Absent);
            };
            let connector = StoredConnector::find(connection, space_id, stored.connector_id)?;
            let connector = connector.map(|found| (found.destination, found.is_active));
            let destination = match retry_of(&stored, connector, expiry) {
                Ok(destination) => destination,
                Err(refusal) => return Ok(refusal),
            };
            queue_again(connection, &[stored.seq], expiry)?;
            events.push(Event::Changed(destination));
            Ok(Retried::Queued)
        })
        .await
    }

    async fn replay(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        replay: Replay,
        expiry: Expiry,
    ) -> Result<Replayed, StoreError> {
        let plan = self
            .read(move |connection| {
                let Some(connector) = StoredConnector::find(connection, space_id, connector)?
                else {
                    return Ok(ReplayPlan::Refused(Replayed::Absent));
                };
                if !connector.is_active {
                    return Ok(ReplayPlan::Refused(Replayed::ConnectorInactive));
                }
                let seqs = connector.to_replay(connection, &replay, expiry)?;
                Ok(ReplayPlan::Queue {
                    destination: connector.destination,
                    seqs,
                })
            })
            .await?;
        let (destination, seqs) = match plan {
            ReplayPlan::Queue { destination, seqs } => (destination, seqs),
            ReplayPlan::Refused(refusal) => return Ok(refusal),
        };
        // The caller's permission is checked even where there is nothing to queue.
        let nothing = seqs.is_empty().then_some(&seqs[..]);
        let mut queued = 0;
        for step in seqs.chunks(STEP).chain(nothing) {
            let step = step.to_vec();
            queued += self
                .change(move |connection, events| {
                    events.push(Event::Changed(destination));
                    Ok(queue_again(connection, &step, expiry)?)
                })
                .await?;
        }
        Ok(Replayed::Queued(queued))
    }

    async fn health(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        expiry: Expiry,
    ) -> Result<Option<Health>, StoreError> {
        self.read(move |connection| {
            let connector = StoredConnector::find(connection, space_id, connector)?;
            connector
                .map(|connector| connector.health(connection, expiry))
                .transpose()
        })
        .await
    }
}

/// A delivery by its id, which begins like its alert's.
fn find(
    connection: &Connection,
    space_id: SpaceId,
    id: DeliveryId,
) -> Result<Option<StoredDelivery>, Failure> {
    let Some(space_no) = space_no(connection, space_id)? else {
        return Ok(None);
    };
    let (mut least, mut most) = (*id.as_bytes(), *id.as_bytes());
    least[DeliveryId::SHARED_BYTES..].fill(0);
    most[DeliveryId::SHARED_BYTES..].fill(u8::MAX);
    let (least, most) = (AlertId::from_bytes(least), AlertId::from_bytes(most));
    let mut statement = connection.prepare_cached(ALERTS_NAMED)?;
    let alerts = statement.query_map(
        params![&least.as_bytes()[..], &most.as_bytes()[..], space_no],
        |row| row.get(0),
    )?;
    for alert_seq in alerts {
        let found = deliveries::of_alert(connection, alert_seq?)?;
        if let Some(stored) = found.into_iter().find(|stored| stored.id == id) {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

fn queue_again(connection: &Connection, seqs: &[i64], expiry: Expiry) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(QUEUE_AGAIN)?;
    let (now, overdue) = (
        expiry.now.as_millisecond(),
        expiry.cutoff(None).as_millisecond(),
    );
    let mut queued = 0;
    for seq in seqs {
        queued += statement.execute(params![seq, now, overdue])?;
    }
    Ok(queued)
}

struct StoredConnector {
    no: i64,
    id: ConnectorId,
    destination: Fingerprint,
    is_active: bool,
    created_at: Timestamp,
    switched_at: Timestamp,
}

impl StoredConnector {
    fn find(
        connection: &Connection,
        space_id: SpaceId,
        id: ConnectorId,
    ) -> Result<Option<Self>, Failure> {
        let Some(space_no) = space_no(connection, space_id)? else {
            return Ok(None);
        };
        let read = |row: &Row<'_>| {
            Ok(Self {
                no: row.get(0)?,
                id,
                destination: Fingerprint(row.get(1)?),
                is_active: row.get(2)?,
                created_at: time(row.get(3)?),
                switched_at: time(row.get(4)?),
            })
        };
        let mut statement = connection.prepare_cached(CONNECTOR)?;
        statement
            .query_row(params![&id.as_bytes()[..], space_no], read)
            .optional()
            .map_err(Failure::from)
    }

    fn cutoff(&self, connection: &Connection, expiry: Expiry) -> Result<i64, Failure> {
        let repaired_at = destination_health::repaired_at(connection, self.destination)?;
        Ok(expiry.cutoff(repaired_at).as_millisecond())
    }

    /// One look for each wanted state, each no deeper than the page, merged by the order of acceptance.
    fn page(
        &self,
        connection: &Connection,
        query: &DeliveryQuery,
        expiry: Expiry,
    ) -> Result<Page<Delivery>, Failure> {
        let cutoff = self.cutoff(connection, expiry)?;
        let before = query.before.unwrap_or(i64::MAX);
        let limit = query.rows_max();
        let mut found = Vec::new();
        for look in query.looks(self.is_active) {
            let (condition, last) = match look {
                DeliveryLook::Pending => (WAITING, cutoff),
                DeliveryLook::Withheld => (WAITING, i64::MIN),
                DeliveryLook::Overdue => (OVERDUE, cutoff),
                DeliveryLook::Missed(state) => (MISSED, state.code().into()),
                DeliveryLook::Arrived { first, last } => {
                    found.extend(self.arrived(connection, query, first, last)?);
                    continue;
                }
            };
            let parameters: [&dyn ToSql; 4] = [&self.no, &before, &limit, &last];
            found.extend(deliveries::select(connection, condition, &parameters)?);
        }
        Ok(query.page(found, expiry))
    }

    /// The newest that arrived, found zone by zone.
    fn arrived(
        &self,
        connection: &Connection,
        query: &DeliveryQuery,
        first: u8,
        last: u8,
    ) -> Result<Vec<StoredDelivery>, Failure> {
        let before = query.before.unwrap_or(i64::MAX);
        let limit = query.rows_max();
        let mut found = Vec::new();
        let read = |least: i64, most: i64| {
            let parameters: [&dyn ToSql; 7] =
                [&self.no, &before, &limit, &least, &most, &first, &last];
            found.extend(deliveries::select(connection, ARRIVED, &parameters)?);
            Ok::<_, Failure>(found.len() <= query.limit)
        };
        let wanted = ZoneQuery::Connector(self.no);
        wanted.walk(connection, before, 0, read)?;
        Ok(found)
    }

    /// The deliveries to queue again, oldest first.
    fn to_replay(
        &self,
        connection: &Connection,
        replay: &Replay,
        expiry: Expiry,
    ) -> Result<Vec<i64>, Failure> {
        let since = replay.since.checked_sub(CLOCK_STEP);
        let since = since.unwrap_or(Timestamp::MIN);
        let first = first_since(connection, CREATED, NEWEST, since)?;
        let (since, until) = (
            replay.since.as_millisecond(),
            replay.until.unwrap_or(Timestamp::MAX).as_millisecond(),
        );
        let limit = i64::try_from(Replay::MOST).unwrap_or(i64::MAX);
        let mut seqs: Vec<i64> = Vec::new();
        let mut look = |sql, parameters: &[&dyn ToSql]| -> rusqlite::Result<()> {
            let mut statement = connection.prepare_cached(sql)?;
            for seq in statement.query_map(parameters, |row| row.get(0))? {
                seqs.push(seq?);
            }
            Ok(())
        };
        for place in replay.looks() {
            match place {
                DeliveryLook::Arrived { first: code, .. } => {
                    let read = |least: i64, most: i64| {
                        let arrived: [&dyn ToSql; 7] =
                            [&self.no, &code, &first, &since, &until, &least, &most];
                        look(ARRIVED_BETWEEN, &arrived).map(|()| true)
                    };
                    let wanted = ZoneQuery::Connector(self.no);
                    wanted.walk(connection, i64::MAX, first, read)?;
                }
                DeliveryLook::Overdue => {
                    let cutoff = self.cutoff(connection, expiry)?;
                    let overdue: [&dyn ToSql; 6] =
                        [&self.no, &cutoff, &first, &since, &until, &limit];
                    look(OVERDUE_BETWEEN, &overdue)?;
                }
                DeliveryLook::Missed(state) => {
                    let code = state.code();
                    let missed: [&dyn ToSql; 6] = [&self.no, &code, &first, &since, &until, &limit];
                    look(MISSED_BETWEEN, &missed)?;
                }
                DeliveryLook::Pending | DeliveryLook::Withheld => {}
            }
        }
        Ok(Replay::oldest(seqs))
    }

    fn health(&self, connection: &Connection, expiry: Expiry) -> Result<Health, Failure> {
        let health = destination_health::read(connection, self.destination)?;
        let (queue_depth, oldest_pending_at) = self.depth(connection, expiry)?;
        let last_success_at = self.last_success(connection)?;
        Ok(HealthFacts {
            connector_id: self.id,
            is_active: self.is_active,
            created_at: self.created_at,
            switched_at: self.switched_at,
            health,
            queue_depth,
            oldest_pending_at,
            last_success_at,
        }
        .into())
    }

    /// How many deliveries are pending, and when the oldest of them was made.
    fn depth(
        &self,
        connection: &Connection,
        expiry: Expiry,
    ) -> rusqlite::Result<(u64, Option<Timestamp>)> {
        if !self.is_active {
            return Ok((0, None));
        }
        let repaired_at = destination_health::repaired_at(connection, self.destination)?;
        let cutoff = expiry.cutoff(repaired_at).as_millisecond();
        let oldest: Option<(i64, i64)> = connection
            .prepare_cached(OLDEST_WAITING)?
            .query_row([self.no], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match oldest {
            None => Ok((0, None)),
            Some((created_at, queued_at)) if queued_at > cutoff => {
                let depth = connection
                    .prepare_cached(DEPTH)?
                    .query_row([self.no], |row| row.get(0))?;
                Ok((depth, Some(time(created_at))))
            }
            Some(_) => connection
                .prepare_cached(DEPTH_IN_TIME)?
                .query_row([self.no, cutoff], |row| {
                    Ok((row.get(0)?, maybe_time(row.get(1)?)))
                }),
        }
    }

    fn last_success(&self, connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
        let mut last = None;
        let read = |least: i64, most: i64| {
            let found: Option<i64> = connection
                .prepare_cached(LAST_ARRIVED)?
                .query_row([self.no, least, most], |row| row.get(0))?;
            last = maybe_time(found);
            Ok::<_, rusqlite::Error>(last.is_none())
        };
        ZoneQuery::Connector(self.no).walk(connection, i64::MAX, 0, read)?;
        Ok(last)
    }
}
