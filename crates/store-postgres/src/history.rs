//! The history of deliveries, their retry and replay, and a connector's health.

use std::collections::HashMap;

use alert_connectors_model::{ConnectorId, Delivery, DeliveryId, Fingerprint, SpaceId};
use alert_connectors_store::{
    BlockedConnector, DeliveryLook, DeliveryMessage, DeliveryQuery, DestinationHealth, Expiry,
    Health, History, KnownConnector, Page, Replay, ReplayPlan, Replayed, Retried, SELECT_BLOCKED,
    StoreError, StoreEvent, carried_by, merged_into, retry_of,
    stored::{self, Columns as _, HEALTH_COLUMNS, MESSAGE_COLUMNS, StoredDelivery},
};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;

use crate::{
    PostgresStore,
    alerts::uuid,
    connection::{Change, Connection},
    deliveries, destination_health, digest_batch,
    row::Row,
};

// By the unique index on id.
const CONNECTOR: &str = "SELECT c.no, c.destination, c.is_active, c.created_at, coalesce(c.switched_at, c.created_at)
    FROM connectors c JOIN spaces s ON s.no = c.space_no WHERE c.id = $1 AND s.id = $2 AND c.deleted_at IS NULL";
// By connectors_by_space.
const CONNECTORS: &str = "SELECT c.no, c.destination, c.is_active, c.created_at, coalesce(c.switched_at, c.created_at), c.id
    FROM connectors c JOIN spaces s ON s.no = c.space_no WHERE s.id = $1 AND c.deleted_at IS NULL ORDER BY c.no";
// All connectors are few beside their deliveries. What is pending for one that is deleted counts as cancelled.
const CONNECTORS_EVER: &str = "SELECT c.no, c.destination, c.is_active AND c.deleted_at IS NULL, c.created_at,
    coalesce(c.switched_at, c.created_at), c.id FROM connectors c JOIN spaces s ON s.no = c.space_no WHERE s.id = $1 ORDER BY c.no";
// By alerts_by_id: the ids of an alert's deliveries begin like its own.
const ALERTS_NAMED: &str = "SELECT a.seq FROM alerts a JOIN spaces s ON s.no = a.space_no
    WHERE a.id >= $1 AND a.id <= $2 AND s.id = $3";
// By primary keys.
const MESSAGE: &str = "CASE WHEN d.ended_by IS NOT NULL THEN d.digest_size
    ELSE (SELECT t.digest_size FROM attempts t WHERE t.delivery_seq = d.seq ORDER BY t.id DESC LIMIT 1) END
    FROM deliveries d JOIN alerts a ON a.seq = d.alert_seq JOIN connectors c ON c.no = d.connector_no WHERE d.seq = $1";
// By the primary key of missed, then by primary key, no deeper for each connector than the page.
const MISSED: &str = "FROM (SELECT x.* FROM unnest($1::int8[]) AS wanted (no) CROSS JOIN LATERAL (SELECT d.* FROM missed m
        JOIN deliveries d ON d.seq = m.seq WHERE m.connector_no = wanted.no AND m.state = $5 AND m.seq < $2 AND m.seq >= $4
        /* filters */ ORDER BY m.seq DESC LIMIT $3) x ORDER BY x.seq DESC LIMIT $3) d";
// By deliveries_by_connector, no deeper for each connector than the page.
const ARRIVED: &str = "FROM (SELECT x.* FROM unnest($1::int8[]) AS wanted (no) CROSS JOIN LATERAL (SELECT d.* FROM deliveries d
        WHERE d.connector_no = wanted.no AND d.seq < $2 AND d.seq >= $4 AND d.state BETWEEN $5 AND $6
        /* filters */ ORDER BY d.seq DESC LIMIT $3) x ORDER BY x.seq DESC LIMIT $3) d";
// By the primary key of pending, then by primary key, no deeper for each connector than the page.
const WAITING: &str = "FROM (SELECT x.* FROM unnest($1::int8[], $5::int8[]) AS wanted (no, cutoff) CROSS JOIN LATERAL
        (SELECT d.* FROM pending p JOIN deliveries d ON d.seq = p.seq
        WHERE p.connector_no = wanted.no AND p.seq < $2 AND p.seq >= $4 AND p.queued_at > wanted.cutoff
        /* filters */ ORDER BY p.seq DESC LIMIT $3) x ORDER BY x.seq DESC LIMIT $3) d";
