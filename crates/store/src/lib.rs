#![doc = include_str!("../README.md")]
#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

pub mod accept;
mod alerts;
mod audit;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connectors;
pub mod copying;
mod destination_health;
mod error;
mod expiry;
mod failing;
pub mod group;
mod history;
mod history_plan;
mod inspection;
mod intake;
mod key_file;
mod leases;
mod mandate;
mod pauses;
mod prepared;
mod queue;
mod relay;
mod seal;
mod sealing;
mod sources;
mod spaces;
pub mod storage;
pub mod stored;
pub mod summary;
mod upkeep;
mod usage;
mod users;

use std::sync::Arc;

pub use accept::ends_nothing_warning;
pub use alerts::{
    AlertQuery, AlertRecord, Alerts, DELIVERIES_LISTED_MAX, DeliverySummary, ERASED_A_STEP, Erased,
    Erasure, Page, Resolution,
};
pub use audit::{
    Actor, Audit, AuditEntry, AuditQuery, AuditRecord, AuditRow, FieldChange, Subject,
};
pub use connectors::{Changed, ConnectorCreation, Connectors, Created, Edit, Roster};
pub use destination_health::{Block, DestinationHealth, DestinationState, UNANSWERED_TOLD, Wait};
pub use error::{BoxError, StoreError};
pub use expiry::{CLOCK_STEP, Expiry, StoredState};
pub use failing::{FailingMessages, SET_ASIDE_MAX, SetAside, Suspect};
pub use group::GroupMeters;
pub use history::{
    BLOCKED_LISTED_MAX, BlockedConnector, DeliveryMessage, DeliveryQuery, Health, HealthFacts,
    HealthState, History, Replay, Replayed, Retried, SELECT_BLOCKED,
};
pub use history_plan::{
    CARRIED_SPANS, DeliveryLook, KIND_PLACES_MAX, KnownConnector, NewestDeliveries, ReplayPlan,
    carried_by, merged_into, retry_of,
};
pub use inspection::Inspection;
pub use intake::{
    Acceptance, Accepted, AcceptedDelivery, Idempotency, Intake, NewAlert, Route, SMALL_ROWS_MAX,
    Submission,
};
pub use key_file::{KeyFileError, add_key, read_key_file, write_new_key_file};
pub use leases::{Lease, Leases, ReleasedLease, Renewal, Renewed};
pub use mandate::{AuditSink, Effect, Mandate, Trail};
pub use pauses::{PAUSES_LISTED_MAX, Pause, PauseEnd, PauseQuery, Pauses, SELECT_PAUSES};
pub use prepared::PreparedAlert;
pub use queue::{
    Backlog, BatchQuery, DigestBatch, DigestEntry, Disposition, Fence, Form, OpeningState, Outcome,
    PendingDelivery, Queue, Recorded, Report, StoreEvent,
};
pub use relay::{Relay, Relayed};
pub use seal::{Keyring, SealError, Sealed, SealingKey, fingerprint};
pub use sealing::{Sealing, UnsealError, make_key_file_if_missing};
pub use sources::{SourceSecret, SourceSettings, Sources};
pub use spaces::{Member, MemberChange, MembershipFacts, SpaceChange, Spaces};
pub use storage::{SpaceStorage, Storage};
pub use summary::{AlertSummary, KindCount};
pub use upkeep::{
    ALERTS_A_STEP, AUDIT_ENTRIES_A_STEP, Census, ENDS_A_STEP, Progress, Tidied, Tidying, Upkeep,
};
pub use usage::Use;
pub use users::{
    AddedUser, ApiKey, Disabled, Invitation, Invited, InvitedUser, NewApiKey, NewToken, NewUser,
    RemovedUser, Session, TokenHash, UserRecord, Users,
};

/// A whole store, as the binary wires it.
#[async_trait::async_trait]
pub trait Store:
    Intake
    + Alerts
    + History
    + Connectors
    + Pauses
    + Sources
    + Users
    + Spaces
    + Queue
    + Leases
    + Relay
    + Upkeep
    + SpaceStorage
    + Audit
{
    /// The same store for one change on somebody's behalf: the change checks what the mandate rests on, and leaves its
    /// entry in the audit trail, in its own transaction. [`Intake::accept`] gets the version with the submission, and
    /// leaves none.
    fn on_behalf(&self, mandate: Mandate) -> Arc<dyn Store>;

    /// Whether something can be written now.
    async fn check(&self) -> Result<(), StoreError>;

    /// Reads the secret key file again.
    fn reload_keys(&self) -> Result<(), KeyFileError>;

    /// Waits until the store can't be used any more, and says why in one sentence.
    async fn failed(&self) -> String;
}
