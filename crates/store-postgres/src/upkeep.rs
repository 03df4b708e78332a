//! Removes old history, writes down what has ended, and seals URLs again, in steps that no request waits for.

use std::sync::Arc;

use alert_connectors_model::ConnectorId;
use alert_connectors_store::{
    ALERTS_A_STEP, Census, ENDS_A_STEP, Expiry, Inspection, Progress, StoreError, Tidied, Tidying,
    Upkeep,
    stored::{BLOCKED, Columns as _},
};
use async_trait::async_trait;

use crate::{
    PostgresStore, alerts::uuid, audit, connection::Change, connectors, counts, inspection,
    stored_bytes, zones,
};

/// One replica tidies at a time. The number only has to be the same everywhere, and differ from that of migrations.
pub(crate) const TIDY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(8317492650012)";
// By the primary key of pending.
const NEXT_OWED: &str =
    "SELECT connector_no FROM pending WHERE connector_no > $1 ORDER BY connector_no LIMIT 1";
// By primary key: ends the pending deliveries of a connector that is off or deleted. Reasons by EndReason: 1 inactive, 2 deleted.
const CANCEL: &str = "WITH off AS (SELECT no, CASE WHEN deleted_at IS NULL THEN 1 ELSE 2 END AS reason,
        coalesce(deleted_at, switched_at, updated_at) AS at FROM connectors
        WHERE no = $1 AND (NOT is_active OR deleted_at IS NOT NULL)),
    gone AS (DELETE FROM pending p USING off, (SELECT connector_no, seq FROM pending WHERE connector_no = $1
        ORDER BY seq LIMIT $2 FOR UPDATE) these WHERE p.connector_no = these.connector_no AND p.seq = these.seq
        RETURNING p.connector_no, p.seq, off.reason, off.at),
    noted AS (INSERT INTO missed (connector_no, state, seq) SELECT connector_no, 5, seq FROM gone)
    UPDATE deliveries d SET state = 5, reason = gone.reason, ended_at = gone.at, next_attempt_at = NULL
    FROM gone WHERE d.seq = gone.seq AND d.state = 0";
// By the primary key of pending; 4 is `expired` as a state, and `time_up` as a reason.
const EXPIRE: &str = "WITH gone AS (DELETE FROM pending p USING (SELECT connector_no, seq FROM pending WHERE connector_no = $1
        AND queued_at <= $2 AND (SELECT queued_at FROM pending WHERE connector_no = $1 ORDER BY seq LIMIT 1) <= $2
        ORDER BY seq LIMIT $4 FOR UPDATE) these WHERE p.connector_no = these.connector_no AND p.seq = these.seq
        RETURNING p.connector_no, p.seq, p.queued_at),
    noted AS (INSERT INTO missed (connector_no, state, seq) SELECT connector_no, 4, seq FROM gone)
    UPDATE deliveries d SET state = 4, reason = 4, next_attempt_at = NULL, ended_at = gone.queued_at + $3
    FROM gone WHERE d.seq = gone.seq AND d.state = 0";
// By the unique index on id.
const NUMBER: &str = "SELECT no FROM connectors WHERE id = $1";
// By primary key, then by deliveries_by_alert.
const OLDEST: &str =
    "SELECT a.seq, a.received_at, (a.status = 0 AND a.dedup_key IS NOT NULL) OR EXISTS
    (SELECT FROM deliveries d WHERE d.alert_seq = a.seq AND d.state = 0)
    FROM alerts a WHERE a.seq > $1 ORDER BY a.seq LIMIT $2";
// By deliveries_by_alert. The lock waits for a retry that is under way, and lets none begin.
const RETRIED: &str =
    "WITH locked AS (SELECT alert_seq, state FROM deliveries WHERE alert_seq = ANY ($1) FOR UPDATE)
    SELECT DISTINCT alert_seq FROM locked WHERE state = 0";
// By deliveries_by_alert, then by primary keys.
const REMOVE: &str =
    "WITH deliveries_gone AS (DELETE FROM deliveries d USING unnest($1::int8[]) AS g (seq)
        WHERE d.alert_seq = g.seq RETURNING d.seq, d.connector_no, d.state),
    missed_gone AS (DELETE FROM missed m USING deliveries_gone d
        WHERE m.connector_no = d.connector_no AND m.state = d.state AND m.seq = d.seq),
    attempts_gone AS (DELETE FROM attempts t USING deliveries_gone d WHERE t.delivery_seq = d.seq)
    DELETE FROM alerts a USING unnest($1::int8[]) AS g (seq) WHERE a.seq = g.seq";
// All of a small table.
const STORED: &str =
    "SELECT coalesce(sum(bytes), 0)::int8, count(*) FILTER (WHERE is_full) FROM stored_bytes";
// The primary key alone.
const PENDING: &str = "SELECT count(*), min(queued_at) FROM pending";

/// One step looks at no more connectors with pending deliveries than this.
const CONNECTORS_A_STEP: usize = 100;

