//! The audit trail.

use alert_connectors_store::{
    AUDIT_ENTRIES_A_STEP, Audit, AuditEntry, AuditQuery, AuditRecord, AuditRow, Effect, Page,
    StoreError, StoreEvent,
};
use async_trait::async_trait;
use rusqlite::{Connection, params};

use crate::{SqliteStore, error::Failure, row::rows};

const INSERT: &str =
    "INSERT INTO audit_entries (at, space_id, action, actor, entry) VALUES (?1, ?2, ?3, ?4, ?5)";
// By primary key: the oldest are looked at first.
const REMOVE_OLD: &str = "DELETE FROM audit_entries WHERE seq IN
    (SELECT seq FROM (SELECT seq, at FROM audit_entries ORDER BY seq LIMIT ?2) WHERE at < ?1)";

#[async_trait]
impl Audit for SqliteStore {
    async fn audit_entries(&self, query: AuditQuery) -> Result<Page<AuditRecord>, StoreError> {
        self.read(move |connection| {
            let space = query.space.map(|id| id.as_bytes().to_vec());
            let parameters = params![query.before(), query.actor, space];
            let found = rows(connection, &query.sql(), parameters, AuditRow::read)?;
            Ok(query.page(found))
        })
        .await
    }

    async fn add_audit_entry(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.change(move |connection, _events| Ok(insert(connection, &entry)?))
            .await
    }
}

impl SqliteStore {
    /// Runs a change on somebody's behalf: if it has an effect, its entry of the audit trail is committed with it.
    pub(crate) async fn audited<T: Effect + Send + 'static>(
        &self,
        change: impl FnOnce(&Connection, &mut Vec<StoreEvent>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let trail = self.mandate.trail.clone();
        let changed = self
            .change(move |connection, events| {
                let changed = change(connection, events)?;
                let trail = trail.filter(|_| changed.has_effect());
                if let Some(entry) = trail.as_ref().and_then(|trail| trail.unwritten()) {
                    insert(connection, entry)?;
                }
                Ok(changed)
            })
            .await?;
        self.mandate.committed();
        Ok(changed)
    }
}

/// Adds an entry.
pub(crate) fn insert(connection: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    let row = AuditRow::of(entry);
    let space_id = row.space_id.as_ref().map(|id| &id[..]);
    let parameters = params![row.at, space_id, row.action, row.actor, row.json];
    connection
        .prepare_cached(INSERT)?
        .execute(parameters)
        .map(drop)
}

/// Removes some entries from before a time. Says whether there may be more.
pub(crate) fn remove_old(connection: &Connection, before: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(REMOVE_OLD)?
        .execute([before, AUDIT_ENTRIES_A_STEP])
        .map(|removed| removed > 0)
}
