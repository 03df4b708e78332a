//! Accepting alerts: durable with their deliveries, or not at all.

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, Connector, ConnectorId, DeliveryId, DeliveryState, TraceContext, Warning,
};
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{Expiry, Roster, StoreError};

/// Accepts alerts.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Stores the alerts of one request with their deliveries and the idempotency record, in one transaction, which
    /// it may share with other requests that wait at the same moment.
    ///
    /// When it returns [`Acceptance::Stored`], all of it is on disk and queued for delivery in the order of the set.
    /// A second call with the same idempotency key and body stores nothing, on any replica.
    async fn accept(&self, submission: Submission) -> Result<Acceptance, StoreError>;
}

/// The alerts of one request, matched and authorised.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The space that they were posted to, with the connectors that they were matched with.
    pub roster: Arc<Roster>,
    /// The version of identity that the caller was authorised with; `None` where a platform brings its own identity, or
    /// the server itself posts.
    pub identity_version: Option<i64>,
    /// Identifies a repeat of the request.
    pub idempotency: Option<Idempotency>,
    /// When the request was received, and by which rule its deliveries expire.
    pub expiry: Expiry,
    /// Connectors that were notified this long ago are reminded by the next repeat of an active problem.
    pub renotify: SignedDuration,
    /// Whether a `resolved` that ends no problem is left out instead of stored.
    pub leaves_out_idle_ends: bool,
    /// The span of the request, if it is recorded.
    pub trace: Option<TraceContext>,
    /// The alerts, in their order.
    pub alerts: Vec<NewAlert>,
}

/// A request of more rows than this is large: others would wait for it. A usual batch, 100 alerts for one connector, is
/// not.
pub const SMALL_ROWS_MAX: usize = 250;

impl Submission {
    /// Whether other requests would wait for it.
    pub fn is_large(&self) -> bool {
        self.rows() > SMALL_ROWS_MAX
    }

    /// About how many rows it may write: each alert, and each of its deliveries.
    pub fn rows(&self) -> usize {
        let deliveries = self.alerts.iter().map(|alert| alert.deliveries.len());
        self.alerts.len() + deliveries.sum::<usize>()
    }
}

/// One alert, with a delivery for each connector that it matches.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// Its id, if it is new.
    pub id: AlertId,
    /// What it says.
    pub alert: Arc<Alert>,
    /// Whether the producer said when it happened.
    pub has_own_time: bool,
    /// The same as JSON, made once for the store and for the answer.
    pub json: Arc<str>,
    /// What was corrected.
    pub warnings: Arc<[Warning]>,
    /// The deliveries that it causes, if it is new.
    pub deliveries: Vec<(DeliveryId, Arc<Connector>)>,
}

impl Submission {
    /// When the request was received.
    pub fn received_at(&self) -> Timestamp {
        self.expiry.now
    }
}

/// The idempotency key of a request. It is kept for 24 hours.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The route that it was sent to.
    pub route: Route,
    /// The key as the client made it.
    pub key: String,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
}

impl Idempotency {
    /// How long a key is remembered, in milliseconds.
    pub const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

    /// Where a request is stored in steps: the key of the step that begins with this alert. Only the first step's key
    /// can meet another body, since the others contain the body's hash.
    #[must_use]
    pub fn from(&self, alert: usize) -> Self {
        if alert == 0 {
            return self.clone();
        }
        let hash = self.body_hash.map(|byte| format!("{byte:02x}")).concat();
        Self {
            // No key that a client sends holds a space.
            key: format!("{} {alert} {hash}", self.key),
            ..self.clone()
        }
    }
}

/// The routes that take an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST …/alerts`
    Alert,
    /// `POST …/alerts/batch`
    Batch,
    /// `POST …/ingest/{source}`
    Ingest,
}

/// Result of a submission.
#[derive(Debug, Clone)]
pub enum Acceptance {
    /// It is on disk; an answer for each alert, in order.
    Stored(Vec<Accepted>),
    /// The same key and body were stored before; nothing is sent again.
    AlreadyStored(Vec<Accepted>),
    /// Connectors or identity changed since it was matched: match and authorise it again.
    Stale,
    /// The idempotency key was used with another body.
    KeyReused,
}

/// Result of posting one alert.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The alert's id; that of the active alert where one has the same `dedup_key`.
    pub id: AlertId,
    /// When the alert was first received.
    pub received_at: Timestamp,
    /// How often it was posted.
    pub occurrences: u64,
    /// What the alert says now, where it is not what was posted.
    pub current: Option<Arc<str>>,
    /// Whether it is a `resolved` that happened before the active problem began, and so ends nothing.
    pub precedes_problem: bool,
    /// Whether the store has it: an idle end is left out where the request says so.
    pub is_stored: bool,
    /// The deliveries that this request caused.
    pub deliveries: Vec<AcceptedDelivery>,
}

/// A delivery that a request caused.
#[derive(Debug, Clone)]
pub struct AcceptedDelivery {
    /// Names the delivery.
    pub id: DeliveryId,
    /// The connector that it is for.
    pub connector_id: ConnectorId,
    /// The connector's name.
    pub connector_name: String,
    /// How it stands.
    pub state: DeliveryState,
}
