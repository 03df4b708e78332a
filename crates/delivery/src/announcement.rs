//! What the announcer is asked to announce. It names destinations and does not carry them.

use std::sync::Arc;

use alert_connectors_model::{Connector, Fingerprint, Space};

/// Capacity of the queue of announcements. While it is full workers wait, and the dispatcher goes on without.
pub(crate) const QUEUED_MAX: usize = 1_024;

/// What may have to be announced.
pub(crate) enum Announcement {
    /// The health of a destination changed.
    Health(Fingerprint),
    /// A connector no longer points at a destination that may be blocked.
    Detached(Fingerprint, Arc<Space>, Arc<Connector>),
}
