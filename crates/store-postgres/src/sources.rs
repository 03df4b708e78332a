//! What spaces set for sources.

use alert_connectors_model::{Secret, SpaceId};
use alert_connectors_store::{Sealing, SourceSettings, Sources, StoreError, stored::Columns as _};
use async_trait::async_trait;

use crate::{
    PostgresStore,
    connection::{Change, Connection},
    spaces,
};

const COLUMNS: &str = SourceSettings::COLUMNS;
// By primary key.
const OF_SPACE: &str = "FROM ingest_sources WHERE space_no = $1 ORDER BY source";
const SET_MAPPING: &str =
    "INSERT INTO ingest_sources (space_no, source, mapping) VALUES ($1, $2, $3)
    ON CONFLICT (space_no, source) DO UPDATE SET mapping = excluded.mapping";
const SET_SECRET: &str = "INSERT INTO ingest_sources (space_no, source, secret) VALUES ($1, $2, $3)
    ON CONFLICT (space_no, source) DO UPDATE SET secret = excluded.secret";
// Walks the table, which has at most a row for each space and source.
const SEALED_OTHERWISE: &str = "SELECT i.source, i.mapping, i.secret, s.id, i.space_no
    FROM ingest_sources i JOIN spaces s ON s.no = i.space_no
    WHERE i.secret <> '' AND substr(i.secret, 1, 8) <> $1 LIMIT $2";
// Walks the table. Only an inspection asks for all.
pub(crate) const EVERY_SECRET: &str = "SELECT i.source, i.mapping, i.secret, s.id, s.slug
    FROM ingest_sources i JOIN spaces s ON s.no = i.space_no WHERE i.secret <> ''";

#[async_trait]
impl Sources for PostgresStore {
    async fn set_mapping(
        &self,
        space_id: SpaceId,
        source: &str,
        mapping: Option<String>,
    ) -> Result<bool, StoreError> {
        let change = self.change().await?;
        let Some((space_no, _)) = spaces::number(&change, space_id).await? else {
            return change.end(false).await;
        };
        change
            .run(SET_MAPPING, &[&space_no, &source, &mapping])
            .await?;
        self.end(change, Vec::new(), true).await
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
        let change = self.change().await?;
        let Some((space_no, _)) = spaces::number(&change, space_id).await? else {
            return change.end(false).await;
        };
        change
            .run(SET_SECRET, &[&space_no, &source, &sealed])
            .await?;
        self.end(change, Vec::new(), true).await
    }
}

pub(crate) async fn of_space(
    connection: &Connection,
    sealing: &Sealing,
    space_no: i64,
    space_id: SpaceId,
) -> Result<Vec<SourceSettings>, StoreError> {
    let sql = format!("SELECT {COLUMNS} {OF_SPACE}");
    let rows = connection.rows(&sql, &[&space_no]).await?;
    let read = |row| SourceSettings::of(row, sealing, space_id);
    rows.iter().map(|row| read(row)).collect()
}

/// Seals some secrets again that are not sealed under the first key of the key file; returns how many.
pub(crate) async fn reseal(
    change: &Change,
    sealing: &Sealing,
    limit: i64,
) -> Result<usize, StoreError> {
    let first_key = &sealing.first_key()[..];
    let rows = change.rows(SEALED_OTHERWISE, &[&first_key, &limit]).await?;
    for row in &rows {
        let (space_id, space_no) = (SpaceId::from_bytes(row.id(3)?), row.number(4)?);
        let settings = SourceSettings::of(row, sealing, space_id)?;
        let sealed = settings.sealed_again(sealing, space_id)?;
        change
            .run(SET_SECRET, &[&space_no, &settings.source, &sealed])
            .await?;
    }
    Ok(rows.len())
}
