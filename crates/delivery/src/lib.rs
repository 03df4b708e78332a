//! The delivery engine: one queue for each destination, one request in flight in it, oldest first, until it arrives.
//!
//! [`Engine`] starts everything. The dispatcher learns from the store which deliveries are pending and wakes one worker for each
//! destination that has any. A worker plans a payload, posts it through the [`Sender`], asks [`classify`] what the response
//! means and its send policy when to post next, and hands a report to the recorder, which writes it to the store.
//!
//! The engine sees the store through its queue and its leases. It knows no database and no API.

mod announcement;
mod announcer;
mod answer;
mod backoff;
mod block_alert;
mod connection;
mod context;
mod destination;
mod dispatcher;
mod engine;
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
mod test_call;

pub use announcer::{ConnectorNotice, NotifySpace};
pub use answer::{Answer, Body, Family, Reason, Verdict, classify};
pub use backoff::{BackoffConfig, retry_after};
pub use block_alert::BlockAlerts;
pub use connection::{
    CertificateFault, PostError, Proxy, ProxyFault, Resolve, Sender, SenderOptions, SystemResolver,
    TimeLimits, Trust,
};
pub use engine::{Engine, EngineOptions};
pub use meters::DeliveryMeters;
pub use rate_limit::{Rate, Rates, duration};
pub use test_call::{TestError, TestReport};
