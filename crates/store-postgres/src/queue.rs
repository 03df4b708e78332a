//! The pending deliveries of destinations.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
};

use alert_connectors_model::{Connector, ConnectorId, Fingerprint, Space, SpaceId};
use alert_connectors_store::{
    Backlog, BatchQuery, DestinationState, DigestBatch, Expiry, HealthState, OpeningState,
    PendingDelivery, Queue, Recorded, Report, StoreError, StoreEvent,
    stored::{
        self, Columns as _, IDENTITY_VERSION, PENDING_COLUMNS, PENDING_WIDTH, SharedAlerts,
        TROUBLED, time,
    },
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    PostgresStore, connection::Connection, connectors, destination_health, digest_batch,
    history::LAST_ARRIVED, openings::openings, row::Row,
};

// By the primary key of pending, from connector to connector, then by primary key.
const PENDING: &str = "SELECT DISTINCT c.destination FROM owed_connectors() AS owed (no)
    JOIN connectors c ON c.no = owed.no AND c.deleted_at IS NULL";
// By primary key, and a walk over leases: whether any lapsed lately, which only happens where a replica died.
const NEXT: &str =
    "SELECT next_delivery, EXISTS (SELECT FROM leases WHERE until <= clock_timestamp()
    AND until > clock_timestamp() - interval '1 min') FROM numbering WHERE one = 1";
// By primary key.
const QUEUED: &str = "SELECT DISTINCT c.destination FROM deliveries d
    JOIN connectors c ON c.no = d.connector_no AND c.deleted_at IS NULL WHERE d.seq >= $1 AND d.seq < $2";
// By the primary key of pending, each connector no deeper than what is wanted, then by primary keys.
const DUE: &str = "p.queued_at, p.connector_no FROM (SELECT p.* FROM unnest($1::int8[]) AS wanted (no) CROSS JOIN LATERAL
        (SELECT connector_no, seq, queued_at FROM pending WHERE connector_no = wanted.no AND seq > $2 AND queued_at > $4
         ORDER BY seq LIMIT $3) p ORDER BY p.seq LIMIT $3) p
    JOIN deliveries d ON d.seq = p.seq JOIN alerts a ON a.seq = d.alert_seq ORDER BY d.seq";
// By the primary key of pending and by deliveries_by_connector, a few of each, then by the primary key of attempts.
const LAST_REQUEST: &str = "SELECT max(greatest(these.started_at, (SELECT max(t.started_at) FROM attempts t WHERE t.delivery_seq = these.seq)))
    FROM unnest($1::int8[]) AS wanted (no) CROSS JOIN LATERAL (
        (SELECT seq, NULL AS started_at FROM pending WHERE connector_no = wanted.no ORDER BY seq LIMIT 64)
        UNION ALL (SELECT seq, started_at FROM deliveries WHERE connector_no = wanted.no ORDER BY seq DESC LIMIT 64)
        UNION ALL (SELECT seq, started_at FROM deliveries WHERE connector_no = wanted.no
            AND seq < (SELECT min(seq) FROM pending WHERE connector_no = wanted.no) ORDER BY seq DESC LIMIT 64)) these";

/// Every this many polls, one looks for all pending deliveries. It walks over what was deleted from the queue and not
/// vacuumed yet.
const THOROUGH: u64 = 15;
/// If no more deliveries than this were accepted since the last poll, they are looked at one by one.
const FEW: i64 = 2_000;

#[async_trait]
impl Queue for PostgresStore {
    async fn version(&self) -> Result<i64, StoreError> {
        self.read(async |connection| {
            let row = connection.row(IDENTITY_VERSION, &[]).await?;
            row.map_or(Ok(0), |row| row.at(0))
        })
        .await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        if !self.shared.looks.is_alone.load(Ordering::Relaxed) {
            self.free_leases_of_dead().await;
        }
        self.read(async |connection| {
            let fingerprints = async |sql| {
                let rows = connection.rows(sql, &[]).await?;
                rows.iter()
                    .map(|row| row.fingerprint(0))
                    .collect::<Result<Vec<_>, _>>()
            };
            let looks = &self.shared.looks;
            // Read first: what others queue after it is found the next time.
            let look = connection.row(NEXT, &[]).await?;
            let (next, has_lapsed) = look.map_or(Ok((0, true)), |row| {
                Ok::<_, StoreError>((row.at(0)?, row.at(1)?))
            })?;
            let is_thorough = has_lapsed
                || looks
                    .count
                    .fetch_add(1, Ordering::Relaxed)
                    .is_multiple_of(THOROUGH);
            let troubled = fingerprints(TROUBLED).await?;
            if looks.is_alone.load(Ordering::Relaxed) && !is_thorough {
                return Ok(Backlog {
                    pending: Vec::new(),
                    troubled,
                    queued_elsewhere: false,
                });
            }
            let before = looks.next_delivery.swap(next, Ordering::Relaxed);
            let pending = if is_thorough || next - before > FEW {
                fingerprints(PENDING).await?
            } else {
                let rows = connection.rows(QUEUED, &[&before, &next]).await?;
                rows.iter()
                    .map(|row| row.fingerprint(0))
                    .collect::<Result<Vec<_>, _>>()?
            };
            Ok(Backlog {
                pending,
                troubled,
                queued_elsewhere: before != next,
            })
        })
        .await
    }

