//! The history of deliveries, their retry and replay, and a connector's health.

use alert_connectors_model::{ConnectorId, Delivery, DeliveryId, SpaceId};
use alert_connectors_store::{
    BlockedConnector, DeliveryLook, DeliveryMessage, DeliveryQuery, Expiry, Health, History,
    KnownConnector, NewestDeliveries, Page, Replay, ReplayPlan, Replayed, Retried, SELECT_BLOCKED,
    StoreError, StoreEvent, carried_by, merged_into, retry_of,
    stored::{self, MESSAGE_COLUMNS, StoredDelivery},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, ToSql, params};

use crate::{
    SqliteStore,
    alerts::space_no,
    deliveries, destination_health, digest_batch,
    error::Failure,
    order::first_since,
    row::{row, rows},
    zones::ZoneQuery,
};

// By the unique index on id.
const CONNECTOR: &str =
    "SELECT no, destination, is_active, created_at, coalesce(switched_at, created_at)
    FROM connectors WHERE id = ?1 AND space_no = ?2 AND deleted_at IS NULL";
// By connectors_by_space.
const CONNECTORS: &str =
    "SELECT no, destination, is_active, created_at, coalesce(switched_at, created_at), id
    FROM connectors WHERE space_no = ?1 AND deleted_at IS NULL ORDER BY no";
// By connectors_by_space. What is pending for one that is deleted counts as cancelled.
const CONNECTORS_EVER: &str =
    "SELECT no, destination, is_active AND deleted_at IS NULL, created_at, coalesce(switched_at, created_at), id
    FROM connectors WHERE space_no = ?1 ORDER BY no";
// By alerts_by_id: the ids of an alert's deliveries begin like its own.
const ALERTS_NAMED: &str = "SELECT seq FROM alerts WHERE id >= ?1 AND id <= ?2 AND space_no = ?3";
// By primary keys.
const MESSAGE: &str = "(SELECT digest_size FROM attempts WHERE delivery_seq = d.seq ORDER BY id DESC LIMIT 1)
    FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq JOIN connectors c ON c.no = d.connector_no WHERE d.seq = ?1";
// By deliveries_missed.
const MISSED: &str =
    "WHERE d.connector_no = ?1 AND d.state = ?5 AND d.state >= 3 AND d.seq < ?2 AND d.seq >= ?4";
// By primary key, one zone; the connectors as a list in JSON.
const ARRIVED: &str = "WHERE d.seq BETWEEN ?4 AND ?5 AND d.seq < ?2 AND d.state BETWEEN ?6 AND ?7
    AND d.connector_no IN (SELECT value FROM json_each(?1))";
// By deliveries_pending.
const WAITING: &str = "WHERE d.connector_no = ?1 AND d.state = 0 AND d.seq < ?2 AND d.seq >= ?4
    AND coalesce(d.requeued_at, d.created_at) > ?5";
// By deliveries_pending.
const OVERDUE: &str = "WHERE d.connector_no = ?1 AND d.state = 0 AND d.seq < ?2 AND d.seq >= ?4
    AND coalesce(d.requeued_at, d.created_at) <= ?5";
// By primary key.
const CREATED: &str = "SELECT seq, created_at FROM deliveries WHERE seq >= ?1 ORDER BY seq LIMIT 1";
// By primary key.
const NEWEST: &str = "SELECT coalesce(max(seq), 0) FROM deliveries";
// By primary key.
const OLDEST: &str = "SELECT coalesce(min(seq), 0) FROM deliveries";
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

