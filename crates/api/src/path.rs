//! The parameters of a path, by their names. A host may nest the routes under a prefix with parameters of its own, so the last
//! one of a name counts.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::{ApiError, App};

/// The parameter `id`: of a connector, an alert, a delivery or a key.
pub(crate) struct PathId(pub(crate) String);
/// The parameter `slug` of a space.
pub(crate) struct PathSlug(pub(crate) String);
/// The parameter `source`: the name of a producer.
pub(crate) struct PathSource(pub(crate) String);
/// The parameter `key`: an API key, which nobody may read in a log.
pub(crate) struct PathKey(pub(crate) String);
/// The parameter `email` of a member.
pub(crate) struct PathEmail(pub(crate) String);

/// The last parameter of a name; nothing where the path has none, or can't be decoded.
pub(crate) async fn last(parts: &mut Parts, app: &App, wanted: &str) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, app).await.ok()?;
    let of_name = parameters.iter().filter(|(name, _)| *name == wanted);
    of_name.last().map(|(_, value)| value.to_owned())
}

macro_rules! parameters {
    ($($extractor:ident => $name:literal),+) => {$(
        impl FromRequestParts<App> for $extractor {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
                let found = last(parts, app, $name).await;
                found.map(Self).ok_or_else(|| ApiError::not_found("space, connector, alert or member"))
            }
        }
    )+};
}

parameters!(PathId => "id", PathSlug => "slug", PathEmail => "email", PathSource => "source", PathKey => "key");
