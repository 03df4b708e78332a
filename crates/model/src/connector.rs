//! A connector: an incoming webhook of a space, with its two filters.

#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Alert, AlertTypeFilter, ConnectorId, Fingerprint, SeverityFilter, SpaceId, User, WebhookUrl,
    wire_enum::wire_enum,
};

/// At most this many connectors in a space.
pub const CONNECTORS_PER_SPACE_MAX: usize = 500;

wire_enum! {
    /// A platform that a connector speaks to.
    ConnectorType {
        /// Slack, and servers that take Slack's incoming webhooks.
        Slack = 0, "slack";
        /// Microsoft Teams.
        Teams = 1, "teams";
    }
}

/// A connector as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// Names the connector.
    pub id: ConnectorId,
    /// The space it belongs to.
    pub space_id: SpaceId,
    /// Its name for people.
    pub name: String,
    /// The platform it speaks to.
    pub connector_type: ConnectorType,
    /// Where its messages go.
    pub webhook_url: WebhookUrl,
    /// The destination that the URL names.
    pub destination: Fingerprint,
    /// Whether it gets alerts.
    pub is_active: bool,
    /// The severities it forwards.
    pub severity_filter: SeverityFilter,
    /// The alert types it forwards.
    pub alert_type_filter: AlertTypeFilter,
    /// Who made it.
    pub created_by: User,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a value of it changed last.
    pub updated_at: Timestamp,
}

/// Why a connector matches an alert, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = MatchRule))]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// It gets the alert.
    Matched,
    /// It is switched off.
    Inactive,
    /// The severity is not in its filter.
    SeverityFilter,
    /// The alert type is not in its filter.
    AlertTypeFilter,
}

impl Connector {
    /// The rule that decides whether the connector gets the alert: the first that says no, if one does.
    pub fn matches(&self, alert: &Alert) -> Matched {
        if !self.is_active {
            Matched::Inactive
        } else if !self.severity_filter.matches(alert.severity) {
            Matched::SeverityFilter
        } else if !self.alert_type_filter.matches(&alert.alert_type) {
            Matched::AlertTypeFilter
        } else {
            Matched::Matched
        }
    }
}

/// What a PATCH asks for; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectorChange {
    /// The new name.
    pub name: Option<String>,
    /// The new platform.
    pub connector_type: Option<ConnectorType>,
    /// The new URL; the same one again counts as a repair.
    pub webhook_url: Option<WebhookUrl>,
    /// On or off.
    pub is_active: Option<bool>,
    /// The new severity filter.
    pub severity_filter: Option<SeverityFilter>,
    /// The new type filter.
    pub alert_type_filter: Option<AlertTypeFilter>,
}

impl ConnectorChange {
    /// The connector as it will be, apart from its destination and `updated_at`, which the store sets.
    #[must_use]
    pub fn applied_to(&self, connector: &Connector) -> Connector {
        let mut changed = connector.clone();
        if let Some(name) = &self.name {
            changed.name.clone_from(name);
        }
        if let Some(connector_type) = self.connector_type {
            changed.connector_type = connector_type;
        }
        if let Some(url) = &self.webhook_url {
            changed.webhook_url = url.clone();
        }
        if let Some(is_active) = self.is_active {
            changed.is_active = is_active;
        }
        if let Some(filter) = &self.severity_filter {
            changed.severity_filter = filter.clone();
        }
        if let Some(filter) = &self.alert_type_filter {
            changed.alert_type_filter = filter.clone();
        }
        changed
    }
}
