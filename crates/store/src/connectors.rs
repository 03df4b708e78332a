//! The connectors of a space, and the roster that alerts are matched with.

use std::sync::Arc;

use alert_connectors_model::{
    CONNECTORS_PER_SPACE_MAX, Connector, ConnectorChange, ConnectorId, Fingerprint, NewConnector,
    Slug, Space, SpaceId, User, WebhookUrl,
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{DestinationHealth, Sealing, SourceSettings, StoreError, StoreEvent};

/// The connectors of spaces. Each change bumps the space's version in its own transaction.
#[async_trait]
pub trait Connectors: Send + Sync {
    /// The fingerprint by which a webhook URL is known.
    fn destination(&self, url: &WebhookUrl) -> Fingerprint;

    /// The space of that slug with all its connectors, as they are now.
    async fn roster(&self, slug: &Slug) -> Result<Option<Roster>, StoreError>;

    /// The space of that slug and the version of its roster now. A roster of the same space and version is true now.
    async fn roster_version(&self, slug: &Slug) -> Result<Option<(SpaceId, i64)>, StoreError>;

    /// Makes a connector.
    async fn create_connector(
        &self,
        space_id: SpaceId,
        creation: ConnectorCreation,
    ) -> Result<Created, StoreError>;

    /// Changes a connector, if its space is still at `space_version`. A change of no value leaves `updated_at`.
    /// Deactivation cancels pending deliveries; a new URL takes them along in their order.
    async fn change_connector(
        &self,
        space_id: SpaceId,
        space_version: i64,
        id: ConnectorId,
        change: ConnectorChange,
        now: Timestamp,
    ) -> Result<Changed, StoreError>;

    /// Deletes a connector and cancels its pending deliveries; its history stays. Returns whether it existed.
    async fn delete_connector(
        &self,
        space_id: SpaceId,
        id: ConnectorId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// The connectors of a space at one version, which alerts are matched with.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The space.
    pub space: Arc<Space>,
    /// The version of the space at which they were read.
    pub version: i64,
    /// Its connectors, oldest first.
    pub connectors: Vec<Arc<Connector>>,
    /// What it has set for sources.
    pub sources: Vec<SourceSettings>,
}

impl Roster {
    /// What the space has set for a source.
    pub fn source(&self, name: &str) -> Option<&SourceSettings> {
        self.sources.iter().find(|settings| settings.source == name)
    }
}

/// A connector that is to be made.
#[derive(Debug, Clone)]
pub struct ConnectorCreation {
    /// Its id, so that the caller can name it.
    pub id: ConnectorId,
    /// What it is.
    pub new: NewConnector,
    /// Who makes it.
    pub creator: User,
    /// The present time.
    pub now: Timestamp,
    /// How many connectors the space may have, with this one. No space has more than [`CONNECTORS_PER_SPACE_MAX`].
    pub connectors_max: usize,
}

impl ConnectorCreation {
    /// Whether a space that has `count` connectors may have one more.
    pub const fn has_room(&self, count: usize) -> bool {
        count < self.connectors_max && count < CONNECTORS_PER_SPACE_MAX
    }

    /// The connector that comes of it.
    pub fn connector(self, space_id: SpaceId, sealing: &Sealing) -> Connector {
        let new = self.new;
        Connector {
            id: self.id,
            space_id,
            name: new.name,
            connector_type: new.connector_type,
            destination: sealing.fingerprint(&new.webhook_url),
            webhook_url: new.webhook_url,
            is_active: new.is_active,
            severity_filter: new.severity_filter,
            alert_type_filter: new.alert_type_filter,
            created_by: self.creator,
            created_at: self.now,
            updated_at: self.now,
        }
    }
}

/// Result of making a connector.
#[derive(Debug, Clone)]
pub enum Created {
    /// It is there.
    Made(Arc<Connector>),
    /// The space has as many as it may have.
    TooMany,
    /// The space is gone.
    NoSpace,
}

/// Result of changing a connector.
#[derive(Debug, Clone)]
pub enum Changed {
    /// The connector as it is now.
    Now(Arc<Connector>),
    /// There is no such connector in the space.
    Absent,
    /// The space's connectors changed since the change was checked: check it again.
    Stale,
}

/// A change of a connector, and what follows from it for delivery.
pub struct Edit {
    /// The connector as it is from now on.
    pub changed: Connector,
    /// Whether any value is another.
    pub is_change: bool,
    /// Whether it counts as a repair of the webhook.
    pub repairs: bool,
    /// Whether the connector no longer receives anything at its previous destination.
    pub leaves: bool,
    from: Fingerprint,
}

impl Edit {
    /// What a change makes of a connector.
    pub fn of(
        current: &Connector,
        change: &ConnectorChange,
        sealing: &Sealing,
        now: Timestamp,
    ) -> Self {
        let mut changed = change.applied_to(current);
        changed.destination = sealing.fingerprint(&changed.webhook_url);
        let is_change = changed != *current;
        if is_change {
            changed.updated_at = now;
        }
        // A person who enters a URL, or switches a connector on, believes that it works.
        let repairs = change.webhook_url.is_some() || !current.is_active && changed.is_active;
        let moved = changed.destination != current.destination;
        Self {
            is_change,
            repairs,
            leaves: moved || current.is_active && !changed.is_active,
            from: current.destination,
            changed,
        }
    }

    /// Whether a new connector counts as a repair of its webhook: a person who enters a URL believes that it works, even if it is
    /// blocked for other connectors.
    pub const fn creation_repairs(health: &DestinationHealth) -> bool {
        health.block.is_some()
    }

    /// Whether what is pending is cancelled before the change: what was pending when the connector was switched off stays cancelled.
    pub fn cancels_before(change: &ConnectorChange) -> bool {
        change.is_active == Some(true)
    }

    /// Whether what is pending is cancelled after the change.
    pub const fn cancels_after(changed: &Connector) -> bool {
        !changed.is_active
    }

    /// The events for the engine where a connector is deleted, of which a space that is being removed sends no message.
    pub fn deletion(deleted: Connector, space: Option<Space>) -> Vec<StoreEvent> {
        let destination = deleted.destination;
        let mut events = vec![StoreEvent::Changed(destination)];
        if let Some(space) = space {
            let (space, deleted) = (Arc::new(space), Arc::new(deleted));
            events.push(StoreEvent::ConnectorDetached(destination, space, deleted));
        }
        events
    }

    /// The events for the engine. `space` is needed only where the connector leaves its destination.
    pub fn events(&self, space: Option<Space>) -> Vec<StoreEvent> {
        let mut events = Vec::new();
        let to = self.changed.destination;
        if to != self.from {
            // First, so that nothing is sent to both destinations.
            events.push(StoreEvent::Moved {
                from: self.from,
                to,
            });
        }
        events.push(if self.repairs {
            StoreEvent::Repaired(to)
        } else {
            StoreEvent::Changed(to)
        });
        if let Some(space) = space.filter(|_| self.leaves) {
            let (space, left) = (Arc::new(space), Arc::new(self.changed.clone()));
            events.push(StoreEvent::ConnectorDetached(self.from, space, left));
        }
        events
    }
}
