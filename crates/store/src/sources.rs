//! What a space has set for the producers that post to it: the mapping of a source, and the secret that signs its bodies.

use alert_connectors_model::{Secret, SpaceId};
use async_trait::async_trait;

use crate::{SealError, Sealing, StoreError, stored::Columns};

/// The settings of spaces for sources. Each change bumps the space's version in its own transaction, so that a body that is on its
/// way is judged by them too.
#[async_trait]
pub trait Sources: Send + Sync {
    /// Sets the mapping of a source, or removes it. Returns whether the space is there.
    async fn set_mapping(
        &self,
        space_id: SpaceId,
        source: &str,
        mapping: Option<String>,
    ) -> Result<bool, StoreError>;

    /// Sets the secret of a source, or removes it. Returns whether the space is there.
    async fn set_source_secret(
        &self,
        space_id: SpaceId,
        source: &str,
        secret: Option<Secret>,
    ) -> Result<bool, StoreError>;
}

/// What a space has set for one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// The name of the source.
    pub source: String,
    /// The mapping, as the JSON document that was set.
    pub mapping: Option<String>,
    /// What signs the bodies of the source.
    pub secret: SourceSecret,
}

/// The secret of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSecret {
    /// None is set.
    None,
    /// It signs the bodies.
    Set(Secret),
    /// One is set, but what is stored of it was damaged.
    Damaged,
}

impl SourceSettings {
    /// The secret under the first key of the key file.
    pub fn sealed_again(
        &self,
        sealing: &Sealing,
        space_id: SpaceId,
    ) -> Result<Vec<u8>, StoreError> {
        match &self.secret {
            SourceSecret::None => Ok(Vec::new()),
            SourceSecret::Set(secret) => {
                Ok(sealing.seal_source_secret(secret, space_id, &self.source))
            }
            SourceSecret::Damaged => Err(StoreError::Sealed(SealError::Tampered)),
        }
    }

    /// The columns that [`of`](Self::of) reads, of the table `ingest_sources`.
    pub const COLUMNS: &str = "source, mapping, secret";

    /// Reads a row, and opens its secret.
    pub fn of(row: &dyn Columns, sealing: &Sealing, space_id: SpaceId) -> Result<Self, StoreError> {
        let source = row.text(0)?;
        let sealed = row.bytes(2)?;
        let secret = if sealed.is_empty() {
            SourceSecret::None
        } else {
            match sealing.open_source_secret(&sealed, space_id, &source) {
                Ok(secret) => SourceSecret::Set(secret),
                Err(StoreError::Sealed(SealError::Tampered)) => SourceSecret::Damaged,
                Err(error) => return Err(error),
            }
        };
        Ok(Self {
            mapping: row.maybe_text(1)?,
            source,
            secret,
        })
    }
}
