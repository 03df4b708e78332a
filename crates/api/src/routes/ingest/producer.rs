//! Checks that a producer may post its body. It shows a session token or an API key (as a bearer token, as the password of basic
//! authentication or, from PagerDuty's clients, in the body), or signs the body with the secret that the space has set for the source.

use std::sync::Arc;

use alert_connectors_ingest::{Signature, Source};
use alert_connectors_model::Slug;
use alert_connectors_store::{Roster, SourceSecret};
use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header};

use super::super::gate::Gate;
use crate::{
    ApiError, App, ErrorKind, Freshness,
    accept::{Grant, Poster},
    body::{self, BATCH_BYTES_MAX, BODY_BYTES_MAX, Received},
    body_budget::CallerKind,
    known_callers,
};

/// The producer behind a request.
pub(super) struct Producer<'r> {
    app: &'r App,
    slug: &'r str,
    source: Source,
    headers: HeaderMap,
}

/// The body of a producer that may post it.
pub(super) struct Permitted<'r> {
    pub(super) producer: Producer<'r>,
    pub(super) body: Received,
    /// The right to post, as of when the body was permitted.
    pub(super) first: Grant,
}

impl<'r> Producer<'r> {
    /// Reads the body of a producer, and checks that it may post to the space.
    pub(super) async fn permitted(
        app: &'r App,
        slug: &'r str,
        source: &str,
        headers: HeaderMap,
        request: Body,
    ) -> Result<Permitted<'r>, ApiError> {
        let headers = with_media_type(with_bearer(headers));
        let Some(source) = Source::parse(source) else {
            // Only who may post learns what there is.
            Gate::new(app, &headers, slug).grant().await?;
            return Err(no_source());
        };
        let mut producer = Self {
            app,
            slug,
            source,
            headers,
        };
        if producer.shows_who_it_is_first().await? {
            let gate = producer.gate();
            // The roster in memory is the one that was just read. The store checks both versions when it accepts.
            let first = producer.without_secret(gate.enter().await?)?;
            let body = body::read(app, &producer.headers, request, BATCH_BYTES_MAX).await;
            let body = gate.authorised_for_errors(body).await?;
            return Ok(Permitted {
                producer,
                body,
                first,
            });
        }
        let sender = CallerKind::Stranger;
        let body = body::read_from(app, sender, &producer.headers, request, BODY_BYTES_MAX).await?;
        producer.take_key_from(&body)?;
        let first = producer.authorise(&body).await?;
        Ok(Permitted {
            producer,
            body,
            first,
        })
    }

    /// Whether the head of the request is enough to authorise it.
    async fn shows_who_it_is_first(&self) -> Result<bool, ApiError> {
        if self.source.has_key_in_body() && !self.headers.contains_key(header::AUTHORIZATION) {
            return Ok(false);
        }
        let roster = self.roster().await?;
        let secret = roster.as_deref().map(|roster| self.secret(roster));
        Ok(secret.is_none_or(|secret| *secret == SourceSecret::None))
    }

    fn take_key_from(&mut self, body: &Received) -> Result<(), ApiError> {
        if !self.source.has_key_in_body() || self.headers.contains_key(header::AUTHORIZATION) {
            return Ok(());
        }
        let mended = body::mended(body);
        let key = self.source.key_in_body(&body::parse(&mended)?);
        if let Some(bearer) = key.and_then(|key| bearer(key.expose())) {
            self.headers.insert(header::AUTHORIZATION, bearer);
        }
        Ok(())
    }

    /// The right to post this body, authorised now: not from memory, since the space's settings for the source may have changed.
    async fn authorise(&self, body: &[u8]) -> Result<Grant, ApiError> {
        let Some(roster) = self.roster().await? else {
            return self.gate().grant().await;
        };
        let header = |name: &str| self.headers.get(name)?.to_str().ok();
        let now = self.app.clock.now();
        match self.secret(&roster) {
            SourceSecret::None => return self.without_secret(self.gate().grant().await?),
            SourceSecret::Damaged => return Err(damaged()),
            SourceSecret::Set(secret) => match self.source.signature(secret, &header, body, now) {
                Signature::Valid => {}
                Signature::OutOfTime => return Err(signed_at_another_time()),
                Signature::Invalid => return Err(unsigned()),
            },
        }
        known_callers::notify();
        Ok(Grant {
            roster,
            identity_version: None,
            expires_at: None,
            key: None,
        })
    }

    /// The right of a token or a key, which is enough only where the space has set no secret.
    fn without_secret(&self, grant: Grant) -> Result<Grant, ApiError> {
        match self.secret(&grant.roster) {
            SourceSecret::None => Ok(grant),
            SourceSecret::Set(_) | SourceSecret::Damaged => Err(unsigned()),
        }
    }

    async fn roster(&self) -> Result<Option<Arc<Roster>>, ApiError> {
        match Slug::parse(self.slug) {
            Some(slug) => self.app.roster(&slug, Freshness::Now).await,
            None => Ok(None),
        }
    }

    fn secret<'s>(&self, roster: &'s Roster) -> &'s SourceSecret {
        let settings = roster.source(self.source.name());
        settings.map_or(&SourceSecret::None, |settings| &settings.secret)
    }

    pub(super) const fn source(&self) -> Source {
        self.source
    }

    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    fn gate(&self) -> Gate<'_> {
        Gate::new(self.app, &self.headers, self.slug)
    }
}

impl Poster for Permitted<'_> {
    async fn grant(&self) -> Result<Grant, ApiError> {
        self.producer.authorise(&self.body).await
    }
}

fn unsigned() -> ApiError {
    let detail = "The space has set a secret for this source, and the body is not signed with it.";
    ApiError::new(ErrorKind::Unauthenticated, detail)
}

fn signed_at_another_time() -> ApiError {
    let detail = "The body is signed with the space's secret, but at a time that is more than 5 minutes from now by this server's clock. Synchronise the clocks of both machines, and send it again.";
    ApiError::new(ErrorKind::Unauthenticated, detail)
}

fn damaged() -> ApiError {
    let detail =
        "The secret that the space has set for this source can't be opened any more; set it again.";
    ApiError::new(ErrorKind::Unauthenticated, detail)
}

pub(super) fn no_source() -> ApiError {
    let names: Vec<&str> = Source::ALL.into_iter().map(Source::name).collect();
    let detail = format!(
        "There is no such source; the sources are {}.",
        names.join(", ")
    );
    ApiError::new(ErrorKind::NotFound, detail)
}

/// Some producers don't say what they send, such as Prefect's action that calls a webhook.
pub(super) fn with_media_type(mut headers: HeaderMap) -> HeaderMap {
    let json = HeaderValue::from_static("application/json");
    if headers.contains_key("ce-specversion") {
        // In binary mode it is an attribute of the event, whose data need not be JSON.
        if let Some(media_type) = headers.insert(header::CONTENT_TYPE, json) {
            headers.insert("ce-datacontenttype", media_type);
        }
    } else {
        headers.entry(header::CONTENT_TYPE).or_insert(json);
    }
    headers
}

/// The headers, with the password of basic authentication as the bearer's token.
fn with_bearer(mut headers: HeaderMap) -> HeaderMap {
    let bearer = headers.get(header::AUTHORIZATION).and_then(password);
    if let Some(bearer) = bearer {
        headers.insert(header::AUTHORIZATION, bearer);
    }
    headers
}

fn password(authorization: &HeaderValue) -> Option<HeaderValue> {
    let (scheme, credentials) = authorization.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let credentials = String::from_utf8(BASE64_STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (_user, password) = credentials.split_once(':')?;
    bearer(password)
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}
