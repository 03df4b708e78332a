//! Removes old history, writes down what has ended, and seals URLs again, in steps that no request waits for.

use alert_connectors_model::{ConnectorId, EndReason};
use alert_connectors_store::{
    ALERTS_A_STEP, Census, ENDS_A_STEP, Expiry, Inspection, Progress, StoreError, Tidied, Tidying,
    Upkeep, stored::BLOCKED,
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    SqliteStore, alerts::REMOVE, audit, connectors, counts, error::Failure, inspection,
    queue::next_with_pending, row::row, stored_bytes, zones,
};

// By deliveries_pending.
const OLDEST_WAITING: &str = "SELECT coalesce(requeued_at, created_at) FROM deliveries
    WHERE connector_no = ?1 AND state = 0 ORDER BY seq LIMIT 1";
// By primary key.
const ENDS_WITH: &str = "SELECT CASE WHEN deleted_at IS NULL THEN 1 ELSE 2 END,
    coalesce(deleted_at, switched_at, updated_at) FROM connectors
    WHERE no = ?1 AND (NOT is_active OR deleted_at IS NOT NULL)";
// By deliveries_pending.
const CANCEL: &str = "UPDATE deliveries SET state = 5, reason = ?2, ended_at = ?3, next_attempt_at = NULL
    WHERE seq IN (SELECT seq FROM deliveries WHERE connector_no = ?1 AND state = 0 ORDER BY seq LIMIT ?4)";
// By deliveries_pending; 4 is `expired` as a state, and `time_up` as a reason.
const EXPIRE: &str = "UPDATE deliveries SET state = 4, reason = 4, next_attempt_at = NULL,
    ended_at = coalesce(requeued_at, created_at) + ?3 WHERE seq IN (SELECT seq FROM deliveries
    WHERE connector_no = ?1 AND state = 0 AND coalesce(requeued_at, created_at) <= ?2 ORDER BY seq LIMIT ?4)";
// By primary key.
const OLDEST: &str = "SELECT seq, received_at, status = 0 AND dedup_key IS NOT NULL FROM alerts
    WHERE seq > ?1 ORDER BY seq LIMIT ?2";
// By primary key.
const OLDEST_ALERT: &str = "SELECT coalesce(min(seq), 0) FROM alerts";
// By primary key.
const OLDEST_DELIVERY: &str = "SELECT coalesce(min(seq), 0) FROM deliveries";
// All of a small table.
const STORED: &str = "SELECT coalesce(sum(bytes), 0), coalesce(sum(is_full), 0) FROM stored_bytes";
// By deliveries_by_alert.
const WAITS: &str = "SELECT 1 FROM deliveries WHERE alert_seq = ?1 AND state = 0";
// The partial index alone.
const PENDING: &str =
    "SELECT count(*) FROM deliveries INDEXED BY deliveries_pending WHERE state = 0";
// By the same index, then by primary key.
const OLDEST_PENDING: &str = "SELECT coalesce(requeued_at, created_at) FROM deliveries WHERE seq =
    (SELECT min(seq) FROM deliveries INDEXED BY deliveries_pending WHERE state = 0)";

/// One step looks at no more connectors with pending deliveries than this.
const CONNECTORS_A_STEP: usize = 500;
/// One round removes at most this many zones of each kind.
const ZONES_A_ROUND: usize = 1_000;

#[async_trait]
impl Upkeep for SqliteStore {
    async fn tidy(&self, rules: Tidying, progress: Progress) -> Result<Tidied, StoreError> {
        self.change(move |connection, _events| match progress {
            Progress::Counts => {
                let is_more =
                    counts::step(connection, rules.now)? | stored_bytes::measure(connection)?;
                Ok(Tidied::More(if is_more {
                    Progress::Counts
                } else {
                    Progress::Audit
                }))
            }
            Progress::Audit => Ok(Tidied::More(
                if audit::remove_old(connection, rules.audit_begins())? {
                    Progress::Audit
                } else {
                    Progress::Ends(0)
                },
            )),
            Progress::Ends(after) => Ok(write_ends(connection, rules.expired_until(), after)?),
            Progress::History(after) => remove_old(connection, rules.history_begins(), after),
        })
        .await
    }

    async fn reseal(&self, at_most: usize) -> Result<usize, StoreError> {
        let sealing = std::sync::Arc::clone(&self.shared.sealing);
        self.change(move |connection, _events| connectors::reseal(connection, &sealing, at_most))
            .await
    }

