//! Entering a space: identity, then the space, then access. Handlers get a space only through here, so that one that
//! forgets the check has nothing to work on.

use std::sync::Arc;

use alert_connectors_model::{Role, Slug, Space};
use alert_connectors_store::Roster;
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use http::HeaderMap;

use crate::{App, Caller, Freshness, Problem, ProblemKind};

/// A signed-in caller, wherever a space does not matter.
pub(crate) struct SignedIn(pub(crate) Caller);

/// A caller inside a space, as its roster was when the caller came in.
pub(crate) struct Entry {
    pub(crate) caller: Caller,
    pub(crate) role: Role,
    pub(crate) roster: Arc<Roster>,
}

/// A caller who may read.
pub(crate) struct Viewer(pub(crate) Entry);
/// A caller who may write connectors and send alerts.
pub(crate) struct Editor(pub(crate) Entry);
/// A caller who may manage members.
pub(crate) struct Admin(pub(crate) Entry);

impl Entry {
    /// Reads the space's connectors again, since they changed while the request was worked on.
    pub(crate) async fn read_again(&mut self, app: &App) -> Result<(), Problem> {
        let slug = self.space().slug.clone();
        let roster = app.roster(&slug, Freshness::Now).await?;
        self.roster = roster.ok_or_else(|| Problem::not_found("space"))?;
        Ok(())
    }

    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.roster.space
    }
}

/// Who calls.
pub(crate) async fn sign_in(
    app: &App,
    headers: &HeaderMap,
    freshness: Freshness,
) -> Result<Caller, Problem> {
    app.identity
        .caller(headers, freshness)
        .await
        .map_err(Problem::from)
}

/// What a caller wants in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// To post alerts.
    Send,
    /// Whatever the role allows.
    Role(Role),
}

/// Lets a caller into a space.
pub(crate) async fn enter(
    app: &App,
    headers: &HeaderMap,
    slug: &str,
    wanted: Wanted,
    freshness: Freshness,
) -> Result<Entry, Problem> {
    let caller = sign_in(app, headers, freshness).await?;
    let no_space = || Problem::not_found("space");
    let slug = Slug::parse(slug).ok_or_else(no_space)?;
    let roster = app.roster(&slug, freshness).await?.ok_or_else(no_space)?;
    let role = app.identity.role(&caller, &roster.space).await?;
    let role = role.ok_or_else(forbidden)?;
    let (needed, sends) = match wanted {
        Wanted::Send => (Role::Editor, true),
        Wanted::Role(role) => (role, false),
    };
    if caller.only_sends() && !sends {
        return Err(Problem::new(
            ProblemKind::Forbidden,
            "This API key may only post alerts.",
        ));
    }
    if role < needed {
        let detail = format!(
            "This needs the role {} in the space; yours is {}.",
            needed.as_str(),
            role.as_str()
        );
        return Err(Problem::new(ProblemKind::Forbidden, detail));
    }
    Ok(Entry {
        caller,
        role,
        roster,
    })
}

fn forbidden() -> Problem {
    Problem::new(
        ProblemKind::Forbidden,
        "You have no access to this space; ask one of its admins.",
    )
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = sign_in(app, &parts.headers, Freshness::Now).await?;
        if caller.only_sends() {
            return Err(Problem::new(
                ProblemKind::Forbidden,
                "This API key may only post alerts.",
            ));
        }
        Ok(Self(caller))
    }
}

async fn enter_with(parts: &mut Parts, app: &App, role: Role) -> Result<Entry, Problem> {
    // A path that can't be decoded names nothing, but who calls is told first.
    let Ok(parameters) = RawPathParams::from_request_parts(parts, app).await else {
        sign_in(app, &parts.headers, Freshness::Now).await?;
        return Err(Problem::not_found("space, connector, alert or member"));
    };
    let slug = parameters
        .iter()
        .find(|(name, _)| *name == "slug")
        .map(|(_, slug)| slug.to_owned());
    enter(
        app,
        &parts.headers,
        &slug.unwrap_or_default(),
        Wanted::Role(role),
        Freshness::Now,
    )
    .await
}

macro_rules! roles {
    ($($extractor:ident => $role:ident),+) => {$(
        impl FromRequestParts<App> for $extractor {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
                Ok(Self(enter_with(parts, app, Role::$role).await?))
            }
        }
    )+};
}

roles!(Viewer => Viewer, Editor => Editor, Admin => Admin);
