//! Callers who come with a token of the issuer, beside those with tokens and keys of our own.

use std::sync::Arc;

use alert_connectors_api::{
    Caller, Freshness, Identity, IdentityError, Seldom, StoreIdentity, TokenCache, caller_token,
    token_hash,
};
use alert_connectors_model::{Clock, Random};
use alert_connectors_store::{AuditSink, Session, Store, TokenHash};
use async_trait::async_trait;
use http::HeaderMap;
use jiff::Timestamp;

use crate::{Issuer, OidcOptions, OidcSignIn, Person, TokenError, accounts::Accounts};

/// The users of the store, who may also come with tokens of an issuer.
pub struct SsoIdentity {
    /// Knows the tokens and keys that this service made.
    own: StoreIdentity,
    issuer: Arc<Issuer>,
    accounts: Arc<Accounts>,
    known: TokenCache<Known>,
    refused: Seldom,
}

/// A token that was verified.
#[derive(Clone)]
struct Known {
    person: Person,
    caller: Caller,
}

/// Whether a person whom the issuer vouches for becomes a user here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewUsers {
    /// At the first sign-in.
    Create,
    /// Not by signing in.
    Refuse,
}

impl SsoIdentity {
    /// The identity of a store and an issuer.
    pub fn new(
        store: Arc<dyn Store>,
        issuer: Arc<Issuer>,
        new_users: NewUsers,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        audit_sink: Arc<dyn AuditSink>,
    ) -> Self {
        let users = Arc::<dyn Store>::clone(&store);
        Self {
            own: StoreIdentity::new(users, Arc::clone(&clock)),
            issuer,
            accounts: Arc::new(Accounts {
                store,
                new_users,
                audit_sink,
                clock,
                random,
            }),
            known: TokenCache::default(),
            refused: Seldom::default(),
        }
    }

    /// Signs the same people in at the issuer's page.
    pub fn sign_in(&self, options: OidcOptions) -> OidcSignIn {
        let accounts = Arc::clone(&self.accounts);
        OidcSignIn::new(Arc::clone(&self.issuer), accounts, options)
    }

    /// The caller of a token that was verified before; nothing if it was not.
    async fn known(
        &self,
        hash: TokenHash,
        freshness: Freshness,
    ) -> Result<Option<Caller>, IdentityError> {
        let Some(known) = self.known.get(&hash) else {
            return Ok(None);
        };
        if known.person.ends_at <= self.accounts.clock.now() {
            self.known.remove(&hash);
            return Err(IdentityError::Expired);
        }
        if freshness == Freshness::Cached {
            return Ok(Some(known.caller));
        }
        let session = self.accounts.store.session_of(&known.person.email).await?;
        let Some(session) = session else {
            self.known.remove(&hash);
            return Err(IdentityError::Unauthenticated);
        };
        Ok(Some(self.keep(hash, known.person, session)))
    }

    /// The caller of a token that was not seen before. What its claims say of spaces holds from now on.
    async fn verified(&self, token: &str, hash: TokenHash) -> Result<Caller, IdentityError> {
        let now = self.accounts.clock.now();
        let person = self.issuer.person(token, now).await;
        let person = person.map_err(|error| self.refuse(error))?;
        let session = self.accounts.admit(&person).await?;
        let session = session.ok_or(IdentityError::Unauthenticated)?;
        Ok(self.keep(hash, person, session))
    }

    /// Logs the reason, since the caller learns only that nobody is signed in.
    fn refuse(&self, error: TokenError) -> IdentityError {
        if let Some(count) = self.refused.count() {
            tracing::warn!(count, reason = %error, "a token of the issuer was refused");
        }
        match error {
            TokenError::Expired => IdentityError::Expired,
            _ => IdentityError::Unauthenticated,
        }
    }

    fn keep(&self, hash: TokenHash, person: Person, session: Session) -> Caller {
        let caller = caller(session, person.ends_at);
        let known = Known {
            person,
            caller: caller.clone(),
        };
        self.known.put(hash, known);
        caller
    }
}

fn caller(session: Session, ends_at: Timestamp) -> Caller {
    Caller {
        user: session.user,
        is_operator: session.is_operator,
        memberships: session.memberships,
        key: None,
        version: Some(session.version),
        expires_at: Some(ends_at),
        ip_address: None,
    }
}

/// No token or key of our own has a dot in it.
fn is_of_issuer(token: &str) -> bool {
    token.contains('.')
}

#[async_trait]
impl Identity for SsoIdentity {
    async fn caller(
        &self,
        headers: &HeaderMap,
        freshness: Freshness,
    ) -> Result<Caller, IdentityError> {
        let token = caller_token(headers)?;
        if !is_of_issuer(token) {
            return self.own.caller(headers, freshness).await;
        }
        let hash = token_hash(token);
        match self.known(hash, freshness).await? {
            Some(caller) => Ok(caller),
            None => self.verified(token, hash).await,
        }
    }
}
