//! Connectors with their sealed URLs, and the roster that alerts are matched with.

use std::sync::Arc;

use alert_connectors_model::{
    Connector, ConnectorChange, ConnectorId, Fingerprint, Slug, Space, SpaceId, WebhookUrl,
};
use alert_connectors_store::{
    Changed, ConnectorCreation, Connectors, Created, Edit, Roster, Sealing, StoreError, StoreEvent,
    stored::{
        self, Columns as _, SPACE_COLUMNS, StoredConnector, creator_json, severities_json,
        types_json,
    },
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    PostgresStore,
    alerts::uuid,
    connection::{Change, Connection},
    destination_health,
    row::Row,
    sources, spaces,
};

const COLUMNS: &str = StoredConnector::COLUMNS;
// By connectors_by_space.
const OF_SPACE: &str =
    "FROM connectors c WHERE c.space_no = $1 AND c.deleted_at IS NULL ORDER BY c.no";
// By connectors_by_destination, then by primary key. A connector whose space is being removed receives nothing any
// more.
const OF_DESTINATION: &str = "FROM connectors c JOIN spaces s ON s.no = c.space_no
    WHERE c.destination = $1 AND c.deleted_at IS NULL";
// By the unique index on id.
const ONE: &str = "FROM connectors c WHERE c.id = $1 AND c.space_no = $2 AND c.deleted_at IS NULL";
// By connectors_by_space.
const COUNT: &str = "SELECT count(*) FROM connectors WHERE space_no = $1 AND deleted_at IS NULL";
const INSERT: &str = "INSERT INTO connectors (id, space_no, name, connector_type, url_key_id, url_sealed, destination,
    is_active, severity_filter, alert_type_filter, creator, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)";
// By primary key.
const UPDATE: &str = "UPDATE connectors SET name = $2, connector_type = $3, url_key_id = $4, url_sealed = $5,
    destination = $6, is_active = $7, severity_filter = $8, alert_type_filter = $9, updated_at = $10,
    switched_at = CASE WHEN is_active = $7 THEN switched_at ELSE $10 END WHERE no = $1";
// By primary key.
const DELETE: &str =
    "UPDATE connectors SET deleted_at = $2, url_key_id = '', url_sealed = '' WHERE no = $1";
// Walks the connectors; none of the tables that grow with history.
const SEALED_OTHERWISE: &str = "FROM connectors c JOIN spaces s ON s.no = c.space_no
    WHERE c.deleted_at IS NULL AND c.url_key_id <> $1 ORDER BY c.no LIMIT $2";
// Walks the connectors. Only an inspection asks for all of them.
pub(crate) const EVERY: &str =
    "FROM connectors c JOIN spaces s ON s.no = c.space_no WHERE c.deleted_at IS NULL ORDER BY c.no";
// By primary key.
const RESEAL: &str = "UPDATE connectors SET url_key_id = $2, url_sealed = $3 WHERE no = $1";
const FINGERPRINT_KEY: &str = "SELECT value FROM meta WHERE name = 'fingerprint_key'";
const SET_FINGERPRINT_KEY: &str = "UPDATE meta SET value = $1 WHERE name = 'fingerprint_key'";

#[async_trait]
impl Connectors for PostgresStore {
    fn destination(&self, url: &WebhookUrl) -> Fingerprint {
        self.shared.sealing.fingerprint(url)
    }

