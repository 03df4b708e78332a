//! The events of a space, as a stream that stays open: what to read again, and when.

use std::{convert::Infallible, fmt::Write, sync::Arc, time::Duration};

use alert_connectors_feed::{EventId, SpaceEvent, Watcher};
use alert_connectors_model::Space;
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{self, Interval, MissedTickBehavior},
};

use crate::{
    ApiError, App,
    entry::{Viewer, may_still_read},
};

/// How often the caller's access is checked: a stream outlives an access that was lost at another server, or that time ended, by at
/// most this long.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// After this many checks in a row without an event, a heartbeat keeps the connection alive: every 15 s.
const CHECKS_A_HEARTBEAT: u32 = 3;
/// The first words: a client that loses the connection tries again after this many milliseconds.
const BEGINNING: &str = "retry: 1000\n\n";
/// It is an event without an id, since scripts of a page see no comment, and could not tell a connection that died silently.
const HEARTBEAT: &str = "event: heartbeat\ndata: {}\n\n";

/// Follow what happens in a space.
///
/// A stream of server-sent events, which say by ids what changed and hold no content: `alert` (`id`), `delivery` (`id`,
/// `connector_id`, `state`), `connector` (`id`), `health` (`connector_id`, `state`), and `resync` where more was missed than is
/// known, so that everything must be read again. Of several events about one thing within a moment, the newest is sent. A delivery
/// that expires, and changes of another kind that only time makes, cause no event.
///
/// `Last-Event-ID` continues a stream that broke, for up to five minutes. A `heartbeat` without an id comes after 15 seconds in which
/// nothing happened. The stream ends when the caller loses access.
#[utoipa::path(
    get, path = "/spaces/{slug}/events", operation_id = "followEvents", tag = "spaces",
    params(
        ("slug" = String, Path, description = "The space"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was received"),
    ),
    responses((status = 200, description = "The events, until the client ends the stream", body = String, content_type = "text/event-stream"), (status = "default", response = super::schema::AnyProblem))
)]
pub(super) async fn follow(
    State(app): State<App>,
    Viewer(entry): Viewer,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last = headers.get("last-event-id");
    // An id that this service did not give is as good as none that is kept: everything is read again.
    let last = last.map(|value| {
        value
            .to_str()
            .unwrap_or_default()
            .parse()
            .unwrap_or(EventId::UNKNOWN)
    });
    let space = entry.space();
    let watcher = app.feed.watch(space.id, last).map_err(|_too_many| {
        ApiError::unavailable(
            "Too many callers follow events; read again from time to time instead.",
        )
    })?;
    let mut checks = time::interval(CHECK_EVERY);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    checks.reset();
    let access_lost = app.access_lost.subscribe();
    let following = Following {
        space: Arc::clone(space),
        app,
        headers,
        watcher,
        checks,
        access_lost,
        quiet: 0,
        has_begun: false,
    };
    let chunks = stream::unfold(following, |mut following| async move {
        let chunk = following.next_chunk().await?;
        Some((Ok::<_, Infallible>(chunk), following))
    });
    let head = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        // A proxy that gathers an answer before it passes it on would hold back every event.
        (
            header::HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    Ok((head, Body::from_stream(chunks)).into_response())
}

/// One stream.
struct Following {
    app: App,
    space: Arc<Space>,
    /// By which the caller is authorised again.
    headers: HeaderMap,
    watcher: Watcher,
    checks: Interval,
    access_lost: watch::Receiver<()>,
    /// How many checks passed since something was sent.
    quiet: u32,
    has_begun: bool,
}

impl Following {
    /// What is sent next; `None` once the stream ends.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some(Bytes::from_static(BEGINNING.as_bytes()));
        }
        loop {
            tokio::select! {
                // A wait that is dropped loses nothing.
                batch = self.watcher.next() => {
                    self.quiet = 0;
                    return batch.map(|batch| Bytes::from(written(&batch)));
                }
                // The sender lives as long as the API.
                _changed = self.access_lost.changed() => self.check().await.ok()?,
                _tick = self.checks.tick() => {
                    self.check().await.ok()?;
                    self.quiet += 1;
                    if self.quiet >= CHECKS_A_HEARTBEAT {
                        self.quiet = 0;
                        return Some(Bytes::from_static(HEARTBEAT.as_bytes()));
                    }
                }
            }
        }
    }

    async fn check(&self) -> Result<(), ApiError> {
        may_still_read(&self.app, &self.headers, &self.space).await
    }
}

/// Events in the format of server-sent events.
fn written(batch: &[(EventId, SpaceEvent)]) -> String {
    let mut text = String::new();
    for (id, event) in batch {
        let (name, data) = match event {
            SpaceEvent::Alert(id) => ("alert", json!({"id": id.to_string()})),
            SpaceEvent::Delivery {
                id,
                connector_id,
                state,
            } => {
                let (id, connector_id) = (id.to_string(), connector_id.to_string());
                (
                    "delivery",
                    json!({"id": id, "connector_id": connector_id, "state": state.as_str()}),
                )
            }
            SpaceEvent::Connector(id) => ("connector", json!({"id": id.to_string()})),
            SpaceEvent::Health {
                connector_id,
                state,
            } => {
                let connector_id = connector_id.to_string();
                (
                    "health",
                    json!({"connector_id": connector_id, "state": state.as_str()}),
                )
            }
            SpaceEvent::Resync => ("resync", json!({})),
        };
        let line = writeln!(text, "id: {id}\nevent: {name}\ndata: {data}\n");
        line.expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::ConnectorId;
    use alert_connectors_store::HealthState;

    use super::*;

    #[test]
    fn events_are_written_as_browsers_read_them() {
        let id: EventId = "1790000000000-7-a".parse().unwrap();
        let health = SpaceEvent::Health {
            connector_id: ConnectorId::from_bytes([1; 16]),
            state: HealthState::Blocked,
        };
        let expected = "id: 1790000000000-7-a\nevent: health\n\
            data: {\"connector_id\":\"01010101-0101-0101-0101-010101010101\",\"state\":\"blocked\"}\n\n\
            id: 1790000000000-7-a\nevent: resync\ndata: {}\n\n";
        assert_eq!(written(&[(id, health), (id, SpaceEvent::Resync)]), expected);
    }
}
