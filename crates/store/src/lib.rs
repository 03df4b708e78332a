//! Everything durable, as small traits in the words of the domain.
//!
//! This crate knows no database. A store implements the traits in a crate of its own and proves it with
//! [`conformance`]. Calls take and give sets; clock and ids come in as parameters; what is absent is `Ok(None)`.

mod alerts;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connectors;
mod error;
mod intake;
mod key_file;
mod people;
mod queue;
mod seal;
mod spaces;

pub use alerts::{AlertQuery, AlertRecord, Alerts, DeliverySummary, Page};
pub use connectors::{Changed, Connectors, Created, Roster};
pub use error::{BoxError, StoreError};
pub use intake::{
    Acceptance, Accepted, AcceptedDelivery, Idempotency, Intake, NewAlert, Route, Submission,
};
pub use key_file::{KeyFileError, read_key_file, write_new_key_file};
pub use people::{
    AddedUser, ApiKey, Disabled, KeyScope, NewApiKey, NewToken, NewUser, People, Session,
    TokenHash, UserRecord,
};
pub use queue::{Due, Event, Form, NextStep, Outcome, Queue, Recorded, Tidings};
pub use seal::{Keyring, SealError, Sealed, SealingKey, fingerprint};
pub use spaces::{Member, MemberChange, SpaceChange, Spaces};

/// A whole store, as the binary wires it.
#[async_trait::async_trait]
pub trait Store: Intake + Alerts + Connectors + People + Spaces + Queue {
    /// Whether something can be written now.
    async fn check(&self) -> Result<(), StoreError>;
}