    async fn roster(&self, slug: &Slug) -> Result<Option<Roster>, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        self.read(async |connection| {
            // The version first: connectors that change after it make the roster stale, not wrong.
            let Some((no, space, version)) = spaces::by_slug(connection, slug).await? else {
                return Ok(None);
            };
            let sql = format!("SELECT {COLUMNS} {OF_SPACE}");
            let read = |row: &Row| {
                Ok(Arc::new(
                    StoredConnector::of(row)?.read(&sealing, space.id)?.1,
                ))
            };
            let connectors = connection.rows(&sql, &[&no]).await?;
            let connectors = connectors
                .iter()
                .map(read)
                .collect::<Result<_, StoreError>>()?;
            let sources = sources::of_space(connection, &sealing, no, space.id).await?;
            Ok(Some(Roster {
                space: Arc::new(space),
                version,
                connectors,
                sources,
            }))
        })
        .await
    }

    async fn roster_version(&self, slug: &Slug) -> Result<Option<(SpaceId, i64)>, StoreError> {
        self.read(async |connection| {
            let found = spaces::by_slug(connection, slug).await?;
            Ok(found.map(|(_, space, version)| (space.id, version)))
        })
        .await
    }

    async fn create_connector(
        &self,
        space_id: SpaceId,
        creation: ConnectorCreation,
    ) -> Result<Created, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        let change = self.change().await?;
        let Some((space_no, _)) = spaces::number(&change, space_id).await? else {
            return change.end(Created::NoSpace).await;
        };
        let counted = change.row(COUNT, &[&space_no]).await?;
        let count: usize = counted.map_or(Ok(0), |row| row.count(0))?;
        if !creation.has_room(count) {
            return change.end(Created::TooMany).await;
        }
        let connector = creation.connector(space_id, &sealing);
        let sealed = sealing.seal(&connector);
        change
            .run(
                INSERT,
                &[
                    &uuid(connector.id.as_bytes()),
                    &space_no,
                    &connector.name,
                    &connector.connector_type.as_str(),
                    &&sealed.key_id[..],
                    &sealed.bytes,
                    &&connector.destination.0[..],
                    &connector.is_active,
                    &severities_json(&connector.severity_filter),
                    &types_json(&connector.alert_type_filter),
                    &creator_json(&connector.created_by),
                    &connector.created_at.as_millisecond(),
                ],
            )
            .await?;
        let mut events = Vec::new();
        let known = destination_health::read(change.connection(), connector.destination).await?;
        if Edit::creation_repairs(&known) {
            destination_health::repair(&change, connector.destination, connector.created_at)
                .await?;
            events.push(StoreEvent::Repaired(connector.destination));
        }
        self.end(change, events, Created::Made(Arc::new(connector)))
            .await
    }

    async fn change_connector(
        &self,
        space_id: SpaceId,
        space_version: i64,
        id: ConnectorId,
        wanted: ConnectorChange,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        if Edit::cancels_before(&wanted) {
            self.cancel_rest(id).await?;
        }
        let change = self.change().await?;
        let Some((space_no, version)) = spaces::number(&change, space_id).await? else {
            return change.end(Changed::Absent).await;
        };
        if version != space_version {
            return change.end(Changed::Stale).await;
        }
        let Some((no, current)) = one(&change, &sealing, space_no, space_id, id).await? else {
            return change.end(Changed::Absent).await;
        };
        let edit = Edit::of(&current, &wanted, &sealing, now);
        if edit.is_change {
            update(&change, &sealing, no, &edit.changed).await?;
        }
        if edit.repairs {
            destination_health::repair(&change, edit.changed.destination, now).await?;
        }
        let space = if edit.leaves {
            spaces::by_no(change.connection(), space_no).await?
        } else {
            None
        };
        let (events, changed) = (edit.events(space), Arc::new(edit.changed));
        let changed = self.end(change, events, Changed::Now(changed)).await?;
        if matches!(&changed, Changed::Now(connector) if Edit::cancels_after(connector)) {
            self.cancel_rest(id).await?;
        }
        Ok(changed)
    }

    async fn delete_connector(
        &self,
        space_id: SpaceId,
        id: ConnectorId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        let change = self.change().await?;
        let Some((space_no, _)) = spaces::number(&change, space_id).await? else {
            return change.end(false).await;
        };
        let Some((no, current)) = one(&change, &sealing, space_no, space_id, id).await? else {
            return change.end(false).await;
        };
        change.run(DELETE, &[&no, &now.as_millisecond()]).await?;
        let space = spaces::by_no(change.connection(), space_no).await?;
        let events = Edit::deletion(current, space);
        self.end(change, events, true).await?;
        self.cancel_rest(id).await?;
        Ok(true)
    }
}

/// Seals some URLs again that are not sealed under the first key of the key file; returns how many.
pub(crate) async fn reseal(
    change: &Change,
    sealing: &Sealing,
    at_most: usize,
) -> Result<usize, StoreError> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let sql = format!("SELECT {COLUMNS}, s.id {SEALED_OTHERWISE}");
    let rows = change
        .rows(&sql, &[&&sealing.first_key()[..], &limit])
        .await?;
    for row in &rows {
        let space_id = SpaceId::from_bytes(row.id(13)?);
        let (no, connector) = StoredConnector::of(row)?.read_whole(sealing, space_id)?;
        let sealed = sealing.seal(&connector);
        change
            .run(RESEAL, &[&no, &&sealed.key_id[..], &sealed.bytes])
            .await?;
    }
    if !rows.is_empty() {
        return Ok(rows.len());
    }
    let secrets = sources::reseal(change, sealing, limit).await?;
    if secrets > 0 {
        return Ok(secrets);
    }
    let sealed: Vec<u8> = match change.row(FINGERPRINT_KEY, &[]).await? {
        Some(row) => row.at(0)?,
        None => return Ok(0),
    };
    if sealed.starts_with(&sealing.first_key()) {
        return Ok(0);
    }
    let sealed = sealing.sealed_fingerprint_key();
    change.run(SET_FINGERPRINT_KEY, &[&sealed]).await?;
    Ok(1)
}

async fn update(
    change: &Change,
    sealing: &Sealing,
    no: i64,
    changed: &Connector,
) -> Result<(), StoreError> {
    let sealed = sealing.seal(changed);
    change
        .run(
            UPDATE,
            &[
                &no,
                &changed.name,
                &changed.connector_type.as_str(),
                &&sealed.key_id[..],
                &sealed.bytes,
                &&changed.destination.0[..],
                &changed.is_active,
                &severities_json(&changed.severity_filter),
                &types_json(&changed.alert_type_filter),
                &changed.updated_at.as_millisecond(),
            ],
        )
        .await
        .map(drop)
}

/// The connectors that point at a destination, with their numbers and spaces.
pub(crate) async fn of_destination(
    connection: &Connection,
    sealing: &Sealing,
    destination: Fingerprint,
) -> Result<Vec<(i64, Connector, Space)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, {SPACE_COLUMNS} {OF_DESTINATION}");
    let rows = connection.rows(&sql, &[&&destination.0[..]]).await?;
    let read = |row: &Row| {
        let (_, space, _) = stored::space(row, 13)?;
        let (no, connector) = StoredConnector::of(row)?.read(sealing, space.id)?;
        Ok((no, connector, space))
    };
    rows.iter().map(read).collect()
}

async fn one(
    change: &Change,
    sealing: &Sealing,
    space_no: i64,
    space_id: SpaceId,
    id: ConnectorId,
) -> Result<Option<(i64, Connector)>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {ONE}");
    let found = change.row(&sql, &[&uuid(id.as_bytes()), &space_no]).await?;
    found
        .map(|row| StoredConnector::of(&row)?.read(sealing, space_id))
        .transpose()
}
