//! How much spaces store, and removing the oldest history of a space that stores too much.

use alert_connectors_model::{Space, SpaceId};
use alert_connectors_store::{
    ALERTS_A_STEP, SpaceStorage, Storage, StoreError,
    stored::{self, Columns, SPACE_COLUMNS},
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    SqliteStore,
    alerts::{REMOVE, space_no},
    error::Failure,
    row::{row, rows},
    spaces::{REMOVE_SEVERITY_ZONE, REMOVE_TYPE_ZONE},
    upkeep::{step, waits},
    zones::{ZONE, next_of_space},
};

// By primary key.
const ONE: &str = "SELECT bytes, is_full FROM stored_bytes WHERE space_no = ?1";
// By primary keys.
const ALL: &str = "FROM stored_bytes b JOIN spaces s ON s.no = b.space_no";
// By primary key.
const SET_FULL: &str = "UPDATE stored_bytes SET is_full = ?2 WHERE space_no = ?1";
// By primary key, one zone. Alerts from before they were measured stay: without them the space is no smaller.
const OLDEST: &str = "SELECT seq, bytes <= 0 OR (status = 0 AND dedup_key IS NOT NULL) FROM alerts
    WHERE seq BETWEEN ?2 AND ?3 AND space_no = ?1 AND seq <= (SELECT measured FROM counting WHERE one = 1)
    ORDER BY seq LIMIT ?4";
// By primary key, one zone: whether nothing of the space is left in it, and no alert can be added to it.
const IS_EMPTY: &str =
    "SELECT NOT EXISTS (SELECT 1 FROM alerts WHERE seq BETWEEN ?2 AND ?3 AND space_no = ?1)
    AND ?3 < (SELECT coalesce(max(seq), 0) FROM alerts)";

/// One step walks over at most this many zones.
const ZONES_A_STEP: usize = 64;

#[async_trait]
impl SpaceStorage for SqliteStore {
    async fn storage(&self, space_id: SpaceId) -> Result<Storage, StoreError> {
        self.read(move |connection| {
            let Some(space_no) = space_no(connection, space_id)? else {
                return Ok(Storage::default());
            };
            storage(connection, space_no)
        })
        .await
    }

    async fn storages(&self) -> Result<Vec<(Space, Storage)>, StoreError> {
        let sql = format!("SELECT b.bytes, b.is_full, {SPACE_COLUMNS} {ALL}");
        self.read(move |connection| {
            rows(connection, &sql, [], |row| {
                let (_no, space, _version) = stored::space(row, 2)?;
                Ok((space, read(row)?))
            })
        })
        .await
    }

    async fn make_room(
        &self,
        space_id: SpaceId,
        bytes_max: u64,
        after: i64,
    ) -> Result<Option<i64>, StoreError> {
        self.change(move |connection, _events| {
            let Some(space_no) = space_no(connection, space_id)? else {
                return Ok(None);
            };
            let space = FullSpace {
                connection,
                space_no,
                bytes_max,
            };
            space.make_room(after)
        })
        .await
    }
}

fn read(row: &dyn Columns) -> Result<Storage, StoreError> {
    Ok(Storage {
        bytes: row.count(0)?,
        is_full: row.flag(1)?,
    })
}

fn storage(connection: &Connection, space_no: i64) -> Result<Storage, Failure> {
    Ok(row(connection, ONE, [space_no], read)?.unwrap_or_default())
}

/// A space that may store too much.
struct FullSpace<'c> {
    connection: &'c Connection,
    space_no: i64,
    bytes_max: u64,
}

impl FullSpace<'_> {
    /// Walks zone by zone until something was looked at, and returns where to go on.
    fn make_room(&self, after: i64) -> Result<Option<i64>, Failure> {
        let mut after = after;
        for _ in 0..ZONES_A_STEP {
            if !self.is_over()? {
                self.set_full(false)?;
                return Ok(None);
            }
            let Some(zone) = next_of_space(self.connection, self.space_no, (after + 1) / ZONE)?
            else {
                self.set_full(true)?;
                return Ok(None);
            };
            let (first, last) = (zone * ZONE, zone * ZONE + ZONE - 1);
            let (looked_at, go_on_after) = self.remove_oldest(first.max(after + 1), last)?;
            self.forget_if_empty(zone, first, last)?;
            after = go_on_after;
            if looked_at > 0 {
                return Ok(Some(after));
            }
        }
        Ok(Some(after))
    }

    fn is_over(&self) -> Result<bool, Failure> {
        Ok(storage(self.connection, self.space_no)?.bytes > self.bytes_max)
    }

    fn set_full(&self, is_full: bool) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(SET_FULL)?
            .execute(params![self.space_no, is_full])
            .map(drop)
    }

    /// Removes the oldest alerts between two places, until the space is within its limit. Returns how many were looked at, and the
    /// place to go on after.
    fn remove_oldest(&self, first: i64, last: i64) -> Result<(usize, i64), Failure> {
        let at_most = step(ALERTS_A_STEP);
        let found = rows(
            self.connection,
            OLDEST,
            [self.space_no, first, last, at_most],
            |row| Ok((row.number(0)?, row.flag(1)?)),
        )?;
        for (seq, stays) in &found {
            if *stays || waits(self.connection, *seq)? {
                continue;
            }
            for sql in REMOVE {
                self.connection.prepare_cached(sql)?.execute([seq])?;
            }
            if !self.is_over()? {
                return Ok((found.len(), *seq));
            }
        }
        let is_whole = found.len() < ALERTS_A_STEP;
        let seen = found.last().filter(|_| !is_whole);
        Ok((found.len(), seen.map_or(last, |(seq, _)| *seq)))
    }

    /// A zone in which nothing of the space is left is not walked again.
    fn forget_if_empty(&self, zone: i64, first: i64, last: i64) -> rusqlite::Result<()> {
        let is_empty: Option<bool> = self
            .connection
            .prepare_cached(IS_EMPTY)?
            .query_row([self.space_no, first, last], |row| row.get(0))
            .optional()?;
        if is_empty == Some(true) {
            for sql in [REMOVE_SEVERITY_ZONE, REMOVE_TYPE_ZONE] {
                self.connection
                    .prepare_cached(sql)?
                    .execute([self.space_no, zone])?;
            }
        }
        Ok(())
    }
}
