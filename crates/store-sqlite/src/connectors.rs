//! Connectors with their sealed URLs, and the roster that alerts are matched with.

use std::sync::Arc;

use alert_connectors_model::{
    Connector, ConnectorChange, ConnectorId, Fingerprint, Slug, Space, SpaceId, WebhookUrl,
};
use alert_connectors_store::{
    Changed, ConnectorCreation, Connectors, Created, Edit, Roster, Sealing, StoreError, StoreEvent,
    stored::{self, SPACE_COLUMNS, StoredConnector, creator_json, severities_json, types_json},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    SqliteStore, destination_health,
    error::Failure,
    fingerprint_key,
    row::{row, rows},
    sources, spaces,
};

const COLUMNS: &str = StoredConnector::COLUMNS;
// By connectors_by_space.
const OF_SPACE: &str = "FROM connectors c WHERE space_no = ?1 AND deleted_at IS NULL ORDER BY no";
// By connectors_by_destination, then by primary key. A connector whose space is being removed receives nothing any more.
const OF_DESTINATION: &str = "FROM connectors c JOIN spaces s ON s.no = c.space_no
    WHERE destination = ?1 AND deleted_at IS NULL";
// By the unique index on id.
const ONE: &str = "FROM connectors c WHERE id = ?1 AND space_no = ?2 AND deleted_at IS NULL";
// By connectors_by_space.
const COUNT: &str = "SELECT count(*) FROM connectors WHERE space_no = ?1 AND deleted_at IS NULL";
const INSERT: &str = "INSERT INTO connectors (id, space_no, name, connector_type, url_key_id, url_sealed, destination,
    is_active, severity_filter, alert_type_filter, creator, created_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)";
// By primary key.
const UPDATE: &str = "UPDATE connectors SET name = ?2, connector_type = ?3, url_key_id = ?4, url_sealed = ?5,
    destination = ?6, is_active = ?7, severity_filter = ?8, alert_type_filter = ?9, updated_at = ?10,
    switched_at = CASE WHEN is_active = ?7 THEN switched_at ELSE ?10 END WHERE no = ?1";
// By primary key.
const DELETE: &str =
    "UPDATE connectors SET deleted_at = ?2, url_key_id = x'', url_sealed = x'' WHERE no = ?1";
// By the unique index on id.
const NUMBER: &str = "SELECT no FROM connectors WHERE id = ?1";
// Walks the connectors; none of the tables that grow with history.
const SEALED_OTHERWISE: &str = "FROM connectors c JOIN spaces s ON s.no = c.space_no
    WHERE deleted_at IS NULL AND url_key_id <> ?1 ORDER BY c.no LIMIT ?2";
// Walks the connectors. Only an inspection asks for all of them.
pub(crate) const EVERY: &str =
    "FROM connectors c JOIN spaces s ON s.no = c.space_no WHERE deleted_at IS NULL ORDER BY c.no";
// By primary key.
const RESEAL: &str = "UPDATE connectors SET url_key_id = ?2, url_sealed = ?3 WHERE no = ?1";

#[async_trait]
impl Connectors for SqliteStore {
    fn destination(&self, url: &WebhookUrl) -> Fingerprint {
        self.shared.sealing.fingerprint(url)
    }

