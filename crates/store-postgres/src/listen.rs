//! Notifications between replicas. They are only hints: without them, replicas find everything by polling.

use std::{future::poll_fn, sync::Arc, time::Duration};

use alert_connectors_model::Fingerprint;
use alert_connectors_store::{Effect, Relay, Relayed, StoreError, StoreEvent};
use alert_connectors_tasks::Tasks;
use tokio::{
    sync::mpsc,
    time::{self, Interval},
};
use tokio_postgres::{AsyncMessage, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use crate::{PostgresStore, connection::Change, queue::destinations_of, sign_of_life::SignOfLife};

/// What concerns the engine, and what servers relay to each other.
const CHANNEL: &str = "alert_connectors";
const RELAY_CHANNEL: &str = "alert_connectors_relay";
/// At most this many relayed messages wait to be taken; beyond that, they are lost.
pub(crate) const RELAYED_MAX: usize = 1_000;
/// How long to wait before listening again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(5);
// By primary key, in its order. A server that holds one of these finds the count changed, even without a notification.
const NOTE: &str = "UPDATE leases l SET changed = changed + 1 FROM (SELECT destination FROM leases
    WHERE destination = ANY ($1) ORDER BY destination FOR UPDATE) noted WHERE l.destination = noted.destination";
pub(crate) const NOTIFY: &str = "SELECT pg_notify('alert_connectors', $1)";
const RELAY: &str = "SELECT pg_notify('alert_connectors_relay', $1)";

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

/// How a replica listens.
pub(crate) struct Listener {
    config: Config,
    tls: MakeRustlsConnect,
    replica: Uuid,
    sign_of_life: Arc<SignOfLife>,
}

/// Listens until the receiver of the events is dropped.
pub(crate) fn start(
    tasks: &Tasks,
    listener: Listener,
    event_sender: mpsc::Sender<Vec<StoreEvent>>,
    relayed: RelayedSender,
) {
    tasks.worker("postgres-listener", async move {
        while !event_sender.is_closed() {
            listener.session(&event_sender, &relayed).await;
            if listener.sign_of_life.end() {
                // Others may take this replica for dead, until it has renewed its leases without the sign.
                drop(event_sender.send(vec![StoreEvent::LeasesInDoubt]).await);
            }
            time::sleep(AGAIN).await;
        }
    });
}

impl Listener {
    pub(crate) const fn new(
        config: Config,
        tls: MakeRustlsConnect,
        replica: Uuid,
        sign_of_life: Arc<SignOfLife>,
    ) -> Self {
        Self {
            config,
            tls,
            replica,
            sign_of_life,
        }
    }

    /// Listens for as long as a session lasts.
    async fn session(&self, event_sender: &mpsc::Sender<Vec<StoreEvent>>, relayed: &RelayedSender) {
        let connecting = self.config.connect(self.tls.clone());
        let Ok(Ok((client, connection))) = time::timeout(CONNECT_MAX, connecting).await else {
            return;
        };
        let listen = async {
            let listen = format!("LISTEN {CHANNEL}; LISTEN {RELAY_CHANNEL}");
            if client.batch_execute(&listen).await.is_err() {
                return;
            }
            // Notifications sent meanwhile were missed; polling finds what those for the engine said.
            relayed.lost();
            if self.sign_of_life.show(&client, self.replica).await.is_err() {
                return;
            }
            if self.sign_of_life.was_shown_before() {
                // They may be in doubt since the previous session ended.
                drop(event_sender.send(vec![StoreEvent::LeasesInDoubt]).await);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = listen => {}
            () = hear(connection, event_sender, relayed) => {}
            () = event_sender.closed() => {}
        }
    }
}

/// Passes on what servers relay, and notes when messages were lost.
pub(crate) struct RelayedSender {
    messages: mpsc::Sender<Relayed>,
    /// Holds one note that messages were lost.
    lost: mpsc::Sender<Relayed>,
}

/// What servers relay.
pub(crate) struct RelayedReceiver {
    messages: mpsc::Receiver<Relayed>,
    lost: mpsc::Receiver<Relayed>,
    /// Where nobody listens, everything is lost, time and again.
    deaf: Option<Interval>,
}

/// How often a server that does not listen is told that it missed something.
const DEAF_EVERY: Duration = Duration::from_secs(2);

/// A bounded way for what servers relay, to one that listens or not.
pub(crate) fn relayed(listens: bool) -> (RelayedSender, RelayedReceiver) {
    let (messages, messages_received) = mpsc::channel(RELAYED_MAX);
    let (lost, lost_received) = mpsc::channel(1);
    let receiver = RelayedReceiver {
        messages: messages_received,
        lost: lost_received,
        deaf: (!listens).then(|| time::interval(DEAF_EVERY)),
    };
    (RelayedSender { messages, lost }, receiver)
}

impl RelayedSender {
    fn pass(&self, message: &str) {
        let relayed = Relayed::Message(message.to_owned());
        if self.messages.try_send(relayed).is_err() {
            self.lost();
        }
    }

    fn lost(&self) {
        // One that is there already says the same.
        drop(self.lost.try_send(Relayed::Lost));
    }
}

impl RelayedReceiver {
    async fn next(&mut self) -> Relayed {
        if let Some(deaf) = &mut self.deaf {
            deaf.tick().await;
            return Relayed::Lost;
        }
        let next = tokio::select! {
            biased;
            message = self.messages.recv() => message,
            lost = self.lost.recv() => lost,
        };
        match next {
            Some(relayed) => relayed,
            // Nobody listens any more.
            None => std::future::pending().await,
        }
    }
}

#[async_trait::async_trait]
impl Relay for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    async fn relay(&self, message: &str) -> Result<(), StoreError> {
        self.read(async |connection| connection.run(RELAY, &[&message]).await.map(drop))
            .await
    }

    async fn next_relayed(&self) -> Relayed {
        self.shared.relayed.lock().await.next().await
    }
}

async fn hear<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    mut connection: Connection<Socket, S>,
    event_sender: &mpsc::Sender<Vec<StoreEvent>>,
    relayed: &RelayedSender,
) {
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(said) = message {
            if said.channel() == RELAY_CHANNEL {
                relayed.pass(said.payload());
                continue;
            }
            let events = events(said.payload());
            if !events.is_empty() && event_sender.send(events).await.is_err() {
                return;
            }
        }
    }
}

fn events(message: &str) -> Vec<StoreEvent> {
    let Some((word, names)) = message.split_at_checked(1) else {
        return Vec::new();
    };
    let event = |destination| match word {
        "m" => Some(StoreEvent::BacklogGrew(destination)),
        "c" => Some(StoreEvent::Invalidated(destination)),
        "w" => Some(StoreEvent::LeaseRequested(destination)),
        "f" => Some(StoreEvent::LeaseReleased(destination)),
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
    /// Ends a change with its answer, and notifies the engine and the other replicas.
    pub(crate) async fn end<T: Effect>(
        &self,
        change: Change,
        events: Vec<StoreEvent>,
        answer: T,
    ) -> Result<T, StoreError> {
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
        change.block_intake().await?;
        let answer = change.end(answer).await?;
        self.emit(events).await;
        Ok(answer)
    }
}
