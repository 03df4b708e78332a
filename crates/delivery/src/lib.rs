//! The engine: a queue for each destination, one request in flight in it, oldest first, until it arrives.
//!
//! [`Engine`] learns from the store what is owed and hands it to one task per busy destination, which renders, sends
//! through the [`Sender`], asks [`classify`] what the answer means and its conduct when to post next, and passes the
//! outcome to the recorder. It sees the store only through its `Queue`, and knows no database and no API.

mod answer;
mod conduct;
mod connect;
mod connections;
mod decide;
mod departure;
mod destination;
mod engine;
mod judge;
mod keeper;
mod letter;
mod line;
mod link;
mod load;
mod meters;
mod notice;
mod pace;
mod post_error;
mod proxy;
mod record;
mod resolver;
mod retry;
mod room;
mod sender;
mod test_call;
mod trust;
mod window;

pub use answer::{Answer, Body, Family, Reason, Verdict, classify};
pub use conduct::Patience;
pub use engine::{Engine, EngineOptions};
pub use meters::DeliveryMeters;
pub use notice::{AlertSpaces, Notice, Tell};
pub use pace::{Rate, Rates, duration};
pub use post_error::{CertificateFault, PostError, ProxyFault};
pub use proxy::Proxy;
pub use resolver::{Resolve, SystemResolver};
pub use retry::retry_after;
pub use sender::{Sender, SenderOptions, TimeLimits};
pub use test_call::{TestRefused, TestReport};
pub use trust::Trust;
