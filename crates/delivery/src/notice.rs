//! Telling a space that one of its connectors is blocked, and that it no longer is: by an alert like any other.
//!
//! What is to be told is read from the standing that is on disk, so a crash between a block and its notice loses nothing.

use std::{sync::Arc, time::Duration};

use alert_connectors_model::{
    Alert, AlertId, AlertStatus, AlertType, Clock, Connector, DeliveryId, DescriptionFormat, Field,
    FieldValue, Fingerprint, Matched, Random, Severity, Space,
};
use alert_connectors_store::{
    Acceptance, AlertQuery, Alerts, Block, Connectors, Expiry, Intake, NewAlert, Roster,
    StoreError, Submission,
};
use async_trait::async_trait;
use jiff::SignedDuration;
use tokio::{sync::mpsc, time};

use crate::{destination::Destination, engine::Inner};

/// The type of these alerts.
pub(crate) const ALERT_TYPE: &str = "connector_blocked";
/// How often an alert is matched again because others changed the space meanwhile.
const TRIES_MAX: usize = 5;
/// How long to wait before telling is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What is to be told of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It is blocked.
    Blocked(Block),
    /// It takes messages and never answers; this is what came of the last one.
    Unanswered(String),
    /// It no longer is.
    Repaired,
}

/// Tells spaces of their connectors.
#[async_trait]
pub trait Tell: Send + Sync {
    /// Tells a space of a connector, through its other connectors.
    async fn tell(
        &self,
        space: &Space,
        connector: &Connector,
        notice: &Notice,
    ) -> Result<(), StoreError>;
}

/// Tells spaces by posting alerts to them.
pub struct AlertSpaces<S: ?Sized> {
    /// Where alerts go.
    pub store: Arc<S>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub random: Arc<dyn Random>,
    /// How long a delivery is tried.
    pub retry_for: SignedDuration,
    /// After so long a repeat is told of again.
    pub renotify: SignedDuration,
}

#[async_trait]
impl<S: Alerts + Intake + Connectors + ?Sized> Tell for AlertSpaces<S> {
    async fn tell(
        &self,
        space: &Space,
        connector: &Connector,
        notice: &Notice,
    ) -> Result<(), StoreError> {
        let Some(alert) = alert(connector, notice, self.clock.now()) else {
            return Ok(());
        };
        let (json, alert) = (json(&alert), Arc::new(alert));
        for _ in 0..TRIES_MAX {
            let Some(roster) = self.store.roster(&space.slug).await? else {
                return Ok(());
            };
            if *notice == Notice::Repaired && !self.was_told(&roster, &alert).await? {
                return Ok(());
            }
            let submission = self.submission(roster, connector.destination, &alert, &json);
            if !matches!(self.store.accept(submission).await?, Acceptance::Stale) {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable(
            "the space's connectors change too fast".into(),
        ))
    }
}

impl<S: Alerts + ?Sized> AlertSpaces<S> {
    /// Whether the space has an alert about it that is still active: only then is there anything to take back.
    async fn was_told(&self, roster: &Roster, alert: &Alert) -> Result<bool, StoreError> {
        let query = AlertQuery {
            statuses: vec![AlertStatus::Active],
            dedup_keys: alert.dedup_key.iter().cloned().collect(),
            limit: 1,
            ..AlertQuery::default()
        };
        let expiry = Expiry {
            now: self.clock.now(),
            retry_for: self.retry_for,
        };
        let told = self.store.alerts(roster.space.id, query, expiry).await?;
        Ok(!told.items.is_empty())
    }

