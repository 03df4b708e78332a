//! Entering a space: identity, then the space, then access. Handlers get a space only from here: one that forgets the
//! check has no space to work on. Two others look a space up and judge access themselves: a producer's signature
//! (`routes/ingest/producer.rs`), and a host that posts without HTTP (`in_process.rs`).

use std::{net::IpAddr, sync::Arc};

use alert_connectors_model::{Role, Slug, Space};
use alert_connectors_store::Roster;
use axum::{extract::FromRequestParts, http::request::Parts};
use http::HeaderMap;

use crate::{ApiError, App, Caller, ErrorKind, Freshness, Peer, known_callers, path};

/// How often a change is authorised again because the space or permissions changed meanwhile.
pub(crate) const TRIES_MAX: usize = 5;

/// A signed-in caller, for routes without a space.
pub(crate) struct SignedIn(pub(crate) Caller);

/// A caller inside a space, as its roster was when the caller came in.
pub(crate) struct Entry {
    pub(crate) caller: Caller,
    pub(crate) role: Role,
    access: Access,
    pub(crate) roster: Arc<Roster>,
}

/// A caller who may see what would become of alerts.
pub(crate) struct Previewer(pub(crate) Entry);
/// A caller who may read.
pub(crate) struct Viewer(pub(crate) Entry);
/// A caller who may write connectors and send alerts.
pub(crate) struct Editor(pub(crate) Entry);
/// A caller who may manage members.
pub(crate) struct Admin(pub(crate) Entry);

impl Entry {
    /// Authorises the caller again, since connectors or permissions changed during the request.
    pub(crate) async fn again(&mut self, app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
        let slug = self.space().slug.to_string();
        let ip_address = self.caller.ip_address;
        *self = enter(app, headers, &slug, self.access, Freshness::Now).await?;
        self.caller.ip_address = ip_address;
        Ok(())
    }

    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.roster.space
    }

    /// Who calls.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl SignedIn {
    /// Who calls.
    pub(crate) const fn caller(&self) -> &Caller {
        &self.0
    }

    async fn of(app: &App, headers: &HeaderMap) -> Result<Self, ApiError> {
        let caller = sign_in(app, headers, Freshness::Now).await?;
        if caller.only_sends() {
            return Err(ApiError::new(
                ErrorKind::Forbidden,
                "This API key may only post alerts.",
            ));
        }
        Ok(Self(caller))
    }

    /// Authorises the caller again, since permissions changed during the request.
    pub(crate) async fn again(&mut self, app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
        let ip_address = self.0.ip_address;
        *self = Self::of(app, headers).await?;
        self.0.ip_address = ip_address;
        Ok(())
    }
}

/// Lets only operators on. A key that is narrowed to a space is none.
pub(crate) fn operator(caller: &Caller, to_do_what: &str) -> Result<(), ApiError> {
    let is_narrowed = caller.key.as_ref().is_some_and(|key| key.space.is_some());
    if caller.is_operator && !is_narrowed {
        return Ok(());
    }
    let detail = format!("Only operators may {to_do_what}.");
    Err(ApiError::new(ErrorKind::Forbidden, detail))
}

/// Makes a change if the caller still may. The transaction of the change checks that, since a body may arrive long
/// after the caller was authorised. If permissions changed, the caller is authorised again, and the expression of the
/// change evaluated again.
macro_rules! permitted {
    ($app:expr, $headers:expr, $caller:expr, $change:expr) => {{
        let mut tries = 0;
        loop {
            // Time ends a session without a change of identity that the store could notice.
            if $caller.caller().has_expired($app.clock.now()) {
                $caller.again($app, $headers).await?;
            }
            match $change {
                Err(alert_connectors_store::StoreError::Stale)
                    if tries < $crate::entry::TRIES_MAX =>
                {
                    tries += 1;
                    $caller.again($app, $headers).await?;
                }
                changed => break changed,
            }
        }
    }};
}
pub(crate) use permitted;