    async fn destination_state(
        &self,
        destination: Fingerprint,
        now: Timestamp,
    ) -> Result<DestinationState, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(async |connection| {
            let found = connectors::of_destination(connection, &sealing, destination).await?;
            let numbers: Vec<i64> = found.iter().map(|(no, _, _)| *no).collect();
            let last = connection.row(LAST_REQUEST, &[&numbers]).await?;
            let last: Option<i64> = last.map_or(Ok(None), |row| row.at(0))?;
            Ok(DestinationState {
                health: destination_health::read_at(connection, destination, now).await?,
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
        self.read(async |connection| {
            let found = connectors::of_destination(connection, &sealing, destination).await?;
            let repaired_at = destination_health::read(connection, destination)
                .await?
                .repaired_at;
            let cutoff = expiry.cutoff(repaired_at).as_millisecond();
            let owners: HashMap<i64, (Arc<Connector>, Arc<Space>)> = found
                .into_iter()
                .filter(|(_, connector, _)| connector.is_active)
                .map(|(no, connector, space)| (no, (Arc::new(connector), Arc::new(space))))
                .collect();
            pending_of(connection, &owners, after, at_most, cutoff, expiry).await
        })
        .await
    }

    async fn digest_batch(
        &self,
        destination: Fingerprint,
        query: BatchQuery,
    ) -> Result<Option<DigestBatch>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(async |connection| {
            let found = connectors::of_destination(connection, &sealing, destination).await?;
            let repaired_at = destination_health::read(connection, destination)
                .await?
                .repaired_at;
            digest_batch::read(connection, found, repaired_at, query).await
        })
        .await
    }

    async fn opening(&self, follow_up: i64, expiry: Expiry) -> Result<OpeningState, StoreError> {
        self.read(async |connection| {
            let openings = openings(connection, &[follow_up], expiry).await?;
            Ok(openings
                .get(&follow_up)
                .copied()
                .unwrap_or(OpeningState::Undelivered))
        })
        .await
    }

    async fn connectors_of(
        &self,
        destination: Fingerprint,
    ) -> Result<Vec<(Arc<Space>, Arc<Connector>)>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(async |connection| {
            let found = connectors::of_destination(connection, &sealing, destination).await?;
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
        self.read(async |connection| {
            let health = destination_health::read(connection, destination).await?;
            let found = connectors::of_destination(connection, &sealing, destination).await?;
            let numbers: Vec<i64> = found.iter().map(|(no, _, _)| *no).collect();
            let last = connection.rows(LAST_ARRIVED, &[&numbers]).await?;
            let state = |((_, connector, space), last): ((i64, Connector, Space), Row)| {
                let state = HealthState::of(connector.is_active, last.maybe_time(0)?, &health);
                Ok((space.id, connector.id, state))
            };
            found.into_iter().zip(last).map(state).collect()
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

async fn pending_of(
    connection: &Connection,
    owners: &HashMap<i64, (Arc<Connector>, Arc<Space>)>,
    after: i64,
    at_most: usize,
    cutoff: i64,
    expiry: Expiry,
) -> Result<Vec<PendingDelivery>, StoreError> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = owners.keys().copied().collect();
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let sql = format!("SELECT {PENDING_COLUMNS}, {DUE}");
    let rows = connection
        .rows(&sql, &[&numbers, &after, &limit, &cutoff])
        .await?;
    let mut alerts = SharedAlerts::default();
    let mut pending = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some((connector, space)) = owners.get(&row.at(PENDING_WIDTH + 1)?) {
            let (_, due) = stored::pending(row, connector, space, &mut alerts)?;
            pending.push(due);
        }
    }
    let follow_ups: Vec<i64> = pending
        .iter()
        .filter(|due| due.is_follow_up())
        .map(|due| due.seq)
        .collect();
    let openings = openings(connection, &follow_ups, expiry).await?;
    for due in &mut pending {
        if due.is_follow_up() {
            due.opening = openings
                .get(&due.seq)
                .copied()
                .unwrap_or(OpeningState::Undelivered);
        }
    }
    Ok(pending)
}

/// The destinations among some events.
pub(crate) fn destinations_of(events: &[StoreEvent]) -> BTreeSet<[u8; 16]> {
    let mut destinations = BTreeSet::new();
    for event in events {
        match event {
            StoreEvent::Changed(one)
            | StoreEvent::Repaired(one)
            | StoreEvent::ConnectorDetached(one, _, _) => {
                destinations.insert(one.0);
            }
            StoreEvent::Moved { from, to } => {
                destinations.extend([from.0, to.0]);
            }
            StoreEvent::Queued(_)
            | StoreEvent::QueuedElsewhere
            | StoreEvent::LeaseRequested(_)
            | StoreEvent::LeaseReleased(_)
            | StoreEvent::LeasesInDoubt
            | StoreEvent::BacklogGrew(_)
            | StoreEvent::Invalidated(_) => {}
        }
    }
    destinations
}
