//! Where an issuer's keys are: at a URL, in a file, or where the issuer says.

use std::path::PathBuf;

use async_trait::async_trait;
use url::Url;

use crate::{
    issuer::{IssuerClient, IssuerError},
    key_set::PublishedKeys,
};

/// Where an issuer's keys are.
#[derive(Debug, Clone)]
pub enum KeyLocation {
    /// At a URL.
    Url(Url),
    /// In a file, which is read again like a URL.
    File(PathBuf),
    /// Where the issuer, whose URL this is, says in its description.
    Discovered(String),
}

/// The keys at a location.
pub(crate) struct KeysAt {
    pub(crate) location: KeyLocation,
    pub(crate) client: IssuerClient,
}

#[async_trait]
impl PublishedKeys for KeysAt {
    async fn read(&self) -> Result<Vec<u8>, IssuerError> {
        match &self.location {
            KeyLocation::Url(url) => self.client.get(url).await,
            KeyLocation::File(path) => tokio::fs::read(path).await.map_err(IssuerError::File),
            KeyLocation::Discovered(issuer) => {
                let described = self.client.describe(issuer).await?;
                self.client.get(&described.jwks_uri).await
            }
        }
    }
}
