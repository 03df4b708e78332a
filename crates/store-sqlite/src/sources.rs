//! What spaces set for sources.

use alert_connectors_model::{Secret, SpaceId};
use alert_connectors_store::{Sealing, SourceSettings, Sources, StoreError};
use async_trait::async_trait;
use rusqlite::{Connection, params};

use crate::{SqliteStore, error::Failure, row::rows, spaces};

const COLUMNS: &str = SourceSettings::COLUMNS;
// By primary key.
const OF_SPACE: &str = "FROM ingest_sources WHERE space_no = ?1 ORDER BY source";
const SET_MAPPING: &str =
    "INSERT INTO ingest_sources (space_no, source, mapping) VALUES (?1, ?2, ?3)
    ON CONFLICT (space_no, source) DO UPDATE SET mapping = excluded.mapping";
const SET_SECRET: &str = "INSERT INTO ingest_sources (space_no, source, secret) VALUES (?1, ?2, ?3)
    ON CONFLICT (space_no, source) DO UPDATE SET secret = excluded.secret";
// Walks the table, which has at most a row for each space and source.
const SEALED_OTHERWISE: &str = "SELECT i.source, i.mapping, i.secret, s.id, i.space_no
    FROM ingest_sources i JOIN spaces s ON s.no = i.space_no
    WHERE i.secret <> x'' AND substr(i.secret, 1, 8) <> ?1 LIMIT ?2";
// Walks the table. Only an inspection asks for all.
pub(crate) const EVERY_SECRET: &str = "SELECT i.source, i.mapping, i.secret, s.id, s.slug
    FROM ingest_sources i JOIN spaces s ON s.no = i.space_no WHERE i.secret <> x''";

#[async_trait]
impl Sources for SqliteStore {
    async fn set_mapping(
        &self,
        space_id: SpaceId,
        source: &str,
        mapping: Option<String>,
    ) -> Result<bool, StoreError> {
        let source = source.to_owned();
        self.audited(move |connection, _events| {
            let Some((space_no, _)) = spaces::number(connection, space_id)? else {
                return Ok(false);
            };
            connection.execute(SET_MAPPING, params![space_no, source, mapping])?;
            Ok(true)
        })
        .await
    }

    async fn set_source_secret(
        &self,
        space_id: SpaceId,
        source: &str,
        secret: Option<Secret>,
    ) -> Result<bool, StoreError> {
        let sealed = secret.map_or_else(Vec::new, |secret| {
            let sealing = &self.shared.sealing;
            sealing.seal_source_secret(&secret, space_id, source)
        });
        let source = source.to_owned();
        self.audited(move |connection, _events| {
            let Some((space_no, _)) = spaces::number(connection, space_id)? else {
                return Ok(false);
            };
            connection.execute(SET_SECRET, params![space_no, source, sealed])?;
            Ok(true)
        })
        .await
    }
}

pub(crate) fn of_space(
    connection: &Connection,
    sealing: &Sealing,
    space_no: i64,
    space_id: SpaceId,
) -> Result<Vec<SourceSettings>, Failure> {
    let sql = format!("SELECT {COLUMNS} {OF_SPACE}");
    rows(connection, &sql, [space_no], |row| {
        SourceSettings::of(row, sealing, space_id)
    })
}

/// Seals some secrets again that are not sealed under the first key of the key file; returns how many.
pub(crate) fn reseal(
    connection: &Connection,
    sealing: &Sealing,
    limit: i64,
) -> Result<usize, Failure> {
    let parameters = params![&sealing.first_key()[..], limit];
    let found = rows(connection, SEALED_OTHERWISE, parameters, |row| {
        let space_id = SpaceId::from_bytes(row.id(3)?);
        Ok((
            row.number(4)?,
            SourceSettings::of(row, sealing, space_id)?,
            space_id,
        ))
    })?;
    for (space_no, settings, space_id) in &found {
        let sealed = settings.sealed_again(sealing, *space_id)?;
        connection.execute(SET_SECRET, params![space_no, settings.source, sealed])?;
    }
    Ok(found.len())
}
