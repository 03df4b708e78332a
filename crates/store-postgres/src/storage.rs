//! How much spaces store, and removing the oldest history of a space that stores too much.

use alert_connectors_model::{Space, SpaceId};
use alert_connectors_store::{
    ALERTS_A_STEP, SpaceStorage, Storage, StoreError,
    storage::size,
    stored::{self, Columns, SPACE_COLUMNS},
};
use async_trait::async_trait;

use crate::{
    PostgresStore,
    alerts::space_no,
    connection::{Change, Connection},
    stored_bytes,
    upkeep::{TIDY_LOCK, remove, some},
};

// By primary key.
const ONE: &str = "SELECT bytes, is_full FROM stored_bytes WHERE space_no = $1";
// By primary keys.
const ALL: &str = "FROM stored_bytes b JOIN spaces s ON s.no = b.space_no";
// By primary key.
const SET_FULL: &str = "UPDATE stored_bytes SET is_full = $2 WHERE space_no = $1";
// By alerts_by_severity, severity by severity, which the order demands; by deliveries_by_alert. Alerts from before they were measured
// stay: without them the space is no smaller.
const OLDEST: &str = "SELECT a.seq, a.bytes, a.bytes <= 0 OR (a.status = 0 AND a.dedup_key IS NOT NULL) OR EXISTS
        (SELECT FROM deliveries d WHERE d.alert_seq = a.seq AND d.state = 0)
    FROM unnest('{0,1,2,3}'::int2[]) AS one (severity) CROSS JOIN LATERAL
        (SELECT seq, bytes, status, dedup_key FROM alerts WHERE space_no = $1 AND severity = one.severity AND seq > $2
            AND seq <= (SELECT measured FROM counting WHERE one = 1) ORDER BY space_no, severity, seq LIMIT $3) a
    ORDER BY a.seq LIMIT $3";

#[async_trait]
impl SpaceStorage for PostgresStore {
    async fn storage(&self, space_id: SpaceId) -> Result<Storage, StoreError> {
        self.read(
            async |connection| match space_no(connection, space_id).await? {
                Some(space_no) => storage(connection, space_no).await,
                None => Ok(Storage::default()),
            },
        )
        .await
    }

    async fn storages(&self) -> Result<Vec<(Space, Storage)>, StoreError> {
        let sql = format!("SELECT b.bytes, b.is_full, {SPACE_COLUMNS} {ALL}");
        self.read(async |connection| {
            let rows = connection.rows(&sql, &[]).await?;
            let mut storages = Vec::with_capacity(rows.len());
            for row in &rows {
                let (_no, space, _version) = stored::space(row, 2)?;
                storages.push((space, read(row)?));
            }
            Ok(storages)
        })
        .await
    }

    async fn make_room(
        &self,
        space_id: SpaceId,
        bytes_max: u64,
        after: i64,
    ) -> Result<Option<i64>, StoreError> {
        let step = self.step().await?;
        let mine = step.row(TIDY_LOCK, &[]).await?;
        if !mine.map_or(Ok(false), |row| row.at(0))? {
            // Another replica tidies now.
            return step.nothing(Some(after)).await;
        }
        stored_bytes::hold(&step).await?;
        let Some(space_no) = space_no(step.connection(), space_id).await? else {
            return step.nothing(None).await;
        };
        let next = make_room(&step, space_no, bytes_max, after).await?;
        step.commit().await?;
        Ok(next)
    }
}

fn read(row: &dyn Columns) -> Result<Storage, StoreError> {
    Ok(Storage {
        bytes: row.count(0)?,
        is_full: row.flag(1)?,
    })
}

async fn storage(connection: &Connection, space_no: i64) -> Result<Storage, StoreError> {
    let row = connection.row(ONE, &[&space_no]).await?;
    row.map_or_else(|| Ok(Storage::default()), |row| read(&row))
}

async fn make_room(
    step: &Change,
    space_no: i64,
    bytes_max: u64,
    after: i64,
) -> Result<Option<i64>, StoreError> {
    let stored = storage(step.connection(), space_no).await?.bytes;
    let mut excess = size(stored.saturating_sub(bytes_max));
    if excess == 0 {
        step.run(SET_FULL, &[&space_no, &false]).await?;
        return Ok(None);
    }
    let at_most = some(ALERTS_A_STEP);
    let rows = step.rows(OLDEST, &[&space_no, &after, &at_most]).await?;
    let (mut after, mut gone) = (after, Vec::new());
    for row in &rows {
        if excess <= 0 {
            break;
        }
        after = row.at(0)?;
        let stays: bool = row.at(2)?;
        if !stays {
            gone.push(after);
            excess -= row.at::<i64>(1)?;
        }
    }
    remove(step, &gone).await?;
    if excess > 0 && rows.len() < ALERTS_A_STEP {
        step.run(SET_FULL, &[&space_no, &true]).await?;
        return Ok(None);
    }
    Ok(Some(after))
}