/// Authenticates the caller.
pub(crate) async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    freshness: Freshness,
) -> Result<Caller, ApiError> {
    let caller = app.identity.caller(headers, freshness).await?;
    known_callers::notify();
    Ok(caller)
}

/// What a caller wants in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To post alerts.
    Send,
    /// To see what would become of alerts, which a key that may only send may, too.
    Preview,
    /// What this role allows.
    Role(Role),
}

/// Lets a caller into a space.
pub(crate) async fn enter(
    app: &App,
    headers: &HeaderMap,
    slug: &str,
    access: Access,
    freshness: Freshness,
) -> Result<Entry, ApiError> {
    let caller = sign_in(app, headers, freshness).await?;
    let no_space = || ApiError::not_found("space");
    let slug = Slug::parse(slug).ok_or_else(no_space)?;
    let roster = app.roster(&slug, freshness).await?.ok_or_else(no_space)?;
    let role = role_of(app, &caller, &roster.space, access).await?;
    Ok(Entry {
        caller,
        role,
        access,
        roster,
    })
}

/// Checks that the caller may still read a space. It reads no connectors, so that a stream that stays open for hours can check
/// often.
pub(crate) async fn may_still_read(
    app: &App,
    headers: &HeaderMap,
    space: &Space,
) -> Result<(), ApiError> {
    let caller = sign_in(app, headers, Freshness::Now).await?;
    let access = Access::Role(Role::Viewer);
    role_of(app, &caller, space, access).await?;
    // A role may outlive its space: an operator's does, and one that a platform gives.
    let there = app.store.space(&space.slug).await?;
    match there {
        Some(there) if there.id == space.id => Ok(()),
        _ => Err(ApiError::not_found("space")),
    }
}

/// The caller's role in a space, if it allows what the caller wants.
async fn role_of(
    app: &App,
    caller: &Caller,
    space: &Space,
    access: Access,
) -> Result<Role, ApiError> {
    let role = app.identity.role(caller, space).await?;
    let role = role.ok_or_else(forbidden)?;
    let (needed, sends) = match access {
        Access::Send => (Role::Editor, true),
        Access::Preview => (Role::Viewer, true),
        Access::Role(role) => (role, false),
    };
    if caller.only_sends() && !sends {
        return Err(ApiError::new(
            ErrorKind::Forbidden,
            "This API key may only post alerts.",
        ));
    }
    if role < needed {
        let detail = format!(
            "This needs the role {} in the space; yours is {}.",
            needed.as_str(),
            role.as_str()
        );
        return Err(ApiError::new(ErrorKind::Forbidden, detail));
    }
    Ok(role)
}

fn forbidden() -> ApiError {
    ApiError::new(
        ErrorKind::Forbidden,
        "You have no access to this space; ask one of its admins.",
    )
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let mut signed_in = Self::of(app, &parts.headers).await?;
        signed_in.0.ip_address = origin(parts, app);
        Ok(signed_in)
    }
}

async fn enter_with(parts: &mut Parts, app: &App, access: Access) -> Result<Entry, ApiError> {
    // A path that can't be decoded names nothing, but the caller is authenticated first.
    let Some(slug) = path::last(parts, app, "slug").await else {
        sign_in(app, &parts.headers, Freshness::Now).await?;
        return Err(ApiError::not_found("space, connector, alert or member"));
    };
    let mut entry = enter(app, &parts.headers, &slug, access, Freshness::Now).await?;
    entry.caller.ip_address = origin(parts, app);
    Ok(entry)
}

/// The address of the caller's machine, as far as it can be trusted.
fn origin(parts: &Parts, app: &App) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>().copied();
    app.trusted_proxies.client(peer, &parts.headers)
}

macro_rules! accesses {
    ($($extractor:ident => $access:expr),+) => {$(
        impl FromRequestParts<App> for $extractor {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
                Ok(Self(enter_with(parts, app, $access).await?))
            }
        }
    )+};
}

accesses!(
    Previewer => Access::Preview,
    Viewer => Access::Role(Role::Viewer),
    Editor => Access::Role(Role::Editor),
    Admin => Access::Role(Role::Admin)
);
