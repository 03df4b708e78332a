//! Who calls, and which spaces they may enter: the one trait that a platform implements to bring its own users.

mod elsewhere;
mod session_cookie;
mod store;
mod token_cache;

use std::{net::IpAddr, sync::Arc};

use alert_connectors_model::{KeyId, KeyScope, Role, Slug, Space, SpaceId, User};
use alert_connectors_store::StoreError;
use async_trait::async_trait;
use http::HeaderMap;
use jiff::Timestamp;

pub use elsewhere::{SignInAttempt, SignInElsewhere, SignInError};
pub use session_cookie::caller_token;
pub(crate) use session_cookie::{
    JOURNEY_COOKIE, cookie, forget_cookie, is_foreign, set_cookie, set_journey_cookie,
};
pub use store::StoreIdentity;
pub use token_cache::TokenCache;

/// Identifies callers.
#[async_trait]
pub trait Identity: Send + Sync {
    /// The caller that the request's headers name.
    ///
    /// An answer that is [`Freshness::Cached`] may be out of date if it carries a version: the store's own transaction
    /// then checks that version. Without a version it must be true now.
    async fn caller(
        &self,
        headers: &HeaderMap,
        freshness: Freshness,
    ) -> Result<Caller, IdentityError>;

    /// The caller's role in a space; `None` without access.
    async fn role(&self, caller: &Caller, space: &Space) -> Result<Option<Role>, IdentityError> {
        Ok(caller.role_in(space.id))
    }
}

/// How recent an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// True now.
    Now,
    /// True at the version that comes with it.
    Cached,
}

/// Why there is no caller.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The credentials are missing, malformed, unknown or revoked.
    #[error("nobody is signed in")]
    Unauthenticated,
    /// The credentials were good, and have ended.
    #[error("the session or key has ended")]
    Expired,
    /// The credentials are a browser's, which another site made it send.
    #[error("the session of a browser is good only for requests of the service's own pages")]
    ForeignOrigin,
    /// The source of identity does not answer.
    #[error("identity can't be checked")]
    Unavailable(#[from] StoreError),
}

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// Whether the user creates spaces and enters all of them as admin.
    pub is_operator: bool,
    /// The spaces that the user is a member of.
    pub memberships: Vec<(SpaceId, Role)>,
    /// What an API key narrows the caller to.
    pub key: Option<KeyLimits>,
    /// The version of identity that this is true at, if a store keeps one.
    pub version: Option<i64>,
    /// When the session or the key ends. A change that a request makes later is refused.
    pub expires_at: Option<Timestamp>,
    /// The address of the caller's machine, for the audit trail. The API fills it in; an identity leaves it out.
    pub ip_address: Option<IpAddr>,
}

/// What an API key narrows its user to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLimits {
    /// The key's id, if its use is to be limited by the key.
    pub id: Option<KeyId>,
    /// The key's name, for the audit trail. A clone shares it, since each request makes one.
    pub name: Arc<str>,
    /// Only this space, by its id and its slug.
    pub space: Option<(SpaceId, Slug)>,
    /// Only what this scope allows.
    pub scope: KeyScope,
}

impl Caller {
    /// Whether the session or the key has ended.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// The role in a space: admin for an operator, else by membership. A key for another space allows none.
    pub fn role_in(&self, space: SpaceId) -> Option<Role> {
        let only = self.key.as_ref().and_then(|key| key.space.as_ref());
        if only.is_some_and(|(only, _)| *only != space) {
            return None;
        }
        if self.is_operator {
            return Some(Role::Admin);
        }
        self.memberships
            .iter()
            .find(|(id, _)| *id == space)
            .map(|(_, role)| *role)
    }

    /// Whether the caller may do nothing but post alerts.
    pub fn only_sends(&self) -> bool {
        self.key
            .as_ref()
            .is_some_and(|key| key.scope == KeyScope::Send)
    }
}
