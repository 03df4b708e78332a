//! Publishes the health of connectors to the callers that watch their space.

use std::sync::Arc;

use alert_connectors_feed::SpaceEvent;
use alert_connectors_model::Fingerprint;
use alert_connectors_store::StoreError;
use tokio::sync::mpsc;

use crate::context::Context;

/// Publishes the health of the connectors of each destination that is named, until the engine stops.
pub(crate) async fn publish(context: Arc<Context>, mut changed: mpsc::Receiver<Fingerprint>) {
    loop {
        let destination = tokio::select! {
            () = context.stopping.cancelled() => return,
            changed = changed.recv() => changed,
        };
        let Some(destination) = destination else {
            return;
        };
        if let Err(error) = publish_one(&context, destination).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "failed to read whose health changed"
            );
        }
    }
}

async fn publish_one(context: &Context, destination: Fingerprint) -> Result<(), StoreError> {
    for (space_id, connector_id, state) in context.store.health_states(destination).await? {
        let event = SpaceEvent::Health {
            connector_id,
            state,
        };
        context.feed.publish(space_id, [event]);
    }
    Ok(())
}
