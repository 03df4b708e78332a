//! The HTTP API: routes, identity, problem details and OpenAPI.
//!
//! It knows no SQL and renders nothing. A platform that is written in Rust nests [`router`] in its own axum app, under a prefix of
//! its choice, and brings its own users by implementing [`Identity`]:
//!
//! ```
//! # fn mount(app: &alert_connectors_api::App) -> axum::Router {
//! axum::Router::new().nest("/notifications", alert_connectors_api::router(app))
//! # }
//! ```
//!
//! [`operations_router`] has the probes and the metrics, for platforms without their own. [`people_router`] is the API of the
//! identity that comes with this service. None of them has a fallback.

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
mod serialised;
mod surrogates;
mod turn;
mod unread;

pub use app::{App, AppOptions};
pub use head::HeadFault;
pub use identity::{Caller, Freshness, Identity, IdentityError, KeyLimits, StoreIdentity};
pub use known_callers::telling_of_callers;
pub use openapi::openapi_json;
pub use passwords::{Password, Passwords, new_token, token_hash};
pub use peer::{Peer, TrustedProxies};
pub use problem::{Problem, ProblemKind};
pub use routes::{METRICS_PREFIX, operations_router, people_router, router, whole};