#[async_trait]
impl History for SqliteStore {
    async fn deliveries(
        &self,
        space_id: SpaceId,
        query: DeliveryQuery,
        expiry: Expiry,
    ) -> Result<Page<Delivery>, StoreError> {
        self.read(move |connection| {
            let mut connectors = connectors_of(connection, space_id, CONNECTORS_EVER)?;
            connectors.retain(|connector| query.names(connector));
            if connectors.is_empty() {
                return Ok(Page::empty());
            }
            page(connection, &connectors, &query, expiry)
        })
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

    async fn message(
        &self,
        space_id: SpaceId,
        id: DeliveryId,
        in_full: usize,
    ) -> Result<Option<DeliveryMessage>, StoreError> {
        self.read(move |connection| {
            let Some(stored) = find(connection, space_id, id)? else {
                return Ok(None);
            };
            let sql = format!("SELECT {MESSAGE_COLUMNS}, {MESSAGE}");
            let Some(message) = row(connection, &sql, [stored.seq], stored::message)? else {
                return Ok(None);
            };
            let attempts = deliveries::attempts(connection, stored.seq)?;
            let carried = match carried_by(&attempts) {
                Some((attempt, size)) => {
                    digest_batch::carried(connection, stored.seq, attempt, size, in_full)?
                }
                None => Vec::new(),
            };
            let merged = match merged_into(stored.seq, message.alert_id, &carried) {
                Some(last) => row(connection, &sql, [last], stored::message)?,
                None => None,
            };
            let alert = merged.map_or(message.alert, |merged| merged.alert);
            Ok(Some(DeliveryMessage {
                alert,
                carried,
                ..message
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
        self.audited(move |connection, events| {
            let Some(stored) = find(connection, space_id, id)? else {
                return Ok(Retried::Absent);
            };
            let connector = connector_of(connection, space_id, stored.connector_id)?;
            let destination = match retry_of(&stored, connector.as_ref(), expiry) {
                Ok(destination) => destination,
                Err(refusal) => return Ok(refusal),
            };
            queue_again(connection, &[stored.seq], expiry)?;
            events.push(StoreEvent::Changed(destination));
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
                let found = connector_of(connection, space_id, connector)?;
                let connector = match ReplayPlan::connector(found) {
                    Ok(connector) => connector,
                    Err(refused) => return Ok(refused),
                };
                let seqs = to_replay(connection, &connector, &replay, expiry)?;
                Ok(ReplayPlan::queue(&connector, seqs))
            })
            .await?;
        let (destination, steps) = match plan {
            ReplayPlan::Queue { destination, steps } => (destination, steps),
            ReplayPlan::Refused(refusal) => return Ok(refusal),
        };
        let mut queued = 0;
        for step in steps {
            let replayed = self
                .audited(move |connection, events| {
                    events.push(StoreEvent::Changed(destination));
                    let count = queue_again(connection, &step, expiry)?;
                    Ok(Replayed::Queued(count))
                })
                .await?;
            queued += replayed.count();
        }
        Ok(Replayed::Queued(queued))
    }

    async fn blocked_connectors(&self) -> Result<Vec<BlockedConnector>, StoreError> {
        self.read(|connection| rows(connection, SELECT_BLOCKED, [], BlockedConnector::of))
            .await
    }

    async fn health(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        expiry: Expiry,
    ) -> Result<Option<Health>, StoreError> {
        self.read(move |connection| {
            let connector = connector_of(connection, space_id, connector)?;
            connector
                .map(|connector| health(connection, connector, expiry))
                .transpose()
        })
        .await
    }

    async fn healths(&self, space_id: SpaceId, expiry: Expiry) -> Result<Vec<Health>, StoreError> {
        self.read(move |connection| {
            let connectors = connectors_of(connection, space_id, CONNECTORS)?;
            let health = |connector| health(connection, connector, expiry);
            connectors.into_iter().map(health).collect()
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
    let (least, most) = id.alert_ids();
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

fn connector_of(
    connection: &Connection,
    space_id: SpaceId,
    id: ConnectorId,
) -> Result<Option<KnownConnector>, Failure> {
    let Some(space_no) = space_no(connection, space_id)? else {
        return Ok(None);
    };
    let parameters = params![&id.as_bytes()[..], space_no];
    row(connection, CONNECTOR, parameters, |row| {
        KnownConnector::of(id, row)
    })
}

/// Connectors of a space, oldest first.
fn connectors_of(
    connection: &Connection,
    space_id: SpaceId,
    sql: &str,
) -> Result<Vec<KnownConnector>, Failure> {
    let Some(space_no) = space_no(connection, space_id)? else {
        return Ok(Vec::new());
    };
    rows(connection, sql, [space_no], |row| {
        KnownConnector::of(ConnectorId::from_bytes(row.id(5)?), row)
    })
}

/// What was queued at this time or before has expired; in milliseconds.
fn cutoff(
    connection: &Connection,
    connector: &KnownConnector,
    expiry: Expiry,
) -> Result<i64, Failure> {
    let repaired_at = destination_health::repaired_at(connection, connector.destination)?;
    Ok(expiry.cutoff(repaired_at).as_millisecond())
}

/// The newest deliveries of connectors, merged by the order of acceptance: one look for each connector and wanted state, each no
/// deeper than the page.
fn page(
    connection: &Connection,
    connectors: &[KnownConnector],
    query: &DeliveryQuery,
    expiry: Expiry,
) -> Result<Page<Delivery>, Failure> {
    let since = match query.earliest() {
        Some(earliest) => first_since(connection, CREATED, NEWEST, earliest)?,
        None => 0,
    };
    let place = |sql| connection.query_row(sql, [], |row| row.get(0));
    let mut page = query.newest_deliveries(since, place(OLDEST)?, place(NEWEST)?);
    let filters = query.conditions();
    for connector in connectors {
        let cutoff = cutoff(connection, connector, expiry)?;
        for look in query.looks(connector.is_active) {
            let (condition, last) = match look {
                DeliveryLook::Pending => (WAITING, cutoff),
                DeliveryLook::Withheld => (WAITING, i64::MIN),
                DeliveryLook::Overdue => (OVERDUE, cutoff),
                DeliveryLook::Missed(state) => (MISSED, state.code().into()),
                DeliveryLook::Arrived { .. } => continue,
            };
            let condition = format!("{condition}{filters} ORDER BY d.seq DESC LIMIT ?3");
            let parameters: [&dyn ToSql; 5] = [
                &connector.no,
                &page.before(),
                &page.rows_max(),
                &page.first(),
                &last,
            ];
            page.add(deliveries::select(connection, &condition, &parameters)?);
        }
    }
    // The states that count as arrived depend on no connector.
    for look in query.looks(true) {
        if let DeliveryLook::Arrived { first, last } = look {
            add_arrived(connection, connectors, &filters, (first, last), &mut page)?;
        }
    }
    Ok(page.page(expiry))
}

/// Adds the newest that arrived, in a state whose code is in a range, found zone by zone.
fn add_arrived(
    connection: &Connection,
    connectors: &[KnownConnector],
    filters: &str,
    codes: (u8, u8),
    page: &mut NewestDeliveries,
) -> Result<(), Failure> {
    let nos: Vec<i64> = connectors.iter().map(|connector| connector.no).collect();
    let listed: Vec<String> = nos.iter().map(i64::to_string).collect();
    let listed = format!("[{}]", listed.join(","));
    let condition = format!("{ARRIVED}{filters} ORDER BY d.seq DESC LIMIT ?3");
    let (before, first_place) = (page.before(), page.first());
    let read = |least: i64, most: i64| {
        let (before, limit, least) = (page.before(), page.rows_max(), page.first().max(least));
        let parameters: [&dyn ToSql; 7] =
            [&listed, &before, &limit, &least, &most, &codes.0, &codes.1];
        let found = deliveries::select(connection, &condition, &parameters)?;
        Ok::<_, Failure>(page.add(found) || page.first() < least)
    };
    ZoneQuery::Connectors(&nos).walk(connection, before, first_place, read)
}

/// The deliveries to queue again.
fn to_replay(
    connection: &Connection,
    connector: &KnownConnector,
    replay: &Replay,
    expiry: Expiry,
) -> Result<Vec<i64>, Failure> {
    let first = first_since(connection, CREATED, NEWEST, replay.earliest())?;
    let (since, until) = replay.span_ms();
    let mut seqs = Vec::new();
    let mut look = |sql, parameters: &[&dyn ToSql]| -> Result<(), Failure> {
        seqs.extend(rows(connection, sql, parameters, |row| row.number(0))?);
        Ok(())
    };
    for place in replay.looks() {
        let (sql, value) = match place {
            DeliveryLook::Arrived { first: code, .. } => {
                let read = |least: i64, most: i64| {
                    let arrived: [&dyn ToSql; 7] =
                        [&connector.no, &code, &first, &since, &until, &least, &most];
                    look(ARRIVED_BETWEEN, &arrived).map(|()| true)
                };
                let nos = [connector.no];
                let wanted = ZoneQuery::Connectors(&nos);
                wanted.walk(connection, i64::MAX, first, read)?;
                continue;
            }
            DeliveryLook::Overdue => (OVERDUE_BETWEEN, cutoff(connection, connector, expiry)?),
            DeliveryLook::Missed(state) => (MISSED_BETWEEN, state.code().into()),
            DeliveryLook::Pending | DeliveryLook::Withheld => continue,
        };
        let parameters: [&dyn ToSql; 6] = [
            &connector.no,
            &value,
            &first,
            &since,
            &until,
            &Replay::MOST_ROWS,
        ];
        look(sql, &parameters)?;
    }
    Ok(seqs)
}

fn health(
    connection: &Connection,
    connector: KnownConnector,
    expiry: Expiry,
) -> Result<Health, Failure> {
    let health = destination_health::read(connection, connector.destination)?;
    let cutoff = expiry.cutoff(health.repaired_at).as_millisecond();
    let depth = depth(connection, &connector, cutoff)?;
    let last = last_success(connection, connector.no)?;
    Ok(connector.health(health, depth, last))
}

/// How many deliveries are pending, and when the oldest of them was made.
fn depth(
    connection: &Connection,
    connector: &KnownConnector,
    cutoff: i64,
) -> Result<(u64, Option<Timestamp>), Failure> {
    if !connector.is_active {
        return Ok((0, None));
    }
    let oldest = row(connection, OLDEST_WAITING, [connector.no], |row| {
        Ok((row.time(0)?, row.number(1)?))
    })?;
    let depth = match oldest {
        None => None,
        Some((created_at, queued_at)) if queued_at > cutoff => {
            row(connection, DEPTH, [connector.no], |row| {
                Ok((row.count(0)?, Some(created_at)))
            })?
        }
        Some(_) => row(connection, DEPTH_IN_TIME, [connector.no, cutoff], |row| {
            Ok((row.count(0)?, row.maybe_time(1)?))
        })?,
    };
    Ok(depth.unwrap_or_default())
}

/// When a delivery of a connector last arrived.
pub(crate) fn last_success(
    connection: &Connection,
    connector_no: i64,
) -> Result<Option<Timestamp>, Failure> {
    let mut last = None;
    let read = |least: i64, most: i64| {
        let parameters = [connector_no, least, most];
        last = row(connection, LAST_ARRIVED, parameters, |row| {
            row.maybe_time(0)
        })?
        .flatten();
        Ok::<_, Failure>(last.is_none())
    };
    ZoneQuery::Connectors(&[connector_no]).walk(connection, i64::MAX, 0, read)?;
    Ok(last)
}
