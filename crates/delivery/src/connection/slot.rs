//! What a worker keeps for its webhook between requests: the connection, its permit, and the head of its requests.

use std::time::Duration;

use alert_connectors_model::WebhookUrl;
use tokio::time::Instant;

use super::{http::HttpConnection, http::RequestHead, limit::Permit};

/// An idle connection is closed after this long.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(15);

/// The connection to one webhook, the permit to hold it open, and the head of its requests.
#[derive(Default)]
pub(crate) struct ConnectionSlot {
    pub(crate) connection: Option<HttpConnection>,
    pub(crate) permit: Option<Permit>,
    pub(crate) head: Option<(WebhookUrl, RequestHead)>,
    last_used: Option<Instant>,
}

impl ConnectionSlot {
    /// Makes the head for this URL; a new URL also means a new connection.
    pub(crate) fn prepare(&mut self, url: &WebhookUrl) {
        if self.head.as_ref().is_none_or(|(known, _)| known != url) {
            self.connection = None;
            self.head = RequestHead::of(url).map(|head| (url.clone(), head));
        }
    }

    pub(crate) fn used(&mut self, now: Instant) {
        self.last_used = Some(now);
    }

    pub(crate) fn close(&mut self) {
        self.connection = None;
        self.permit = None;
    }

    pub(crate) fn idle_since(&mut self) -> Instant {
        *self.last_used.get_or_insert_with(Instant::now)
    }

    pub(crate) fn is_idle_for_long(&mut self) -> bool {
        self.idle_since().elapsed() >= IDLE_MAX
    }

    /// Closes a connection that is probably closed at the other end, or on the way there, by now.
    pub(crate) fn close_if_idle_for_long(&mut self, now: Instant) {
        if self.connection.is_some() && now.duration_since(self.idle_since()) >= IDLE_MAX {
            self.connection = None;
        }
    }

    pub(crate) async fn closed(&mut self) {
        match &mut self.connection {
            Some(connection) => connection.closed().await,
            None => std::future::pending().await,
        }
    }
}