// By the primary key of pending, then by primary key, no deeper for each connector than the page.
const OVERDUE: &str = "FROM (SELECT x.* FROM unnest($1::int8[], $5::int8[]) AS wanted (no, cutoff) CROSS JOIN LATERAL
        (SELECT d.* FROM pending p JOIN deliveries d ON d.seq = p.seq
        WHERE p.connector_no = wanted.no AND p.seq < $2 AND p.seq >= $4 AND p.queued_at <= wanted.cutoff
        /* filters */ ORDER BY p.seq DESC LIMIT $3) x ORDER BY x.seq DESC LIMIT $3) d";
/// Where a look takes the conditions of its query.
const FILTERS: &str = "/* filters */";
const NEWEST_FIRST: &str = "ORDER BY d.seq DESC";
const SINCE: &str = "SELECT first_delivery_since($1)";
// By primary key.
const ENDS: &str = "SELECT coalesce((SELECT min(seq) FROM deliveries), 0), coalesce((SELECT max(seq) FROM deliveries), 0)";
// By the primary key of missed, then by primary key.
const MISSED_BETWEEN: &str = "SELECT d.seq FROM missed m JOIN deliveries d ON d.seq = m.seq WHERE m.connector_no = $1
    AND m.state = $2 AND m.seq >= $3 AND d.created_at >= $4 AND d.created_at < $5 ORDER BY m.seq LIMIT $6";
// By deliveries_by_connector.
const ARRIVED_BETWEEN: &str = "SELECT seq FROM deliveries WHERE connector_no = $1 AND state = $2
    AND seq >= $3 AND created_at >= $4 AND created_at < $5 ORDER BY seq LIMIT $6";
// By the primary key of pending, then by primary key.
const OVERDUE_BETWEEN: &str = "SELECT d.seq FROM pending p JOIN deliveries d ON d.seq = p.seq WHERE p.connector_no = $1
    AND p.queued_at <= $2 AND p.seq >= $3 AND d.created_at >= $4 AND d.created_at < $5 ORDER BY p.seq LIMIT $6";
// By primary key.
const QUEUE_AGAIN: &str = "WITH these AS (SELECT d.* FROM unnest($1::int8[]) AS g (seq) JOIN deliveries d ON d.seq = g.seq
        WHERE d.state > 0 OR coalesce(d.requeued_at, d.created_at) <= $3 FOR UPDATE OF d),
    kept AS (INSERT INTO attempts (delivery_seq, id, started_at, duration_ms, outcome, status_code, error, digest_size)
        SELECT seq, ended_by, started_at, duration_ms, outcome, status_code, error, digest_size FROM these
        WHERE ended_by IS NOT NULL ON CONFLICT DO NOTHING),
    again AS (UPDATE deliveries d SET state = 0, reason = NULL, ended_at = NULL, ended_by = NULL, next_attempt_at = NULL,
        plain = false, requeued_at = $2 FROM these WHERE d.seq = these.seq RETURNING d.connector_no, d.seq),
    noted AS (DELETE FROM missed m USING again a WHERE m.connector_no = a.connector_no AND m.state IN (3, 4, 5) AND m.seq = a.seq)
    INSERT INTO pending (connector_no, seq, queued_at) SELECT connector_no, seq, $2 FROM again
    ON CONFLICT (connector_no, seq) DO UPDATE SET queued_at = excluded.queued_at";
// By primary key.
const DESTINATIONS: &str = "FROM destinations WHERE fingerprint = ANY ($1)";
// By the primary key of pending, then by primary key; in the order of what is wanted.
const DEPTHS: &str = "SELECT (SELECT count(*) FROM pending p WHERE p.connector_no = wanted.no AND p.queued_at > wanted.cutoff),
    (SELECT d.created_at FROM pending p JOIN deliveries d ON d.seq = p.seq
        WHERE p.connector_no = wanted.no AND p.queued_at > wanted.cutoff ORDER BY p.seq LIMIT 1)
    FROM unnest($1::int8[], $2::int8[]) WITH ORDINALITY AS wanted (no, cutoff, at) ORDER BY wanted.at";
// By deliveries_by_connector, a few of the newest and of those before what waits; the newest by order are about the newest
// by time. In the order of what is wanted.
pub(crate) const LAST_ARRIVED: &str = "SELECT (SELECT max(ended_at) FROM (
        (SELECT state, ended_at FROM deliveries WHERE connector_no = wanted.no ORDER BY seq DESC LIMIT 256)
        UNION ALL (SELECT state, ended_at FROM deliveries WHERE connector_no = wanted.no AND state BETWEEN 1 AND 2
            AND seq < coalesce((SELECT min(seq) FROM pending WHERE connector_no = wanted.no), 9223372036854775807)
            ORDER BY seq DESC LIMIT 256)) these
    WHERE state BETWEEN 1 AND 2) FROM unnest($1::int8[]) WITH ORDINALITY AS wanted (no, at) ORDER BY wanted.at";

