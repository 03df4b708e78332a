#![doc = include_str!("../README.md")]

mod accept;
mod answer_room;
mod api_error;
mod app;
mod body;
mod body_budget;
mod cursor;
mod date_header;
mod entry;
mod head;
mod heavy;
mod identity;
mod in_process;
mod known_callers;
mod list_body;
mod meters;
mod non_finite;
mod openapi;
mod page;
mod passwords;
mod path;
mod peer;
mod query;
mod quotas;
mod request_trace;
mod resting_queue;
mod rosters;
mod routes;
mod seldom;
mod serialised;
mod surrogates;
mod test_limit;
mod trail;
mod unread;

pub use api_error::{ApiError, ErrorKind};
pub use app::{App, AppOptions};
pub use body::mended;
pub use head::HeadFault;
pub use identity::{
    Caller, Freshness, Identity, IdentityError, KeyLimits, SignInAttempt, SignInElsewhere,
    SignInError, StoreIdentity, TokenCache, caller_token,
};
pub use in_process::PostedAlert;
pub use known_callers::notifying_of_callers;
pub use openapi::openapi_json;
pub use passwords::{Password, Passwords, new_token, token_hash};
pub use peer::{Peer, TrustedProxies};
pub use quotas::{FixedQuotas, Quota, Quotas};
pub use routes::{
    METRICS_PREFIX, Metrics, metrics_router, operations_router, router, users_router, whole,
};
pub use seldom::Seldom;
pub use trail::AuditLog;
