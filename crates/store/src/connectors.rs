//! The connectors of a space, and the roster that alerts are matched with.

use std::sync::Arc;

use alert_connectors_model::{
    Connector, ConnectorChange, ConnectorId, NewConnector, Slug, Space, SpaceId, User,
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::StoreError;

/// The connectors of spaces. Each change bumps the space's version in its own transaction.
#[async_trait]
pub trait Connectors: Send + Sync {
    /// The space of that slug with all its connectors, as they are now.
    async fn roster(&self, slug: &Slug) -> Result<Option<Roster>, StoreError>;

    /// Makes a connector; its id is given so that the caller can name it.
    async fn create_connector(
        &self,
        space_id: SpaceId,
        id: ConnectorId,
        new: NewConnector,
        creator: User,
        now: Timestamp,
    ) -> Result<Created, StoreError>;

    /// Changes a connector that was judged at `space_version`. A change of no value leaves `updated_at`.
    /// Deactivation cancels what is pending; a new URL takes it along in its order.
    async fn change_connector(
        &self,
        space_id: SpaceId,
        space_version: i64,
        id: ConnectorId,
        change: ConnectorChange,
        now: Timestamp,
    ) -> Result<Changed, StoreError>;

    /// Deletes a connector and cancels what is pending on it; its history stays. Says whether it was there.
    async fn delete_connector(
        &self,
        space_id: SpaceId,
        id: ConnectorId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// A space as alerts are matched with it.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The space.
    pub space: Arc<Space>,
    /// The version that this is true at.
    pub version: i64,
    /// Its connectors, oldest first.
    pub connectors: Vec<Arc<Connector>>,
}

/// What became of a new connector.
#[derive(Debug, Clone)]
pub enum Created {
    /// It is there.
    Made(Arc<Connector>),
    /// The space has as many as it may have.
    TooMany,
    /// The space is gone.
    NoSpace,
}

/// What became of a change.
#[derive(Debug, Clone)]
pub enum Changed {
    /// The connector as it is now.
    Now(Arc<Connector>),
    /// There is no such connector in the space.
    Absent,
    /// The space's connectors changed since the change was judged: judge it again.
    Stale,
}