#[async_trait]
impl History for PostgresStore {
    async fn deliveries(
        &self,
        space_id: SpaceId,
        query: DeliveryQuery,
        expiry: Expiry,
    ) -> Result<Page<Delivery>, StoreError> {
        self.read(async |connection| {
            let mut connectors = connectors_of(connection, space_id, CONNECTORS_EVER).await?;
            connectors.retain(|connector| query.names(connector));
            if connectors.is_empty() {
                return Ok(Page::empty());
            }
            page(connection, connectors, &query, expiry).await
        })
        .await
    }

    async fn delivery(
        &self,
        space_id: SpaceId,
        id: DeliveryId,
        expiry: Expiry,
    ) -> Result<Option<Delivery>, StoreError> {
        self.read(async |connection| {
            let Some(stored) = find(connection, space_id, id).await? else {
                return Ok(None);
            };
            let mut attempts = deliveries::attempts(connection, &[stored.seq]).await?;
            Ok(Some(Delivery {
                attempts: attempts.remove(&stored.seq).unwrap_or_default(),
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
        self.read(async |connection| {
            let Some(StoredDelivery { seq, .. }) = find(connection, space_id, id).await? else {
                return Ok(None);
            };
            let sql = format!("SELECT {MESSAGE_COLUMNS}, {MESSAGE}");
            let Some(row) = connection.row(&sql, &[&seq]).await? else {
                return Ok(None);
            };
            let attempts = deliveries::attempts(connection, &[seq]).await?.remove(&seq);
            let carried = match carried_by(&attempts.unwrap_or_default()) {
                Some((attempt, size)) => {
                    digest_batch::carried(connection, seq, attempt, size, in_full).await?
                }
                None => Vec::new(),
            };
            let message = stored::message(&row)?;
            let merged = match merged_into(seq, message.alert_id, &carried) {
                Some(last) => connection.row(&sql, &[&last]).await?,
                None => None,
            };
            let merged = merged.map(|row| stored::message(&row)).transpose()?;
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
        let change = self.change().await?;
        let Some(stored) = find(change.connection(), space_id, id).await? else {
            return change.end(Retried::Absent).await;
        };
        let connector = connector_of(change.connection(), space_id, stored.connector_id).await?;
        let destination = match retry_of(&stored, connector.as_ref(), expiry) {
            Ok(destination) => destination,
            Err(refusal) => return change.end(refusal).await,
        };
        queue_again(&change, &[stored.seq], expiry).await?;
        let events = vec![StoreEvent::Changed(destination)];
        self.end(change, events, Retried::Queued).await
    }

    async fn replay(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        replay: Replay,
        expiry: Expiry,
    ) -> Result<Replayed, StoreError> {
        let plan = self
            .read(async |connection| {
                let found = connector_of(connection, space_id, connector).await?;
                let connector = match ReplayPlan::connector(found) {
                    Ok(connector) => connector,
                    Err(refused) => return Ok(refused),
                };
                let seqs = to_replay(connection, &connector, &replay, expiry).await?;
                Ok(ReplayPlan::queue(&connector, seqs))
            })
            .await?;
        let (destination, steps) = match plan {
            ReplayPlan::Queue { destination, steps } => (destination, steps),
            ReplayPlan::Refused(refusal) => return Ok(refusal),
        };
        let mut queued = 0;
        for step in steps {
            let change = self.change().await?;
            let count = queue_again(&change, &step, expiry).await?;
            let events = vec![StoreEvent::Changed(destination)];
            let replayed = self.end(change, events, Replayed::Queued(count)).await?;
            queued += replayed.count();
        }
        Ok(Replayed::Queued(queued))
    }

    async fn blocked_connectors(&self) -> Result<Vec<BlockedConnector>, StoreError> {
        self.read(async |connection| {
            let rows = connection.rows(SELECT_BLOCKED, &[]).await?;
            rows.iter().map(|row| BlockedConnector::of(row)).collect()
        })
        .await
    }

    async fn health(
        &self,
        space_id: SpaceId,
        connector: ConnectorId,
        expiry: Expiry,
    ) -> Result<Option<Health>, StoreError> {
        self.read(async |connection| {
            let connector = connector_of(connection, space_id, connector).await?;
            let connectors = connector.into_iter().collect();
            Ok(healths(connection, connectors, expiry).await?.pop())
        })
        .await
    }

    async fn healths(&self, space_id: SpaceId, expiry: Expiry) -> Result<Vec<Health>, StoreError> {
        self.read(async |connection| {
            let connectors = connectors_of(connection, space_id, CONNECTORS).await?;
            healths(connection, connectors, expiry).await
        })
        .await
    }
}

/// A delivery by its id, which begins like its alert's.
async fn find(
    connection: &Connection,
    space_id: SpaceId,
    id: DeliveryId,
) -> Result<Option<StoredDelivery>, StoreError> {
    let (least, most) = id.alert_ids();
    let rows = connection
        .rows(
            ALERTS_NAMED,
            &[
                &uuid(least.as_bytes()),
                &uuid(most.as_bytes()),
                &uuid(space_id.as_bytes()),
            ],
        )
        .await?;
    let seqs: Vec<i64> = rows.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    let found = deliveries::of_alerts(connection, &seqs).await?;
    Ok(found.into_iter().find(|stored| stored.id == id))
}

async fn queue_again(change: &Change, seqs: &[i64], expiry: Expiry) -> Result<usize, StoreError> {
    let now = expiry.now.as_millisecond();
    let overdue = expiry.cutoff(None).as_millisecond();
    let queued = change.run(QUEUE_AGAIN, &[&seqs, &now, &overdue]).await?;
    Ok(usize::try_from(queued).unwrap_or(usize::MAX))
}

/// A bound of a look, of the type that its statement takes.
type Bound = Box<dyn ToSql + Sync + Send>;

fn code(code: u8) -> Bound {
    Box::new(i16::from(code))
}

async fn connector_of(
    connection: &Connection,
    space_id: SpaceId,
    id: ConnectorId,
) -> Result<Option<KnownConnector>, StoreError> {
    let parameters = (uuid(id.as_bytes()), uuid(space_id.as_bytes()));
    let found = connection
        .row(CONNECTOR, &[&parameters.0, &parameters.1])
        .await?;
    found.map(|row| KnownConnector::of(id, &row)).transpose()
}

/// Connectors of a space, oldest first.
async fn connectors_of(
    connection: &Connection,
    space_id: SpaceId,
    sql: &str,
) -> Result<Vec<KnownConnector>, StoreError> {
    let space_id = uuid(space_id.as_bytes());
    let rows = connection.rows(sql, &[&space_id]).await?;
    let connector = |row: &Row| KnownConnector::of(ConnectorId::from_bytes(row.id(5)?), row);
    rows.iter().map(connector).collect()
}

/// What was queued at this time or before has expired; in milliseconds.
async fn cutoff(
    connection: &Connection,
    connector: &KnownConnector,
    expiry: Expiry,
) -> Result<i64, StoreError> {
    let health = destination_health::read(connection, connector.destination).await?;
    Ok(expiry.cutoff(health.repaired_at).as_millisecond())
}

/// The newest deliveries of connectors, merged by the order of acceptance: one look for each wanted state, no deeper for each
/// connector than the page.
async fn page(
    connection: &Connection,
    connectors: Vec<KnownConnector>,
    query: &DeliveryQuery,
    expiry: Expiry,
) -> Result<Page<Delivery>, StoreError> {
    let since = match query.earliest() {
        Some(earliest) => first_since(connection, earliest).await?,
        None => 0,
    };
    let ends = connection.rows(ENDS, &[]).await?;
    let (oldest, newest) = match ends.first() {
        Some(row) => (row.at(0)?, row.at(1)?),
        None => (0, 0),
    };
    let mut page = query.newest_deliveries(since, oldest, newest);
    let known = health_of(connection, &connectors).await?;
    let (active, inactive): (Vec<_>, Vec<_>) = connectors
        .into_iter()
        .partition(|connector| connector.is_active);
    let filters = query.conditions();
    for (connectors, are_active) in [(active, true), (inactive, false)] {
        if connectors.is_empty() {
            continue;
        }
        let nos: Vec<i64> = connectors.iter().map(|connector| connector.no).collect();
        let cutoff = |connector: &KnownConnector| {
            let health = known.get(&connector.destination);
            let repaired_at = health.and_then(|health| health.repaired_at);
            expiry.cutoff(repaired_at).as_millisecond()
        };
        let cutoffs: Vec<i64> = connectors.iter().map(cutoff).collect();
        for look in query.looks(are_active) {
            // What bounds the look, beside the page.
            let (from, bounds): (_, Vec<Bound>) = match look {
                DeliveryLook::Pending => (WAITING, vec![Box::new(cutoffs.clone())]),
                DeliveryLook::Withheld => (WAITING, vec![Box::new(vec![i64::MIN; nos.len()])]),
                DeliveryLook::Overdue => (OVERDUE, vec![Box::new(cutoffs.clone())]),
                DeliveryLook::Missed(state) => (MISSED, vec![code(state.code())]),
                DeliveryLook::Arrived { first, last } => (ARRIVED, vec![code(first), code(last)]),
            };
            let (before, limit, first) = (page.before(), page.rows_max(), page.first());
            let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&nos, &before, &limit, &first];
            parameters.extend(bounds.iter().map(|bound| &**bound as &(dyn ToSql + Sync)));
            let from = from.replace(FILTERS, &filters);
            page.add(deliveries::select(connection, &from, NEWEST_FIRST, &parameters).await?);
        }
    }
    Ok(page.page(expiry))
}

/// The first place in the order at a time or later.
async fn first_since(connection: &Connection, since: Timestamp) -> Result<i64, StoreError> {
    let first = connection.row(SINCE, &[&since.as_millisecond()]).await?;
    first.map_or(Ok(0), |row| row.at(0))
}

/// The deliveries to queue again.
async fn to_replay(
    connection: &Connection,
    connector: &KnownConnector,
    replay: &Replay,
    expiry: Expiry,
) -> Result<Vec<i64>, StoreError> {
    let first = first_since(connection, replay.earliest()).await?;
    let (since, until) = replay.span_ms();
    let mut seqs = Vec::new();
    for look in replay.looks() {
        let (sql, bound): (_, Bound) = match look {
            DeliveryLook::Arrived { first, .. } => (ARRIVED_BETWEEN, code(first)),
            DeliveryLook::Missed(state) => (MISSED_BETWEEN, code(state.code())),
            DeliveryLook::Overdue => {
                let cutoff = cutoff(connection, connector, expiry).await?;
                (OVERDUE_BETWEEN, Box::new(cutoff))
            }
            DeliveryLook::Pending | DeliveryLook::Withheld => continue,
        };
        let parameters: [&(dyn ToSql + Sync); 6] = [
            &connector.no,
            &*bound,
            &first,
            &since,
            &until,
            &Replay::MOST_ROWS,
        ];
        for row in connection.rows(sql, &parameters).await? {
            seqs.push(row.at(0)?);
        }
    }
    Ok(seqs)
}

/// The health of the destinations of connectors that is stored.
async fn health_of(
    connection: &Connection,
    connectors: &[KnownConnector],
) -> Result<HashMap<Fingerprint, DestinationHealth>, StoreError> {
    let destinations: Vec<&[u8]> = connectors
        .iter()
        .map(|one| &one.destination.0[..])
        .collect();
    let sql = format!("SELECT {HEALTH_COLUMNS}, fingerprint {DESTINATIONS}");
    let rows = connection.rows(&sql, &[&destinations]).await?;
    let health = |row: &Row| Ok((row.fingerprint(17)?, stored::health(row)?));
    rows.iter().map(health).collect()
}

/// The health of connectors, in their order.
async fn healths(
    connection: &Connection,
    connectors: Vec<KnownConnector>,
    expiry: Expiry,
) -> Result<Vec<Health>, StoreError> {
    let known = health_of(connection, &connectors).await?;
    let health = |one: &KnownConnector| known.get(&one.destination).cloned().unwrap_or_default();
    let cutoff = |one: &KnownConnector| {
        if one.is_active {
            expiry.cutoff(health(one).repaired_at).as_millisecond()
        } else {
            // What is written as pending counts as cancelled.
            i64::MAX
        }
    };
    let numbers: Vec<i64> = connectors.iter().map(|one| one.no).collect();
    let cutoffs: Vec<i64> = connectors.iter().map(cutoff).collect();
    let depths = connection.rows(DEPTHS, &[&numbers, &cutoffs]).await?;
    let last = connection.rows(LAST_ARRIVED, &[&numbers]).await?;
    let mut healths = Vec::with_capacity(connectors.len());
    for ((one, depth), last) in connectors.into_iter().zip(depths).zip(last) {
        let health = health(&one);
        let depth = (depth.count(0)?, depth.maybe_time(1)?);
        healths.push(one.health(health, depth, last.maybe_time(0)?));
    }
    Ok(healths)
}
