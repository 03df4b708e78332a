//! The way to a webhook: names, proxies, TLS, one kept connection for each destination, and a fair bound on all of them.

mod connect;
mod departure;
mod http;
mod limit;
mod newest_first;
mod proxy;
mod request_error;
mod resolver;
mod sender;
mod slot;
mod trust;

pub(crate) use http::{BodyEnd, RequestHead, WebhookResponse};
pub(crate) use limit::{ConnectionLimit, Permit};
pub use proxy::Proxy;
pub use request_error::{CertificateFault, ProxyFault, RequestError};
pub use resolver::{Resolve, SystemResolver};
pub use sender::{Sender, SenderOptions, TimeLimits};
pub(crate) use slot::{ConnectionSlot, IDLE_MAX};
pub use trust::Trust;
