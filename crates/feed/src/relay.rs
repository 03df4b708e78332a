//! The task of the feed: it tells the other servers what happens here and what is watched here, hears the same of them, and
//! forgets what is old.

use std::{fmt::Write, sync::Arc, time::Duration};

use alert_connectors_model::SpaceId;
use alert_connectors_store::{Relay, Relayed};
use tokio::time::{self, Instant, MissedTickBehavior};

use crate::{Feed, SpaceEvent};

/// How often the other servers are told what is watched here, and what is old is forgotten.
const EVERY: Duration = Duration::from_secs(10);
/// How long events are gathered before they are relayed.
const GATHER: Duration = Duration::from_millis(100);
/// A message has at most this many bytes; PostgreSQL allows less than 8,000.
const MESSAGE_BYTES_MAX: usize = 7_000;

/// Runs until the feed ends.
pub async fn run(feed: Feed, relay: Arc<dyn Relay>) {
    let closing = feed.0.closing.clone();
    let mut every = time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Until when nothing is relayed, so that what happens at one moment goes together.
    let mut gathering: Option<Instant> = None;
    loop {
        let gathered = async {
            match gathering {
                Some(until) => time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = closing.cancelled() => return,
            // A receive that is cancelled loses nothing.
            relayed = relay.next_relayed() => hear(&feed, relayed),
            () = feed.0.to_relay.notified(), if gathering.is_none() => {
                announce(&feed, &*relay, true).await;
                gathering = Some(Instant::now() + GATHER);
            }
            () = gathered => {
                gathering = None;
                relay_events(&feed, &*relay).await;
            }
            _tick = every.tick() => {
                feed.tidy();
                announce(&feed, &*relay, false).await;
            }
        }
    }
}

/// Announces to the other servers the spaces that callers of this one watch: all of them, or only new ones.
async fn announce(feed: &Feed, relay: &dyn Relay, only_new: bool) {
    if !relay.is_shared() {
        return;
    }
    let watched = feed.watched_here(only_new);
    for message in messages(&format!("{:x} w", feed.server()), &watched) {
        if relay.relay(&message).await.is_err() {
            // The next round announces it again.
            return;
        }
    }
    feed.announced(&watched);
}

/// Relays to the other servers what happened in the spaces that they watch.
async fn relay_events(feed: &Feed, relay: &dyn Relay) {
    for (space, events) in feed.take_outgoing() {
        for message in messages(&format!("{:x} e {space}", feed.server()), &events) {
            if let Err(error) = relay.relay(&message).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "events can't be relayed to the other servers"
                );
                return;
            }
        }
    }
}

/// The messages that begin with some words and list some things, each no longer than it may be.
fn messages(beginning: &str, things: &[impl std::fmt::Display]) -> Vec<String> {
    let mut messages = Vec::new();
    let mut message = String::new();
    for thing in things {
        if message.is_empty() {
            message.push_str(beginning);
        }
        let written = write!(message, " {thing}");
        written.expect("a string takes everything");
        // The longest thing has fewer than 100 bytes.
        if message.len() > MESSAGE_BYTES_MAX - 100 {
            messages.push(std::mem::take(&mut message));
        }
    }
    if !message.is_empty() {
        messages.push(message);
    }
    messages
}

/// Takes in what another server said.
fn hear(feed: &Feed, relayed: Relayed) {
    let message = match relayed {
        Relayed::Message(message) => message,
        Relayed::Lost => return feed.resync_all(),
    };
    let mut words = message.split(' ');
    let server = words
        .next()
        .and_then(|word| u32::from_str_radix(word, 16).ok());
    if server.is_none_or(|server| server == feed.server()) {
        return;
    }
    match words.next() {
        Some("w") => feed.watched_elsewhere(words.filter_map(|word| word.parse().ok())),
        Some("e") => {
            let space: Option<SpaceId> = words.next().and_then(|word| word.parse().ok());
            if let Some(space) = space {
                // A server of another version may tell what is not known here.
                let event = |word: &str| word.parse().unwrap_or(SpaceEvent::Resync);
                feed.receive(space, words.map(event));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
