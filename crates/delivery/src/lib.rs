//! The engine: a queue for each destination, one request in flight in it, oldest first, until it arrives.
//!
//! [`Engine`] learns from the store what is owed and hands it to one task per busy destination, which renders, sends
//! through the [`Sender`], asks [`classify`] what the answer means and [`retry`] when to try again, and passes the
//! outcome to the recorder. It sees the store only through its `Queue`, and knows no database and no API.

mod answer;
mod destination;
mod engine;
mod letter;
mod link;
mod record;
mod resolver;
mod retry;
mod sender;
mod test_call;
mod window;

pub use answer::{Answer, Family, Reason, Verdict, classify};
pub use engine::{Engine, EngineOptions};
pub use resolver::{Resolve, SystemResolver};
pub use retry::{backoff, retry_after};
pub use sender::{PostError, Proxy, Sender, SenderOptions, TimeLimits, Trust};
pub use test_call::{TestRefused, TestReport};
