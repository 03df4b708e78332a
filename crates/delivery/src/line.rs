//! The line to one destination: its connection, its place among all connections, and the head of its requests.

use std::time::Duration;

use alert_connectors_model::WebhookUrl;
use tokio::time::Instant;

use crate::{
    connections::Permit,
    link::{Link, RequestHead},
};

/// A connection that carried nothing for so long is closed.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(15);

/// The connection of a destination, its place among all connections, and the head of its requests.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) link: Option<Link>,
    pub(crate) permit: Option<Permit>,
    pub(crate) head: Option<(WebhookUrl, RequestHead)>,
    last_used: Option<Instant>,
}

impl Line {
    /// Makes the head for this URL; a new URL also means a new connection.
    pub(crate) fn prepare(&mut self, url: &WebhookUrl) {
        if self.head.as_ref().is_none_or(|(known, _)| known != url) {
            self.link = None;
            self.head = RequestHead::of(url).map(|head| (url.clone(), head));
        }
    }

    pub(crate) fn used(&mut self, now: Instant) {
        self.last_used = Some(now);
    }

    pub(crate) fn hang_up(&mut self) {
        self.link = None;
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
        if self.link.is_some() && now.duration_since(self.idle_since()) >= IDLE_MAX {
            self.link = None;
        }
    }

    pub(crate) async fn closed(&mut self) {
        match &mut self.link {
            Some(link) => link.closed().await,
            None => std::future::pending().await,
        }
    }
}
