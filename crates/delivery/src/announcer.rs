//! The announcer: notifies spaces once when a connector of theirs gets blocked or stops answering, and once when it works again.
//!
//! Whether the spaces were notified is stored with the health, so after a crash the dispatcher's first poll finds what was not
//! announced.

use std::{sync::Arc, time::Duration};

use alert_connectors_model::{Connector, Fingerprint, Space};
use alert_connectors_store::{Block, DestinationHealth, StoreError};
use async_trait::async_trait;
use tokio::{sync::mpsc, time};

use crate::{announcement::Announcement, registry::Registry};

/// The wait before a failed announcement is retried.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What a space is notified of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorNotice {
    /// The connector is blocked.
    Blocked(Block),
    /// Its webhook takes messages and never answers. Carries the error of the last attempt.
    Unanswered(String),
    /// It works again.
    Repaired,
    /// It was deleted, switched off or given another webhook: its trouble is nobody's any more.
    Detached,
}

/// Notifies spaces of their connectors.
#[async_trait]
pub trait NotifySpace: Send + Sync {
    /// Notifies a space of one of its connectors, through its other connectors.
    async fn notify(
        &self,
        space: &Space,
        connector: &Connector,
        notice: &ConnectorNotice,
    ) -> Result<(), NotifyError>;
}

/// Why a space was not notified.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The alert was matched again and again, and the connectors changed each time.
    #[error("the space's connectors change too fast")]
    ChangesTooFast,
}

/// Runs until the engine stops. A failed announcement is retried, and those behind it wait for it.
pub(crate) async fn run(
    registry: Arc<Registry>,
    notify: Arc<dyn NotifySpace>,
    mut announcements: mpsc::Receiver<Announcement>,
) {
    let stopping = &registry.context.stopping;
    loop {
        let next = tokio::select! {
            // A receive that is cancelled loses nothing.
            next = announcements.recv() => next,
            () = stopping.cancelled() => return,
        };
        let Some(next) = next else { return };
        while let Err(error) = announce(&registry, &*notify, &next).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "failed to notify a space of a connector; retrying"
            );
            tokio::select! {
                () = time::sleep(TRY_AGAIN) => {}
                () = stopping.cancelled() => return,
            }
        }
    }
}

async fn announce(
    registry: &Registry,
    notify: &dyn NotifySpace,
    announcement: &Announcement,
) -> Result<(), NotifyError> {
    match announcement {
        Announcement::Health(destination) => announce_health(registry, notify, *destination).await,
        Announcement::Detached(destination, space, connector) => {
            if was_announced(registry, *destination).await? {
                let notice = ConnectorNotice::Detached;
                notify.notify(space, connector, &notice).await?;
            }
            Ok(())
        }
    }
}

/// Returns whether the spaces were notified that a destination is blocked or never answers.
async fn was_announced(registry: &Registry, fingerprint: Fingerprint) -> Result<bool, StoreError> {
    let context = &registry.context;
    let destination = registry.destination(fingerprint);
    if let Some(announced) = destination.with_policy(|policy| policy.health().announced) {
        return Ok(announced);
    }
    // Another server works it, or none.
    let known = context
        .store
        .destination_state(fingerprint, context.now())
        .await?;
    Ok(known.health.announced)
}

async fn announce_health(
    registry: &Registry,
    notify: &dyn NotifySpace,
    fingerprint: Fingerprint,
) -> Result<(), NotifyError> {
    let context = &registry.context;
    let destination = registry.destination(fingerprint);
    // The server that works it announces it.
    if !destination.is_owned() {
        return Ok(());
    }
    let connectors = context.store.connectors_of(fingerprint).await?;
    let Some((_, first)) = connectors.first() else {
        return Ok(());
    };
    destination.load(first.connector_type, context).await?;
    let due = destination.with_policy(|policy| notice_due(policy.health()));
    let Some(Some((notice, announced))) = due else {
        return Ok(());
    };
    for (space, connector) in connectors.iter().filter(|(_, one)| one.is_active) {
        notify.notify(space, connector, &notice).await?;
    }
    // The policy may have been dropped at this moment, because another server changed the destination: then it is loaded again.
    while destination
        .update_policy(context, |policy| policy.announced(announced))
        .await
        .is_none()
        && destination.is_owned()
    {
        destination.load(first.connector_type, context).await?;
    }
    Ok(())
}

/// Returns the notice that the spaces have not received yet, and whether it is one of trouble.
fn notice_due(health: &DestinationHealth) -> Option<(ConnectorNotice, bool)> {
    match (&health.block, health.announced) {
        (Some(block), false) if !block.quiet => {
            Some((ConnectorNotice::Blocked(block.clone()), true))
        }
        (None, false) if health.never_answers() => {
            let error = health.last_error.clone().unwrap_or_default();
            Some((ConnectorNotice::Unanswered(error), true))
        }
        (None, true) if !health.never_answers() => Some((ConnectorNotice::Repaired, false)),
        _ => None,
    }
}