    async fn inspect(&self) -> Result<Inspection, StoreError> {
        let sealing = std::sync::Arc::clone(&self.shared.sealing);
        let log_loss = self.shared.log_loss.clone();
        self.read(move |connection| inspection::inspect(connection, &sealing, log_loss.as_deref()))
            .await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.read(|connection| {
            let count = |sql| {
                connection
                    .query_row(sql, [], |row| row.get(0))
                    .map_err(Failure::from)
            };
            let stored = row(connection, STORED, [], |row| {
                Ok((row.count(0)?, row.count(1)?))
            })?;
            let (stored_bytes, full_spaces) = stored.unwrap_or_default();
            Ok(Census {
                stored_bytes,
                full_spaces,
                pending: count(PENDING)?,
                blocked: count(BLOCKED)?,
                oldest_pending_at: row(connection, OLDEST_PENDING, [], |row| row.time(0))?,
            })
        })
        .await
    }
}

impl SqliteStore {
    /// Writes down that all pending deliveries of a connector are cancelled, if it is off or deleted.
    pub(crate) async fn cancel_rest(&self, id: ConnectorId) -> Result<(), StoreError> {
        loop {
            let cancelled = self
                .change(move |connection, _events| {
                    let no = connectors::number(connection, id)?;
                    Ok(no.map_or(Ok(0), |no| cancel(connection, no))?)
                })
                .await?;
            if cancelled < ENDS_A_STEP {
                return Ok(());
            }
        }
    }
}

/// Writes down ends that were only computed, from connector to connector, as far as one step goes.
fn write_ends(connection: &Connection, expired_until: i64, after: i64) -> rusqlite::Result<Tidied> {
    let mut after = after;
    for _ in 0..CONNECTORS_A_STEP {
        let Some(no) = next_with_pending(connection, after)? else {
            return Ok(Tidied::More(Progress::History(0)));
        };
        if cancel(connection, no)? > 0 || expire(connection, no, expired_until)? > 0 {
            // There may be more of it.
            return Ok(Tidied::More(Progress::Ends(after)));
        }
        after = no;
    }
    Ok(Tidied::More(Progress::Ends(after)))
}

/// Writes down that some of a connector's deliveries have expired, which no repair can bring back.
fn expire(connection: &Connection, no: i64, until: i64) -> rusqlite::Result<usize> {
    let oldest: Option<i64> = connection
        .prepare_cached(OLDEST_WAITING)?
        .query_row([no], |row| row.get(0))
        .optional()?;
    if oldest.is_none_or(|oldest| oldest > until) {
        return Ok(0);
    }
    connection.prepare_cached(EXPIRE)?.execute(params![
        no,
        until,
        Expiry::LONGEST_MS,
        step(ENDS_A_STEP)
    ])
}

/// Cancels some pending deliveries of a connector that is off or deleted.
fn cancel(connection: &Connection, no: i64) -> rusqlite::Result<usize> {
    let ends_with: Option<(u8, i64)> = connection
        .prepare_cached(ENDS_WITH)?
        .query_row([no], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((reason, at)) = ends_with else {
        return Ok(0);
    };
    debug_assert!(
        EndReason::from_code(reason).is_some(),
        "1 and 2 are reasons"
    );
    connection
        .prepare_cached(CANCEL)?
        .execute(params![no, reason, at, step(ENDS_A_STEP)])
}

fn remove_old(connection: &Connection, before: i64, after: i64) -> Result<Tidied, Failure> {
    let mut statement = connection.prepare_cached(OLDEST)?;
    let looked_at: Vec<(i64, i64, bool)> = statement
        .query_map(params![after, step(ALERTS_A_STEP)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut after = after;
    for (seq, received_at, is_problem) in &looked_at {
        if *received_at >= before {
            return forget_zones(connection);
        }
        after = *seq;
        if !is_problem && !waits(connection, *seq)? {
            for sql in REMOVE {
                connection.prepare_cached(sql)?.execute([seq])?;
            }
        }
    }
    if looked_at.len() < ALERTS_A_STEP {
        return forget_zones(connection);
    }
    Ok(Tidied::More(Progress::History(after)))
}

/// The last step of a round: removes zones of which nothing is left.
fn forget_zones(connection: &Connection) -> Result<Tidied, Failure> {
    let oldest = |sql| connection.query_row(sql, [], |row| row.get(0));
    let (alert, delivery) = (oldest(OLDEST_ALERT)?, oldest(OLDEST_DELIVERY)?);
    zones::forget_old(connection, alert, delivery, step(ZONES_A_ROUND))?;
    Ok(Tidied::Done)
}

pub(crate) fn waits(connection: &Connection, alert_seq: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached(WAITS)?.exists([alert_seq])
}

pub(crate) fn step(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
