//! A delivery: one alert for one connector, and its states.

#![warn(clippy::wildcard_enum_match_arm)] // A new state must be decided everywhere.

use jiff::Timestamp;

use crate::{AlertId, Attempt, ConnectorId, DeliveryId, wire_enum::wire_enum};

/// A delivery as the history shows it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Names the delivery.
    pub id: DeliveryId,
    /// The alert to deliver.
    pub alert_id: AlertId,
    /// The connector to deliver to, which may be deleted by now.
    pub connector_id: ConnectorId,
    /// The connector's name when the delivery was made.
    pub connector_name: String,
    /// What the message says of the alert.
    pub kind: DeliveryKind,
    /// Its state.
    pub state: DeliveryState,
    /// Why it ended without arriving.
    pub reason: Option<EndReason>,
    /// When the delivery was made.
    pub created_at: Timestamp,
    /// When the next attempt is due; `None` if none is.
    pub next_attempt_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

wire_enum! {
    /// What a delivery tells of its alert: the alert itself, that its severity rose, that it is still there, or that it is gone.
    DeliveryKind {
        /// The alert itself.
        Opening = 0, "opening";
        /// Its severity rose.
        Raised = 1, "raised";
        /// It is still there.
        Renotified = 2, "renotified";
        /// It is gone.
        Resolved = 3, "resolved";
    }
}

wire_enum! {
    #[cfg_attr(feature = "schema", schema(description = "How a delivery stands. `delivered`: the channel said that the message \
        stands there. `accepted`: a Teams workflow took it, and nobody can know more."))]
    /// The state of a delivery.
    ///
    /// ```text
    /// Pending   -> Delivered   the channel confirmed the message
    /// Pending   -> Accepted    a Teams workflow took the message
    /// Pending   -> Failed      the channel refused the message in both its forms
    /// Pending   -> Expired     --retry-for passed
    /// Pending   -> Cancelled   the connector was switched off or deleted, or the opening was not delivered
    /// Failed    -> Pending     retry; or the webhook is at fault, since three different messages in a row were refused
    /// Expired   -> Pending     retry; or the webhook was repaired within seven days
    /// Cancelled -> Pending     retry
    /// ```
    DeliveryState {
        /// Not ended: it waits for its turn, for a retry, or for a blocked webhook.
        Pending = 0, "pending";
        /// The channel said that the message stands there.
        Delivered = 1, "delivered";
        /// A Teams workflow took it, which is all that it tells.
        Accepted = 2, "accepted";
        /// The channel refused the message in both its forms.
        Failed = 3, "failed";
        /// Its time was up.
        Expired = 4, "expired";
        /// Its connector was deactivated or deleted, or the opening that it follows did not arrive.
        Cancelled = 5, "cancelled";
    }
}

impl DeliveryState {
    /// Returns whether a person may have a delivery in this state retried.
    pub const fn may_be_retried(self) -> bool {
        match self {
            Self::Failed | Self::Expired | Self::Cancelled => true,
            Self::Pending | Self::Delivered | Self::Accepted => false,
        }
    }
}

wire_enum! {
    /// Why a delivery ended without arriving.
    EndReason {
        /// The connector was switched off.
        ConnectorInactive = 1, "connector_inactive";
        /// The connector was deleted.
        ConnectorDeleted = 2, "connector_deleted";
        /// The channel refused the message, and its plain form as well.
        MessageRefused = 3, "message_refused";
        /// It could not be delivered in the time that `--retry-for` gives.
        TimeUp = 4, "time_up";
        /// It follows an opening that did not arrive.
        OpeningNotDelivered = 5, "opening_not_delivered";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_of_states_is_that_of_the_code() {
        let lines = include_str!("delivery.rs").lines();
        let drawn: Vec<(&str, &str)> = lines
            .filter_map(|line| line.trim().strip_prefix("/// ")?.split_once(" -> "))
            .map(|(from, rest)| (from.trim(), rest.split(' ').next().unwrap()))
            .collect();
        let mut real = Vec::new();
        for state in DeliveryState::ALL {
            let name = format!("{state:?}");
            if state != DeliveryState::Pending {
                real.push(("Pending".to_owned(), name.clone()));
            }
            if state.may_be_retried() {
                real.push((name, "Pending".to_owned()));
            }
        }
        real.sort_by_key(|(from, _)| from != "Pending");
        let real: Vec<_> = real.iter().map(|(from, to)| (&**from, &**to)).collect();
        assert_eq!(drawn, real);
    }
}
