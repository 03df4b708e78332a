//! The life of a problem: who is notified when it rises, goes on, or ends.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    Alert, Connector, ConnectorId, DeliveryId, DeliveryKind, DeliveryState, Loc, Warning,
};

use crate::{Expiry, NewAlert, OpeningState, Roster, stored::StoredDelivery};

/// The connectors that a message about a problem reached, or for which one is pending.
pub type Recipients = HashMap<ConnectorId, OpeningState>;

/// Reads the recipients of a problem from its deliveries.
pub fn recipients_of<'d>(
    deliveries: impl IntoIterator<Item = &'d StoredDelivery>,
    expiry: Expiry,
) -> Recipients {
    let mut recipients = Recipients::new();
    for delivery in deliveries {
        match delivery.kept.now(expiry).0 {
            DeliveryState::Delivered | DeliveryState::Accepted => {
                recipients.insert(delivery.connector_id, OpeningState::Arrived);
            }
            DeliveryState::Pending => {
                recipients
                    .entry(delivery.connector_id)
                    .or_insert(OpeningState::Pending);
            }
            DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Cancelled => {}
        }
    }
    recipients
}

/// Whether a `resolved` ends this problem: one that happened before the problem began does not.
pub(super) fn ends(end: &NewAlert, problem: &Alert) -> bool {
    !end.has_own_time || end.alert.occurred_at >= problem.occurred_at
}

/// Why a `resolved` at this place ends nothing.
pub fn ends_nothing_warning(loc: &Loc) -> Warning {
    Warning {
        loc: loc.field("occurred_at"),
        msg: "It lies before the beginning of the active problem, so nothing is resolved."
            .to_owned(),
    }
}

/// A delivery that follows the opening of a problem.
pub(super) struct FollowUp {
    /// What it says.
    pub kind: DeliveryKind,
    /// The state of the opening that it refers to; a delivery that is an opening itself counts as arrived.
    pub opening: OpeningState,
    /// The connector to notify.
    pub connector: Arc<Connector>,
}

/// What a repeat of a problem changes.
pub(super) struct Repeat<'a> {
    /// The connectors of the space.
    pub roster: &'a Roster,
    /// The problem before it was posted again.
    pub before: &'a Alert,
    /// The problem as it is from now on.
    pub now: &'a Alert,
    /// The last notification is so old that recipients are reminded.
    pub is_reminder_due: bool,
    /// The connectors whose filters match the problem as it is from now on.
    pub matched: &'a [(DeliveryId, Arc<Connector>)],
}

impl Repeat<'_> {
    /// Whether the problem is more severe than before.
    pub(super) fn rose(&self) -> bool {
        self.now.severity > self.before.severity
    }

    /// The follow-ups of a repeat: all recipients are told that the problem rose, or are reminded if that is due.
    /// Recipients are read only where somebody may be notified.
    pub(super) fn follow_ups<E>(
        &self,
        recipients: impl FnOnce() -> Result<Recipients, E>,
    ) -> Result<Vec<FollowUp>, E> {
        if self.rose() {
            return Ok(self.raised(&recipients()?));
        }
        if self.is_reminder_due {
            let kind = DeliveryKind::Renotified;
            return Ok(to_recipients(self.roster, kind, &recipients()?));
        }
        Ok(Vec::new())
    }

    /// Recipients are told that the problem rose; a connector that matches for the first time gets the whole message.
    fn raised(&self, recipients: &Recipients) -> Vec<FollowUp> {
        let follow_up = |connector: &Arc<Connector>| {
            let is_matched = self.matched.iter().any(|(_, one)| one.id == connector.id);
            let (kind, opening) = match recipients.get(&connector.id) {
                Some(opening) => (DeliveryKind::Raised, *opening),
                None if is_matched => (DeliveryKind::Opening, OpeningState::Arrived),
                None => return None,
            };
            Some(FollowUp {
                kind,
                opening,
                connector: Arc::clone(connector),
            })
        };
        active(self.roster).filter_map(follow_up).collect()
    }
}

/// The follow-ups of an end: every recipient is notified.
pub(super) fn of_end(roster: &Roster, recipients: &Recipients) -> Vec<FollowUp> {
    to_recipients(roster, DeliveryKind::Resolved, recipients)
}

fn to_recipients(roster: &Roster, kind: DeliveryKind, recipients: &Recipients) -> Vec<FollowUp> {
    let follow_up = |connector: &Arc<Connector>| {
        recipients.get(&connector.id).map(|opening| FollowUp {
            kind,
            opening: *opening,
            connector: Arc::clone(connector),
        })
    };
    active(roster).filter_map(follow_up).collect()
}

fn active(roster: &Roster) -> impl Iterator<Item = &Arc<Connector>> {
    roster.connectors.iter().filter(|one| one.is_active)
}
