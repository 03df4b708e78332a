//! Notifications between replicas. They are only hints: without them, replicas find everything by polling.

use std::{future::poll_fn, time::Duration};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{Event, StoreError};
use alert_connectors_tasks::Tasks;
use tokio::{sync::mpsc, time};
use tokio_postgres::{AsyncMessage, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{PostgresStore, queue::destinations_of, session::Change};

const CHANNEL: &str = "alert_connectors";
/// How long to wait before listening again.
const AGAIN: Duration = Duration::from_secs(2);
// By primary key, in its order. A server that holds one of these finds the count changed, even without a notification.
const NOTE: &str = "UPDATE leases l SET changed = changed + 1 FROM (SELECT destination FROM leases
    WHERE destination = ANY ($1) ORDER BY destination FOR UPDATE) noted WHERE l.destination = noted.destination";
pub(crate) const NOTIFY: &str = "SELECT pg_notify('alert_connectors', $1)";

/// What a notification says of a destination.
#[derive(Clone, Copy)]
pub(crate) enum Word {
    /// It has more pending deliveries.
    More,
    /// Its pending deliveries, or its health, changed in another way.
    Changed,
    /// Another replica requests its lease.
    Wanted,
    /// Its lease was released, and it has pending deliveries.
    Free,
}

impl Word {
    const fn letter(self) -> char {
        match self {
            Self::More => 'm',
            Self::Changed => 'c',
            Self::Wanted => 'w',
            Self::Free => 'f',
        }
    }

    /// The notifications: in each the letter, then fingerprints in hexadecimal. PostgreSQL allows less than 8,000
    /// bytes.
    pub(crate) fn messages(self, destinations: &[[u8; 16]]) -> Vec<String> {
        destinations
            .chunks(200)
            .map(|chunk| {
                let mut message = String::from(self.letter());
                for byte in chunk.iter().flatten() {
                    message.push_str(&format!("{byte:02x}"));
                }
                message
            })
            .collect()
    }
}

/// Listens until the receiver of the events is dropped.
pub(crate) fn start(
    tasks: &Tasks,
    config: Config,
    tls: MakeRustlsConnect,
    event_sender: mpsc::Sender<Vec<Event>>,
) {
    tasks.worker("postgres-listener", async move {
        while !event_sender.is_closed() {
            if let Ok((client, connection)) = config.connect(tls.clone()).await {
                let listen = async {
                    // Notifications sent meanwhile were missed; polling finds what they said.
                    drop(client.batch_execute(&format!("LISTEN {CHANNEL}")).await);
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    () = listen => {}
                    () = hear(connection, &event_sender) => {}
                    () = event_sender.closed() => {}
                }
            }
            time::sleep(AGAIN).await;
        }
    });
}

async fn hear<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    mut connection: Connection<Socket, S>,
    event_sender: &mpsc::Sender<Vec<Event>>,
) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(said) = message {
            let events = events(said.payload());
            if !events.is_empty() && event_sender.send(events).await.is_err() {
                return;
            }
        }
    }
}

fn events(message: &str) -> Vec<Event> {
    let Some((word, names)) = message.split_at_checked(1) else {
        return Vec::new();
    };
    let event = |destination| match word {
        "m" => Some(Event::BacklogGrew(destination)),
        "c" => Some(Event::Invalidated(destination)),
        "w" => Some(Event::LeaseRequested(destination)),
        "f" => Some(Event::LeaseReleased(destination)),
        _ => None,
    };
    names
        .as_bytes()
        .chunks_exact(32)
        .filter_map(fingerprint)
        .filter_map(event)
        .collect()
}

fn fingerprint(hex: &[u8]) -> Option<Fingerprint> {
    let mut bytes = [0; 16];
    for (byte, digits) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Fingerprint(bytes))
}

impl PostgresStore {
    /// Commits a change, and notifies the engine and the other replicas.
    pub(crate) async fn commit(
        &self,
        change: Change,
        events: Vec<Event>,
    ) -> Result<(), StoreError> {
        let destinations: Vec<[u8; 16]> = destinations_of(&events).into_iter().collect();
        if !destinations.is_empty() {
            let names: Vec<&[u8]> = destinations.iter().map(|one| &one[..]).collect();
            if change.run(NOTE, &[&names]).await? > 0 {
                for message in Word::Changed.messages(&destinations) {
                    change.run(NOTIFY, &[&message]).await?;
                }
            }
        }
        // No group of alerts is under way meanwhile: what it matched its alerts with stays true until it is committed.
        change.hold_intake().await?;
        change.commit().await?;
        self.emit(events).await;
        Ok(())
    }
}
