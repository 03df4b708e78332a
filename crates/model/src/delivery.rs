//! A delivery: one alert owed to one connector, and how it stands.

use jiff::Timestamp;
use serde::Serialize;

use crate::{AlertId, Attempt, ConnectorId, DeliveryId};

/// A delivery as history tells it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Names the delivery.
    pub id: DeliveryId,
    /// The alert that is owed.
    pub alert_id: AlertId,
    /// The connector it is owed to, which may be gone by now.
    pub connector_id: ConnectorId,
    /// The connector's name when the delivery was made.
    pub connector_name: String,
    /// What the message says of the alert.
    pub kind: DeliveryKind,
    /// How it stands.
    pub state: DeliveryState,
    /// Why it ended without arriving.
    pub reason: Option<EndReason>,
    /// When the alert was accepted.
    pub created_at: Timestamp,
    /// When the next attempt is due, while one is.
    pub next_attempt_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $word:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word of the API.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The number that stores keep. Never given to another meaning.
            pub const fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The one that a store kept under this number.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a delivery's message says of its alert.
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

words! {
    /// How a delivery stands.
    DeliveryState {
        /// Still owed.
        Pending = 0, "pending";
        /// The channel said that the message stands there.
        Delivered = 1, "delivered";
        /// A Teams workflow took it, and nobody can know more.
        Accepted = 2, "accepted";
        /// The channel refused the message in both its forms.
        Failed = 3, "failed";
        /// Its time was up.
        Expired = 4, "expired";
        /// Its connector was deactivated or deleted, or the opening that it follows did not arrive.
        Cancelled = 5, "cancelled";
    }
}

words! {
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
