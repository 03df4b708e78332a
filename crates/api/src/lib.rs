//! The HTTP API: routes, identity, problem details and OpenAPI.
//!
//! It knows no SQL and renders nothing. A platform that is written in Rust mounts [`router`] in its own axum app and
//! brings its own people by implementing [`Identity`]; [`people_router`] is the API of the identity that comes with this
//! service, and such a platform leaves it out.

mod app;
mod body;
mod body_budget;
mod entry;
mod head;
mod heavy;
mod identity;
mod known_callers;
mod list_body;
mod meters;
mod non_finite;
mod openapi;
mod page;
mod passwords;
mod peer;
mod problem;
mod query;
mod rosters;
mod routes;
mod surrogates;
mod turn;
mod unread;

pub use app::{App, AppOptions};
pub use head::HeadFault;
pub use identity::{Caller, Freshness, Identity, IdentityError, StoreIdentity};
pub use known_callers::telling_of_callers;
pub use openapi::openapi_json;
pub use passwords::{Password, Passwords, new_token, token_hash};
pub use peer::{Peer, TrustedProxies};
pub use problem::{Problem, ProblemKind};
pub use routes::{METRICS_PREFIX, people_router, router, whole};
