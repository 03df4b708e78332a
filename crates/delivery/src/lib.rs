#![doc = include_str!("../README.md")]
#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

mod announcement;
mod announcer;
mod answer;
mod backoff;
mod block_alert;
mod connection;
mod context;
mod destination;
mod dispatcher;
#[cfg(test)]
mod drawing;
mod engine;
mod health_events;
mod lease_keeper;
mod lease_requests;
mod memory;
mod meters;
mod next_step;
mod payload;
mod rate_limit;
mod recorder;
mod registry;
mod rendered_alert;
mod send_policy;
mod space_events;
mod spans;
mod test_call;

pub use announcer::{ConnectorNotice, NotifyError, NotifySpace};
pub use answer::{Answer, Body, Family, Reason, Verdict, classify};
pub use backoff::{BackoffConfig, retry_after};
pub use block_alert::BlockAlerts;
pub use connection::{
    CertificateFault, Proxy, ProxyFault, RequestError, Resolve, Sender, SenderOptions,
    SystemResolver, TimeLimits, Trust,
};
pub use engine::{Engine, EngineOptions};
pub use meters::DeliveryMeters;
pub use rate_limit::{Rate, Rates};
pub use test_call::{TestError, TestReport, TestTarget};