    /// Dispatched by the filters, but never to a connector on the destination that it is about.
    fn submission(
        &self,
        roster: Roster,
        about: Fingerprint,
        alert: &Arc<Alert>,
        json: &Arc<str>,
    ) -> Submission {
        let (now, random) = (self.clock.now(), &*self.random);
        let id = AlertId::new(now, random);
        let hears = roster.connectors.iter().filter(|connector| {
            connector.destination != about && connector.matches(alert) == Matched::Matched
        });
        let deliveries = hears
            .map(|connector| (DeliveryId::of(id, random), Arc::clone(connector)))
            .collect();
        Submission {
            roster: Arc::new(roster),
            identity_version: None,
            idempotency: None,
            expiry: Expiry {
                now,
                retry_for: self.retry_for,
            },
            renotify: self.renotify,
            alerts: vec![NewAlert {
                id,
                alert: Arc::clone(alert),
                has_own_time: false,
                json: Arc::clone(json),
                warnings: Arc::from([]),
                deliveries,
            }],
        }
    }
}

fn json(alert: &Alert) -> Arc<str> {
    serde_json::to_string(alert)
        .expect("strings, numbers and lists always serialise")
        .into()
}

/// The alert about a connector. Its key names the connector, so that the repair finds it.
fn alert(connector: &Connector, notice: &Notice, now: jiff::Timestamp) -> Option<Alert> {
    let text = |name: &str, value: String| Field {
        name: name.to_owned(),
        value: FieldValue::Text(value),
    };
    let (status, trouble, description, fields) = match notice {
        Notice::Blocked(block) => (
            AlertStatus::Active,
            "is blocked",
            "Its webhook takes nothing until someone repairs it. What waits for it is held and sent after the repair: \
             enter a working webhook URL, or repair it in the channel and send a test message."
                .to_owned(),
            vec![
                text("Connector", connector.name.clone()),
                text("Webhook", connector.webhook_url.masked()),
                text("It says", block.reason.clone()),
            ],
        ),
        Notice::Unanswered(error) => (
            AlertStatus::Active,
            "does not answer",
            "Its webhook takes messages and does not answer, so nobody knows whether they arrive. They are sent again after \
             30 s, then 1, 2, 4 min and so on up to 1 h, so that few copies appear: check the channel for them, and what \
             stands between this service and it."
                .to_owned(),
            vec![
                text("Connector", connector.name.clone()),
                text("Webhook", connector.webhook_url.masked()),
                text("Last attempt", error.clone()),
            ],
        ),
        Notice::Repaired => (
            AlertStatus::Resolved,
            "works again",
            "Its webhook works again, and what was held is being sent.".to_owned(),
            vec![text("Connector", connector.name.clone())],
        ),
    };
    Some(Alert {
        alert_type: AlertType::parse(ALERT_TYPE)?,
        title: format!("Connector {} {trouble}", connector.name),
        severity: Severity::High,
        status,
        description: Some(description),
        description_format: DescriptionFormat::Plain,
        product: None,
        check: None,
        fields,
        url: None,
        actions: Vec::new(),
        dedup_key: Some(format!("{ALERT_TYPE}:{}", connector.id)),
        occurred_at: now,
        resolved_at: None,
    })
}

/// What may have to be told.
pub(crate) enum ToTell {
    /// Whatever the destination's standing says.
    Standing(Arc<Destination>),
    /// A connector left a destination that may be blocked.
    Left(Fingerprint, Arc<Space>, Arc<Connector>),
}

/// Tells until the engine stops. One that can't be told now is told later, and holds up those behind it no longer than a
/// full disk would.
pub(crate) async fn run(inner: Arc<Inner>, mut to_tell: mpsc::Receiver<ToTell>) {
    loop {
        let next = tokio::select! {
            // Cancelled, it has taken nothing.
            next = to_tell.recv() => next,
            () = inner.stopping.cancelled() => return,
        };
        let Some(next) = next else { return };
        while let Err(error) = settle(&inner, &next).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a space can't be told of a connector; trying again"
            );
            tokio::select! {
                () = time::sleep(TRY_AGAIN) => {}
                () = inner.stopping.cancelled() => return,
            }
        }
    }
}

async fn settle(inner: &Arc<Inner>, to_tell: &ToTell) -> Result<(), StoreError> {
    match to_tell {
        ToTell::Standing(destination) => settle_standing(inner, destination).await,
        ToTell::Left(fingerprint, space, connector) => {
            let destination = inner.destination(*fingerprint);
            let told = match destination.peek(|conduct| conduct.standing().told) {
                Some(told) => told,
                // It is not worked here; how it stands is on disk.
                None => {
                    let known = inner.store.known(*fingerprint, inner.now()).await?;
                    known.standing.told
                }
            };
            if told {
                inner.tell.tell(space, connector, &Notice::Repaired).await?;
            }
            Ok(())
        }
    }
}

async fn settle_standing(
    inner: &Arc<Inner>,
    destination: &Arc<Destination>,
) -> Result<(), StoreError> {
    // Whoever works it tells of it.
    if !destination.holds() {
        return Ok(());
    }
    let connectors = inner.store.connectors_of(destination.fingerprint).await?;
    let Some((_, first)) = connectors.first() else {
        return Ok(());
    };
    destination.take_up(first.connector_type, inner).await?;
    let to_tell = destination.peek(|conduct| {
        let standing = conduct.standing();
        match (&standing.block, standing.told) {
            (Some(block), false) if !block.quiet => Some((Notice::Blocked(block.clone()), true)),
            (None, false) if standing.never_answers() => {
                let error = standing.last_error.clone().unwrap_or_default();
                Some((Notice::Unanswered(error), true))
            }
            (None, true) if !standing.never_answers() => Some((Notice::Repaired, false)),
            _ => None,
        }
    });
    let Some(Some((notice, told))) = to_tell else {
        return Ok(());
    };
    for (space, connector) in connectors.iter().filter(|(_, one)| one.is_active) {
        inner.tell.tell(space, connector, &notice).await?;
    }
    // It may be taken up anew at this moment, since another server changed it.
    while destination
        .conduct(inner, |conduct| conduct.told(told))
        .await
        .is_none()
        && destination.holds()
    {
        destination.take_up(first.connector_type, inner).await?;
    }
    Ok(())
}
