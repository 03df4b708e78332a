//! The alert by which a space learns that one of its connectors is blocked, or works again.

use std::sync::Arc;

use alert_connectors_feed::{Feed, SpaceEvent};
use alert_connectors_model::{
    Alert, AlertStatus, AlertType, Clock, Connector, DescriptionFormat, Field, FieldValue,
    Fingerprint, ParsedAlert, Random, Severity, Space,
};
use alert_connectors_store::{
    Acceptance, AlertQuery, Alerts, Connectors, Expiry, Intake, PreparedAlert, Roster, StoreError,
    Submission,
};
use async_trait::async_trait;
use jiff::SignedDuration;

use crate::{ConnectorNotice, NotifyError, NotifySpace};

/// The type of these alerts.
pub(crate) const ALERT_TYPE: &str = "connector_blocked";
/// How often an alert is matched again because the space changed meanwhile.
const TRIES_MAX: usize = 5;

/// Notifies spaces by posting `connector_blocked` alerts to them, like any other alert.
pub struct BlockAlerts<S: ?Sized> {
    /// Where alerts go.
    pub store: Arc<S>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub random: Arc<dyn Random>,
    /// How long a delivery is tried.
    pub retry_for: SignedDuration,
    /// How old the last notification of a problem is when the next repeat reminds of it.
    pub renotify: SignedDuration,
    /// Where those who watch a space learn of the alert.
    pub feed: Feed,
}

#[async_trait]
impl<S: Alerts + Intake + Connectors + ?Sized> NotifySpace for BlockAlerts<S> {
    async fn notify(
        &self,
        space: &Space,
        connector: &Connector,
        notice: &ConnectorNotice,
    ) -> Result<(), NotifyError> {
        let Some(alert) = alert(connector, notice, self.clock.now()) else {
            return Ok(());
        };
        let prepared = PreparedAlert::of(ParsedAlert {
            alert,
            has_own_time: false,
            warnings: Vec::new(),
        });
        for _ in 0..TRIES_MAX {
            let Some(roster) = self.store.roster(&space.slug).await? else {
                return Ok(());
            };
            if *notice == ConnectorNotice::Repaired
                && !self.was_notified(&roster, &prepared.alert).await?
            {
                return Ok(());
            }
            let submission = self.submission(roster, connector.destination, &prepared);
            match self.store.accept(submission).await? {
                Acceptance::Stale => {}
                Acceptance::Stored(alerts) => {
                    let events = alerts.iter().flat_map(SpaceEvent::of_accepted);
                    self.feed.publish(space.id, events);
                    return Ok(());
                }
                Acceptance::AlreadyStored(_) | Acceptance::KeyReused => return Ok(()),
            }
        }
        Err(NotifyError::ChangesTooFast)
    }
}

impl<S: Alerts + ?Sized> BlockAlerts<S> {
    /// Whether the space has an alert about it that is still active: only then is there anything to take back.
    async fn was_notified(&self, roster: &Roster, alert: &Alert) -> Result<bool, StoreError> {
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

    /// Matches the alert by the filters, but never with a connector on the destination that it is about.
    fn submission(
        &self,
        roster: Roster,
        about: Fingerprint,
        prepared: &PreparedAlert,
    ) -> Submission {
        let now = self.clock.now();
        let others = roster.connectors.iter();
        let others = others.filter(|connector| connector.destination != about);
        Submission {
            alerts: vec![prepared.matched(others, now, &*self.random)],
            roster: Arc::new(roster),
            identity_version: None,
            idempotency: None,
            expiry: Expiry {
                now,
                retry_for: self.retry_for,
            },
            renotify: self.renotify,
            leaves_out_idle_ends: false,
            trace: None,
        }
    }
}

/// The alert about a connector. Its key names the connector, so that the repair finds it.
fn alert(connector: &Connector, notice: &ConnectorNotice, now: jiff::Timestamp) -> Option<Alert> {
    let text = |name: &str, value: String| Field {
        name: name.to_owned(),
        value: FieldValue::Text(value),
    };
    let (status, trouble, description, fields) = match notice {
        ConnectorNotice::Blocked(block) => (
            AlertStatus::Active,
            "is blocked",
            "Its webhook takes nothing until someone repairs it. Pending deliveries are kept and sent after the repair: \
             enter a working webhook URL, or repair it in the channel and send a test message."
                .to_owned(),
            vec![
                text("Connector", connector.name.clone()),
                text("Webhook", connector.webhook_url.masked()),
                text("It says", block.reason.clone()),
            ],
        ),
        ConnectorNotice::Unanswered(error) => (
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
        ConnectorNotice::Repaired => (
            AlertStatus::Resolved,
            "works again",
            "Its webhook works again, and pending deliveries are being sent.".to_owned(),
            vec![text("Connector", connector.name.clone())],
        ),
        ConnectorNotice::Detached => (
            AlertStatus::Resolved,
            "no longer uses that webhook",
            "The connector was deleted, switched off or given another webhook, so the trouble is over. Nobody knows whether \
             the webhook itself works again."
                .to_owned(),
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
        raises: Vec::new(),
    })
}
