//! Messages between the servers that share a store.

use async_trait::async_trait;

use crate::StoreError;

/// Passes messages between the servers that share a store. They are hints: any of them may be lost. A store that only one server
/// uses needs none, so the default methods do nothing.
#[async_trait]
pub trait Relay: Send + Sync {
    /// Whether other servers may share the store.
    fn is_shared(&self) -> bool {
        false
    }

    /// Sends a message of at most 7,000 bytes to all servers, this one included.
    async fn relay(&self, message: &str) -> Result<(), StoreError> {
        let _ = message;
        Ok(())
    }

    /// Waits for the next message. For one caller at a time; a wait that is cancelled loses nothing.
    async fn next_relayed(&self) -> Relayed {
        std::future::pending().await
    }
}

/// What came from the other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relayed {
    /// A message.
    Message(String),
    /// Messages may have been lost.
    Lost,
}
