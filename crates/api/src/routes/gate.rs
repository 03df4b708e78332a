//! Authorises callers who post alerts over HTTP, from memory first.

use http::HeaderMap;

use crate::{
    ApiError, App, Freshness,
    accept::{Grant, Poster},
    entry::{Access, Entry, enter},
};

/// Authorises a caller who posts alerts to a space.
pub(super) struct Gate<'r> {
    app: &'r App,
    headers: &'r HeaderMap,
    slug: &'r str,
}

impl<'r> Gate<'r> {
    pub(super) const fn new(app: &'r App, headers: &'r HeaderMap, slug: &'r str) -> Self {
        Self { app, headers, slug }
    }

    /// Authorises the caller from memory; the store checks that when it accepts.
    pub(super) async fn enter(&self) -> Result<Grant, ApiError> {
        match self.entry(Freshness::Cached).await {
            Ok(entry) => Ok(entry.into()),
            // A refusal that rests on memory is checked before it is given.
            Err(_refused) => self.grant().await,
        }
    }

    async fn entry(&self, freshness: Freshness) -> Result<Entry, ApiError> {
        enter(self.app, self.headers, self.slug, Access::Send, freshness).await
    }
}

impl Poster for Gate<'_> {
    async fn grant(&self) -> Result<Grant, ApiError> {
        self.entry(Freshness::Now).await.map(Grant::from)
    }
}

impl From<Entry> for Grant {
    fn from(entry: Entry) -> Self {
        Self {
            identity_version: entry.caller.version,
            expires_at: entry.caller.expires_at,
            key: entry.caller.key.and_then(|key| key.id),
            roster: entry.roster,
        }
    }
}
