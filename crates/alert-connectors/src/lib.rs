#![doc = include_str!("../README.md")]

mod builder;
mod database;
mod embedded;
mod random;
mod retention;
mod settings;
mod wiring;

pub use alert_connectors_api::{
    ApiError, Caller, ErrorKind, FixedQuotas, Freshness, Identity, IdentityError, KeyLimits, Peer,
    PostedAlert, Quota, Quotas,
};
pub use alert_connectors_delivery::{Proxy, Rate, Rates, Resolve, SystemResolver, Trust};
pub use alert_connectors_model as model;
pub use alert_connectors_model::{
    AddressPolicy, ConnectorType, Email, HostPattern, Random, Role, Slug, Space, SpaceId, UrlRules,
    User, UserId,
};
pub use alert_connectors_store::{self as store, Store, StoreError, Use};
pub use alert_connectors_tasks::Tasks;
pub use alert_connectors_traces::{SampleRatio, Span, SpanKind, SpanSink, SpanValue, Tracer};

pub use builder::Builder;
pub use database::{Database, DatabaseUrl, OpenError};
pub use embedded::{AlertConnectors, PostError, SpaceError};
pub use random::{SystemRandom, own_names};
pub use settings::StartError;
