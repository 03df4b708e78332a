//! What is known of the tokens that were seen lately, within a bound.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use alert_connectors_store::TokenHash;

/// At most this many tokens are cached.
const TOKENS_MAX: usize = 10_000;

/// Values by the hash of a token. When it is full, it starts over: whatever it held can be found again.
#[derive(Debug)]
pub struct TokenCache<V>(RwLock<HashMap<TokenHash, V>>);

impl<V> Default for TokenCache<V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<V: Clone> TokenCache<V> {
    /// The value of a token, if it is cached.
    pub fn get(&self, hash: &TokenHash) -> Option<V> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(hash).cloned()
    }

    /// Caches the value of a token, in place of an earlier one.
    pub fn put(&self, hash: TokenHash, value: V) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TOKENS_MAX {
            all.clear();
        }
        all.insert(hash, value);
    }

    /// Forgets a token.
    pub fn remove(&self, hash: &TokenHash) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.remove(hash);
    }
}
