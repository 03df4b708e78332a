//! An alert that was parsed, before it is matched with the connectors of a space.

use std::sync::Arc;

use alert_connectors_model::{
    Alert, AlertId, Connector, DeliveryId, Matched, ParsedAlert, Random, Warning,
};
use jiff::Timestamp;

use crate::NewAlert;

/// An alert that was parsed, with its JSON, which is made once for the store and for the answer. Clones share it.
#[derive(Debug, Clone)]
pub struct PreparedAlert {
    /// What it says.
    pub alert: Arc<Alert>,
    /// Whether the producer said when it happened.
    pub has_own_time: bool,
    /// The alert as JSON.
    pub json: Arc<str>,
    /// What was corrected.
    pub warnings: Arc<[Warning]>,
}

impl PreparedAlert {
    /// Prepares an alert.
    pub fn of(parsed: ParsedAlert) -> Self {
        let json = serde_json::to_string(&parsed.alert);
        Self {
            json: json
                .expect("strings, numbers and lists always serialise")
                .into(),
            alert: Arc::new(parsed.alert),
            has_own_time: parsed.has_own_time,
            warnings: parsed.warnings.into(),
        }
    }

    /// The alert with an id, and with a delivery for each of these connectors whose filters it matches.
    pub fn matched<'c>(
        &self,
        connectors: impl IntoIterator<Item = &'c Arc<Connector>>,
        now: Timestamp,
        random: &dyn Random,
    ) -> NewAlert {
        let id = AlertId::new(now, random);
        let matched = connectors
            .into_iter()
            .filter(|connector| connector.matches(&self.alert) == Matched::Matched);
        NewAlert {
            id,
            alert: Arc::clone(&self.alert),
            has_own_time: self.has_own_time,
            json: Arc::clone(&self.json),
            warnings: Arc::clone(&self.warnings),
            deliveries: matched
                .map(|connector| (DeliveryId::of(id, random), Arc::clone(connector)))
                .collect(),
        }
    }
}
