//! One event of a space, its id, and how servers write it to each other.

use std::{fmt, str::FromStr};

use alert_connectors_model::{AlertId, ConnectorId, DeliveryId, DeliveryState};
use alert_connectors_store::{Accepted, AcceptedDelivery, HealthState};

/// Something that happened in a space. It says where to look, not what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceEvent {
    /// An alert was posted, posted again or resolved.
    Alert(AlertId),
    /// A delivery was queued, tried, or ended.
    Delivery {
        /// Names the delivery.
        id: DeliveryId,
        /// The connector that it is for.
        connector_id: ConnectorId,
        /// Its state now.
        state: DeliveryState,
    },
    /// A connector was created, changed or deleted.
    Connector(ConnectorId),
    /// The health of a connector changed.
    Health {
        /// The connector.
        connector_id: ConnectorId,
        /// Its state now.
        state: HealthState,
    },
    /// More happened than is known here: everything that is shown must be read again.
    Resync,
}

impl SpaceEvent {
    /// The events of an alert that was posted: the alert, and the deliveries that it caused.
    pub fn of_accepted(accepted: &Accepted) -> impl Iterator<Item = Self> {
        Self::of_alert(accepted.id, &accepted.deliveries)
    }

    /// The events of an alert and some of its deliveries.
    pub fn of_alert(id: AlertId, deliveries: &[AcceptedDelivery]) -> impl Iterator<Item = Self> {
        let deliveries = deliveries.iter().map(|delivery| Self::Delivery {
            id: delivery.id,
            connector_id: delivery.connector_id,
            state: delivery.state,
        });
        std::iter::once(Self::Alert(id)).chain(deliveries)
    }

    /// What an event is about. A later event about the same thing replaces an earlier one.
    pub(crate) const fn subject(&self) -> (u8, [u8; 16]) {
        match self {
            Self::Alert(id) => (0, *id.as_bytes()),
            Self::Delivery { id, .. } => (1, *id.as_bytes()),
            Self::Connector(id) => (2, *id.as_bytes()),
            Self::Health { connector_id, .. } => (3, *connector_id.as_bytes()),
            Self::Resync => (4, [0; 16]),
        }
    }
}

/// As servers write it to each other: a letter, then what follows it.
impl fmt::Display for SpaceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(id) => write!(f, "a{id}"),
            Self::Delivery {
                id,
                connector_id,
                state,
            } => write!(f, "d{id},{connector_id},{}", state.as_str()),
            Self::Connector(id) => write!(f, "c{id}"),
            Self::Health {
                connector_id,
                state,
            } => write!(f, "h{connector_id},{}", state.as_str()),
            Self::Resync => f.write_str("r"),
        }
    }
}

/// A text that is no event, as of a server of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoEvent;

impl FromStr for SpaceEvent {
    type Err = NoEvent;

    fn from_str(text: &str) -> Result<Self, NoEvent> {
        let (letter, rest) = text.split_at_checked(1).ok_or(NoEvent)?;
        let mut parts = rest.split(',');
        let mut part = || parts.next().ok_or(NoEvent);
        let event = match letter {
            "a" => Self::Alert(id(part()?)?),
            "d" => Self::Delivery {
                id: id(part()?)?,
                connector_id: id(part()?)?,
                state: DeliveryState::parse(part()?).ok_or(NoEvent)?,
            },
            "c" => Self::Connector(id(part()?)?),
            "h" => Self::Health {
                connector_id: id(part()?)?,
                state: HealthState::parse(part()?).ok_or(NoEvent)?,
            },
            "r" => Self::Resync,
            _ => return Err(NoEvent),
        };
        Ok(event)
    }
}

fn id<T: FromStr>(text: &str) -> Result<T, NoEvent> {
    text.parse().map_err(|_malformed| NoEvent)
}

/// Names an event of a space: when it was published, its number at the server that says it, and that server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// In milliseconds since 1970, by the clock of the server.
    pub(crate) at_ms: i64,
    /// Counts the events of the space at the server, from 0.
    pub(crate) number: u64,
    /// Names the server, from its start on.
    pub(crate) server: u32,
}

impl EventId {
    /// The id of an event that is kept nowhere.
    pub const UNKNOWN: Self = Self {
        at_ms: 0,
        number: u64::MAX,
        server: 0,
    };
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at_ms,
            number,
            server,
        } = self;
        write!(f, "{at_ms}-{number}-{server:x}")
    }
}

impl FromStr for EventId {
    type Err = NoEvent;

    fn from_str(text: &str) -> Result<Self, NoEvent> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(NoEvent);
        Ok(Self {
            at_ms: id(part()?)?,
            number: id(part()?)?,
            server: u32::from_str_radix(part()?, 16).map_err(|_malformed| NoEvent)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_understand_what_they_write() {
        let connector_id = ConnectorId::from_bytes([3; 16]);
        let events = [
            SpaceEvent::Alert(AlertId::from_bytes([1; 16])),
            SpaceEvent::Delivery {
                id: DeliveryId::from_bytes([2; 16]),
                connector_id,
                state: DeliveryState::Pending,
            },
            SpaceEvent::Connector(connector_id),
            SpaceEvent::Health {
                connector_id,
                state: HealthState::Blocked,
            },
            SpaceEvent::Resync,
        ];
        for event in events {
            assert_eq!(event.to_string().parse(), Ok(event));
        }
        for text in [
            "",
            "é",
            "x",
            "a",
            "a1",
            "d",
            "h03030303-0303-0303-0303-030303030303,well",
        ] {
            assert_eq!(text.parse::<SpaceEvent>(), Err(NoEvent), "{text}");
        }
    }

    #[test]
    fn an_id_is_read_back_and_nonsense_is_none() {
        let id = EventId {
            at_ms: 1_790_000_000_000,
            number: 7,
            server: 0xbeef,
        };
        assert_eq!(id.to_string(), "1790000000000-7-beef");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "7", "1-2", "1-2-g", "1--2-3", "x-2-3"] {
            assert_eq!(text.parse::<EventId>(), Err(NoEvent), "{text}");
        }
    }
}