    async fn roster(&self, slug: &Slug) -> Result<Option<Roster>, StoreError> {
        let (sealing, wanted) = (Arc::clone(&self.shared.sealing), slug.clone());
        self.read(move |connection| {
            let Some((no, space, version)) = spaces::by_slug(connection, &wanted)? else {
                return Ok(None);
            };
            let connectors = of_space(connection, &sealing, no, space.id)?;
            let sources = sources::of_space(connection, &sealing, no, space.id)?;
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
        let wanted = slug.clone();
        self.read(move |connection| {
            let found = spaces::by_slug(connection, &wanted)?;
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
        self.audited(move |connection, events| {
            let Some((space_no, _)) = spaces::number(connection, space_id)? else {
                return Ok(Created::NoSpace);
            };
            let count: usize = connection.query_row(COUNT, [space_no], |row| row.get(0))?;
            if !creation.has_room(count) {
                return Ok(Created::TooMany);
            }
            let connector = creation.connector(space_id, &sealing);
            let sealed = sealing.seal(&connector);
            connection.execute(
                INSERT,
                params![
                    &connector.id.as_bytes()[..],
                    space_no,
                    connector.name,
                    connector.connector_type.as_str(),
                    &sealed.key_id[..],
                    sealed.bytes,
                    &connector.destination.0[..],
                    connector.is_active,
                    severities_json(&connector.severity_filter),
                    types_json(&connector.alert_type_filter),
                    creator_json(&connector.created_by),
                    connector.created_at.as_millisecond(),
                ],
            )?;
            let known = destination_health::read(connection, connector.destination)?;
            if Edit::creation_repairs(&known) {
                destination_health::repair(
                    connection,
                    connector.destination,
                    connector.created_at,
                )?;
                events.push(StoreEvent::Repaired(connector.destination));
            }
            Ok(Created::Made(Arc::new(connector)))
        })
        .await
    }

    async fn change_connector(
        &self,
        space_id: SpaceId,
        space_version: i64,
        id: ConnectorId,
        change: ConnectorChange,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        if Edit::cancels_before(&change) {
            self.cancel_rest(id).await?;
        }
        let changed = self
            .audited(move |connection, events| {
                let Some((space_no, version)) = spaces::number(connection, space_id)? else {
                    return Ok(Changed::Absent);
                };
                if version != space_version {
                    return Ok(Changed::Stale);
                }
                let Some((no, current)) = one(connection, &sealing, space_no, space_id, id)? else {
                    return Ok(Changed::Absent);
                };
                let edit = Edit::of(&current, &change, &sealing, now);
                if edit.is_change {
                    update(connection, &sealing, no, &edit.changed)?;
                }
                if edit.repairs {
                    destination_health::repair(connection, edit.changed.destination, now)?;
                }
                let space = if edit.leaves {
                    spaces::by_no(connection, space_no)?
                } else {
                    None
                };
                events.extend(edit.events(space));
                Ok(Changed::Now(Arc::new(edit.changed)))
            })
            .await?;
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
        let deleted = self
            .audited(move |connection, events| {
                let Some((space_no, _)) = spaces::number(connection, space_id)? else {
                    return Ok(false);
                };
                let Some((no, current)) = one(connection, &sealing, space_no, space_id, id)? else {
                    return Ok(false);
                };
                connection.execute(DELETE, params![no, now.as_millisecond()])?;
                events.extend(Edit::deletion(
                    current,
                    spaces::by_no(connection, space_no)?,
                ));
                Ok(true)
            })
            .await?;
        if deleted {
            self.cancel_rest(id).await?;
        }
        Ok(deleted)
    }
}

/// The number of a connector.
pub(crate) fn number(connection: &Connection, id: ConnectorId) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row(NUMBER, [&id.as_bytes()[..]], |row| row.get(0))
        .optional()
}

/// Seals some URLs again that are not sealed under the first key of the key file; returns how many.
pub(crate) fn reseal(
    connection: &Connection,
    sealing: &Sealing,
    at_most: usize,
) -> Result<usize, Failure> {
    let limit = i64::try_from(at_most).unwrap_or(i64::MAX);
    let sql = format!("SELECT {COLUMNS}, s.id {SEALED_OTHERWISE}");
    let parameters = params![&sealing.first_key()[..], limit];
    let resealed = rows(connection, &sql, parameters, |row| {
        let space_id = SpaceId::from_bytes(row.id(13)?);
        let (no, connector) = StoredConnector::of(row)?.read_whole(sealing, space_id)?;
        Ok((no, sealing.seal(&connector)))
    })?;
    let mut statement = connection.prepare_cached(RESEAL)?;
    for (no, sealed) in &resealed {
        statement.execute(params![no, &sealed.key_id[..], sealed.bytes])?;
    }
    if !resealed.is_empty() {
        return Ok(resealed.len());
    }
    match sources::reseal(connection, sealing, limit)? {
        0 => fingerprint_key::reseal(connection, sealing).map_err(Failure::from),
        secrets => Ok(secrets),
    }
}

fn update(
    connection: &Connection,
    sealing: &Sealing,
    no: i64,
    changed: &Connector,
) -> rusqlite::Result<()> {
    let sealed = sealing.seal(changed);
    let parameters = params![
        no,
        changed.name,
        changed.connector_type.as_str(),
        &sealed.key_id[..],
        sealed.bytes,
        &changed.destination.0[..],
        changed.is_active,
        severities_json(&changed.severity_filter),
        types_json(&changed.alert_type_filter),
        changed.updated_at.as_millisecond(),
    ];
    connection.execute(UPDATE, parameters).map(drop)
}

/// The connectors of a space, oldest first.
fn of_space(
    connection: &Connection,
    sealing: &Sealing,
    space_no: i64,
    space_id: SpaceId,
) -> Result<Vec<Arc<Connector>>, Failure> {
    let sql = format!("SELECT {COLUMNS} {OF_SPACE}");
    rows(connection, &sql, [space_no], |row| {
        let (_, connector) = StoredConnector::of(row)?.read(sealing, space_id)?;
        Ok(Arc::new(connector))
    })
}

/// The connectors that point at a destination, with their numbers and spaces.
pub(crate) fn of_destination(
    connection: &Connection,
    sealing: &Sealing,
    destination: Fingerprint,
) -> Result<Vec<(i64, Connector, Space)>, Failure> {
    let sql = format!("SELECT {COLUMNS}, {SPACE_COLUMNS} {OF_DESTINATION}");
    rows(connection, &sql, [&destination.0[..]], |row| {
        let (_, space, _) = stored::space(row, 13)?;
        let (no, connector) = StoredConnector::of(row)?.read(sealing, space.id)?;
        Ok((no, connector, space))
    })
}

fn one(
    connection: &Connection,
    sealing: &Sealing,
    space_no: i64,
    space_id: SpaceId,
    id: ConnectorId,
) -> Result<Option<(i64, Connector)>, Failure> {
    let sql = format!("SELECT {COLUMNS} {ONE}");
    let parameters = params![&id.as_bytes()[..], space_no];
    row(connection, &sql, parameters, |row| {
        StoredConnector::of(row)?.read(sealing, space_id)
    })
}