#[async_trait]
impl Upkeep for PostgresStore {
    async fn tidy(&self, rules: Tidying, progress: Progress) -> Result<Tidied, StoreError> {
        let step = self.step().await?;
        let mine = step.row(TIDY_LOCK, &[]).await?;
        if !mine.map_or(Ok(false), |row| row.at(0))? {
            return step.nothing(Tidied::Done).await;
        }
        let tidied = match progress {
            Progress::Counts => {
                stored_bytes::hold(&step).await?;
                let is_more = counts::step(&step, rules.now).await?;
                let is_more = stored_bytes::measure(&step).await? || is_more;
                Tidied::More(if is_more {
                    Progress::Counts
                } else {
                    Progress::Audit
                })
            }
            Progress::Audit => {
                Tidied::More(if audit::remove_old(&step, rules.audit_begins()).await? {
                    Progress::Audit
                } else {
                    Progress::Ends(0)
                })
            }
            Progress::Ends(after) => write_ends(&step, rules.expired_until(), after).await?,
            Progress::History(after) => remove_old(&step, rules.history_begins(), after).await?,
        };
        step.commit().await?;
        Ok(tidied)
    }

    async fn reseal(&self, at_most: usize) -> Result<usize, StoreError> {
        let sealing = Arc::clone(&self.shared.sealing);
        let change = self.change().await?;
        let resealed = connectors::reseal(&change, &sealing, at_most).await?;
        change.commit().await?;
        Ok(resealed)
    }

    async fn inspect(&self) -> Result<Inspection, StoreError> {
        inspection::inspect(self).await
    }

    async fn census(&self) -> Result<Census, StoreError> {
        self.read(async |connection| {
            let count = async |sql| {
                let row = connection.row(sql, &[]).await?;
                row.map_or(Ok(0), |row| row.count(0))
            };
            let pending = connection.row(PENDING, &[]).await?;
            let oldest = pending.as_ref().map(|row| row.maybe_time(1)).transpose()?;
            let stored = connection.row(STORED, &[]).await?;
            let stored = |column| stored.as_ref().map_or(Ok(0), |row| row.count(column));
            Ok(Census {
                stored_bytes: stored(0)?,
                full_spaces: stored(1)?,
                pending: pending.map_or(Ok(0), |row| row.count(0))?,
                blocked: count(BLOCKED).await?,
                oldest_pending_at: oldest.flatten(),
            })
        })
        .await
    }
}

impl PostgresStore {
    /// Writes down that all pending deliveries of a connector are cancelled, if it is off or deleted.
    pub(crate) async fn cancel_rest(&self, id: ConnectorId) -> Result<(), StoreError> {
        loop {
            let step = self.step().await?;
            let Some(row) = step.row(NUMBER, &[&uuid(id.as_bytes())]).await? else {
                return step.nothing(()).await;
            };
            let cancelled = cancel(&step, row.at(0)?).await?;
            step.commit().await?;
            if cancelled < ENDS_A_STEP {
                return Ok(());
            }
        }
    }
}

/// Writes down ends that were only computed, from connector to connector, as far as one step goes.
async fn write_ends(step: &Change, expired_until: i64, after: i64) -> Result<Tidied, StoreError> {
    let mut after = after;
    for _ in 0..CONNECTORS_A_STEP {
        let Some(row) = step.row(NEXT_OWED, &[&after]).await? else {
            return Ok(Tidied::More(Progress::History(0)));
        };
        let no: i64 = row.at(0)?;
        let expire = [&no, &expired_until, &Expiry::LONGEST_MS, &some(ENDS_A_STEP)];
        let expire = expire.map(|value| value as &(dyn tokio_postgres::types::ToSql + Sync));
        if cancel(step, no).await? > 0 || step.run(EXPIRE, &expire).await? > 0 {
            // There may be more of it.
            return Ok(Tidied::More(Progress::Ends(after)));
        }
        after = no;
    }
    Ok(Tidied::More(Progress::Ends(after)))
}

/// Cancels some pending deliveries of a connector that is off or deleted.
async fn cancel(step: &Change, no: i64) -> Result<usize, StoreError> {
    let cancelled = step.run(CANCEL, &[&no, &some(ENDS_A_STEP)]).await?;
    Ok(usize::try_from(cancelled).unwrap_or(usize::MAX))
}

async fn remove_old(step: &Change, before: i64, after: i64) -> Result<Tidied, StoreError> {
    stored_bytes::hold(step).await?;
    let rows = step.rows(OLDEST, &[&after, &some(ALERTS_A_STEP)]).await?;
    let (mut after, mut old, mut done) = (after, Vec::new(), rows.len() < ALERTS_A_STEP);
    for row in &rows {
        let received_at: i64 = row.at(1)?;
        if received_at >= before {
            done = true;
            break;
        }
        after = row.at(0)?;
        let stays: bool = row.at(2)?;
        if !stays {
            old.push(after);
        }
    }
    remove(step, &old).await?;
    if done {
        zones::forget_old(step).await?;
        return Ok(Tidied::Done);
    }
    Ok(Tidied::More(Progress::History(after)))
}

/// Removes alerts with all that belongs to them, but for those of which a delivery was retried a moment ago.
pub(crate) async fn remove(step: &Change, seqs: &[i64]) -> Result<(), StoreError> {
    if seqs.is_empty() {
        return Ok(());
    }
    let retried = step.rows(RETRIED, &[&seqs]).await?;
    let retried: Vec<i64> = retried
        .iter()
        .map(|row| row.at(0))
        .collect::<Result<_, _>>()?;
    let gone: Vec<i64> = seqs
        .iter()
        .copied()
        .filter(|seq| !retried.contains(seq))
        .collect();
    stored_bytes::take(step, &gone).await?;
    step.run(REMOVE, &[&gone]).await.map(drop)
}

pub(crate) fn some(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
