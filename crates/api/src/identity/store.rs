//! The identity that comes with this service: session tokens and API keys in the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use alert_connectors_model::{Clock, KeyId};
use alert_connectors_store::{ApiKey, Session, StoreError, TokenHash, Users};
use async_trait::async_trait;
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};

use super::{Caller, Freshness, Identity, IdentityError, KeyLimits, TokenCache, caller_token};
use crate::token_hash;

/// The last use of at most this many keys is remembered.
const KEYS_MAX: usize = 10_000;
/// The last use of a key is noted at most this often.
const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Users, tokens and keys of the store.
pub struct StoreIdentity {
    store: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
    known: TokenCache<CachedCaller>,
    noted: Mutex<HashMap<KeyId, Timestamp>>,
}

#[derive(Clone)]
struct CachedCaller {
    caller: Caller,
    key: Option<KeyId>,
}

impl StoreIdentity {
    /// The identity of a store.
    pub fn new(store: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            known: TokenCache::default(),
            noted: Mutex::default(),
        }
    }

    async fn load(&self, hash: TokenHash) -> Result<Option<CachedCaller>, StoreError> {
        let session = self.store.session(hash).await?;
        let known = session.map(CachedCaller::of);
        match &known {
            Some(known) => self.known.put(hash, known.clone()),
            None => self.known.remove(&hash),
        }
        Ok(known)
    }

    /// Notes the use of a key, at most once a minute.
    async fn note_use(&self, id: KeyId, now: Timestamp) {
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted
                .get(&id)
                .is_some_and(|last| now.duration_since(*last).abs() < USE_NOTED_EVERY)
            {
                return;
            }
            if noted.len() >= KEYS_MAX {
                noted.clear();
            }
            noted.insert(id, now);
        }
        if let Err(error) = self.store.keys_used(vec![id], now).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the use of a key can't be noted"
            );
        }
    }
}

impl CachedCaller {
    fn of(session: Session) -> Self {
        let limits = |key: &ApiKey| KeyLimits {
            id: Some(key.id),
            name: key.name.as_str().into(),
            space: key.space.clone(),
            scope: key.scope,
        };
        Self {
            key: session.key.as_ref().map(|key| key.id),
            caller: Caller {
                key: session.key.as_ref().map(limits),
                user: session.user,
                is_operator: session.is_operator,
                memberships: session.memberships,
                version: Some(session.version),
                expires_at: session.expires_at,
                ip_address: None,
            },
        }
    }
}

#[async_trait]
impl Identity for StoreIdentity {
    async fn caller(
        &self,
        headers: &HeaderMap,
        freshness: Freshness,
    ) -> Result<Caller, IdentityError> {
        let hash = token_hash(caller_token(headers)?);
        let cached = match freshness {
            Freshness::Cached => self.known.get(&hash),
            Freshness::Now => None,
        };
        let known = match cached {
            Some(known) => known,
            None => self
                .load(hash)
                .await?
                .ok_or(IdentityError::Unauthenticated)?,
        };
        let now = self.clock.now();
        if known.caller.has_expired(now) {
            return Err(IdentityError::Expired);
        }
        if let Some(id) = known.key {
            self.note_use(id, now).await;
        }
        Ok(known.caller)
    }
}

/// The token of `Authorization: Bearer T`, the scheme in any case.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
