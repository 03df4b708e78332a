//! When connectors were switched off.

use alert_connectors_model::SpaceId;
use alert_connectors_store::{
    PAUSES_LISTED_MAX, Pause, PauseQuery, Pauses, SELECT_PAUSES, StoreError,
};
use async_trait::async_trait;

use crate::{PostgresStore, alerts::uuid};

#[async_trait]
impl Pauses for PostgresStore {
    async fn pauses(&self, space_id: SpaceId, query: PauseQuery) -> Result<Vec<Pause>, StoreError> {
        self.read(async |connection| {
            let (since, until) = query.span_ms();
            let connector = query.connector.map(|id| uuid(id.as_bytes()));
            let space = uuid(space_id.as_bytes());
            let rows = connection
                .rows(
                    SELECT_PAUSES,
                    &[&space, &since, &until, &connector, &PAUSES_LISTED_MAX],
                )
                .await?;
            rows.iter().map(|row| Pause::of(row)).collect()
        })
        .await
    }
}
