//! The audit trail.

use alert_connectors_store::{
    AUDIT_ENTRIES_A_STEP, Audit, AuditEntry, AuditQuery, AuditRecord, AuditRow, Effect, Page,
    StoreError,
};
use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    PostgresStore,
    alerts::uuid,
    connection::{Change, Connection, within},
};

pub(crate) const INSERT: &str = "INSERT INTO audit_entries (at, space_id, action, actor, entry)
    SELECT * FROM unnest($1::int8[], $2::uuid[], $3::int2[], $4::text[], $5::text[])";
// By primary key: the oldest are looked at first.
const REMOVE_OLD: &str = "DELETE FROM audit_entries WHERE seq IN
    (SELECT seq FROM (SELECT seq, at FROM audit_entries ORDER BY seq LIMIT $2) old WHERE at < $1)";

#[async_trait]
impl Audit for PostgresStore {
    async fn audit_entries(&self, query: AuditQuery) -> Result<Page<AuditRecord>, StoreError> {
        self.read(async |connection| {
            let space = query.space.map(|id| uuid(id.as_bytes()));
            let rows = connection
                .rows(&query.sql(), &[&query.before(), &query.actor, &space])
                .await?;
            let found = rows.iter().map(|row| AuditRow::read(row));
            Ok(query.page(found.collect::<Result<_, _>>()?))
        })
        .await
    }

    async fn add_audit_entry(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let step = self.step().await?;
        insert(step.connection(), &[entry]).await?;
        step.commit().await
    }
}

impl Change {
    /// Ends it with the answer. If it did what it was asked for, its entry of the audit trail is committed with it.
    pub(crate) async fn end<T: Effect>(self, answer: T) -> Result<T, StoreError> {
        let mandate = self.mandate().clone();
        let trail = mandate.trail.as_ref().filter(|_| answer.has_effect());
        if let Some(entry) = trail.and_then(|trail| trail.unwritten()) {
            within(insert(self.connection(), std::slice::from_ref(entry))).await?;
        }
        self.commit().await?;
        mandate.committed();
        Ok(answer)
    }
}

/// Adds entries, in one message: a group of alerts sends it together with its others.
pub(crate) async fn insert(
    connection: &Connection,
    entries: &[AuditEntry],
) -> Result<(), StoreError> {
    let rows: Vec<AuditRow> = entries.iter().map(AuditRow::of).collect();
    let times: Vec<i64> = rows.iter().map(|row| row.at).collect();
    let spaces: Vec<Option<Uuid>> = rows
        .iter()
        .map(|row| row.space_id.as_ref().map(uuid))
        .collect();
    let actions: Vec<i16> = rows.iter().map(|row| i16::from(row.action)).collect();
    let actors: Vec<Option<&str>> = rows.iter().map(|row| row.actor.as_deref()).collect();
    let texts: Vec<&str> = rows.iter().map(|row| &*row.json).collect();
    connection
        .run(INSERT, &[&times, &spaces, &actions, &actors, &texts])
        .await
        .map(drop)
}

/// Removes some entries from before a time. Says whether there may be more.
pub(crate) async fn remove_old(step: &Change, before: i64) -> Result<bool, StoreError> {
    let removed = step
        .run(REMOVE_OLD, &[&before, &AUDIT_ENTRIES_A_STEP])
        .await?;
    Ok(removed > 0)
}
