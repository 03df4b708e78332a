//! When connectors were switched off.

use alert_connectors_model::SpaceId;
use alert_connectors_store::{
    PAUSES_LISTED_MAX, Pause, PauseQuery, Pauses, SELECT_PAUSES, StoreError,
};
use async_trait::async_trait;
use rusqlite::params;

use crate::{SqliteStore, row::rows};

#[async_trait]
impl Pauses for SqliteStore {
    async fn pauses(&self, space_id: SpaceId, query: PauseQuery) -> Result<Vec<Pause>, StoreError> {
        self.read(move |connection| {
            let (since, until) = query.span_ms();
            let connector = query.connector.map(|id| id.as_bytes().to_vec());
            let space = &space_id.as_bytes()[..];
            let parameters = params![space, since, until, connector, PAUSES_LISTED_MAX];
            rows(connection, SELECT_PAUSES, parameters, Pause::of)
        })
        .await
    }
}
