//! The life of a problem: who is told when it rises, goes on, or is gone.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{
    Alert, Connector, ConnectorId, DeliveryId, DeliveryKind, DeliveryState, Loc, Warning,
};

use crate::{Expiry, NewAlert, OpeningState, Roster, stored::StoredDelivery};

/// The connectors that a message of a problem reached, or that one still waits for.
pub type Heard = HashMap<ConnectorId, OpeningState>;

/// Reads from the deliveries of a problem whom a message reached, or for whom one still waits.
pub fn heard_of<'d>(
    deliveries: impl IntoIterator<Item = &'d StoredDelivery>,
    expiry: Expiry,
) -> Heard {
    let mut heard = Heard::new();
    for delivery in deliveries {
        match delivery.kept.now(expiry).0 {
            DeliveryState::Delivered | DeliveryState::Accepted => {
                heard.insert(delivery.connector_id, OpeningState::Arrived);
            }
            DeliveryState::Pending => {
                heard
                    .entry(delivery.connector_id)
                    .or_insert(OpeningState::Pending);
            }
            DeliveryState::Failed | DeliveryState::Expired | DeliveryState::Cancelled => {}
        }
    }
    heard
}

/// Whether a `resolved` is about the problem that is there: one that happened before the problem began is not.
pub fn ends(end: &NewAlert, problem: &Alert) -> bool {
    !end.has_own_time || end.alert.occurred_at >= problem.occurred_at
}

/// A `resolved` that ends nothing, as it is stored: nobody hears of it, and its warnings say why.
pub fn ends_nothing(end: &NewAlert) -> NewAlert {
    let warning = ends_nothing_warning(&Loc::body());
    let warnings = end.warnings.iter().cloned().chain([warning]);
    NewAlert {
        deliveries: Vec::new(),
        warnings: warnings.collect(),
        ..end.clone()
    }
}

/// Why a `resolved` at this place ends nothing.
pub fn ends_nothing_warning(loc: &Loc) -> Warning {
    Warning {
        loc: loc.field("occurred_at"),
        msg: "It lies before the beginning of the active problem, so nothing is resolved."
            .to_owned(),
    }
}

/// A delivery that tells on of a problem.
pub struct FollowUp {
    /// What it says.
    pub kind: DeliveryKind,
    /// How its opening stands; a delivery that is an opening itself counts as arrived.
    pub opening: OpeningState,
    /// Whom to tell.
    pub connector: Arc<Connector>,
}

/// A problem was posted again: who is told. It may have risen; otherwise those who heard of it are reminded where
/// `quiet` says that they were not told for long.
pub fn repeated<E>(
    roster: &Roster,
    before: &Alert,
    now: &Alert,
    quiet: bool,
    matched: &[(DeliveryId, Arc<Connector>)],
    heard: impl FnOnce() -> Result<Heard, E>,
) -> Result<Vec<FollowUp>, E> {
    if now.severity > before.severity {
        return Ok(raised(roster, matched, &heard()?));
    }
    if quiet {
        return Ok(told(roster, DeliveryKind::Renotified, &heard()?));
    }
    Ok(Vec::new())
}

/// A problem is gone: everyone who had the opening, or will, hears of it.
pub fn ended(roster: &Roster, heard: &Heard) -> Vec<FollowUp> {
    told(roster, DeliveryKind::Resolved, heard)
}

/// Who had the opening hears that it rose; who hears of it for the first time gets the whole message.
fn raised(
    roster: &Roster,
    matched: &[(DeliveryId, Arc<Connector>)],
    heard: &Heard,
) -> Vec<FollowUp> {
    let follow_up = |connector: &Arc<Connector>| {
        let is_new = matched.iter().any(|(_, one)| one.id == connector.id);
        let (kind, opening) = match heard.get(&connector.id) {
            Some(opening) => (DeliveryKind::Raised, *opening),
            None if is_new => (DeliveryKind::Opening, OpeningState::Arrived),
            None => return None,
        };
        Some(FollowUp {
            kind,
            opening,
            connector: Arc::clone(connector),
        })
    };
    active(roster).filter_map(follow_up).collect()
}

fn told(roster: &Roster, kind: DeliveryKind, heard: &Heard) -> Vec<FollowUp> {
    active(roster)
        .filter_map(|connector| {
            heard.get(&connector.id).map(|opening| FollowUp {
                kind,
                opening: *opening,
                connector: Arc::clone(connector),
            })
        })
        .collect()
}

fn active(roster: &Roster) -> impl Iterator<Item = &Arc<Connector>> {
    roster.connectors.iter().filter(|one| one.is_active)
}
