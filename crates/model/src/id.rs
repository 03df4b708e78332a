//! Ids: one UUIDv7 newtype for each kind of thing, so that an alert's id can't stand where a connector's belongs.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use uuid::{Builder, Uuid};

use crate::Random;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new UUIDv7 from the time and random bits that it is given.
            pub fn new(now: Timestamp, random: &dyn Random) -> Self {
                let mut bits = [0; 10];
                random.fill(&mut bits);
                let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
                Self(Builder::from_unix_timestamp_millis(millis, &bits).into_uuid())
            }

            /// The id whose sixteen bytes are given, as a store keeps them.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // Only the one spelling that the API writes; braces, URNs and bare digits are other spellings.
                let hyphenated = if text.len() == uuid::fmt::Hyphenated::LENGTH { text } else { "" };
                Uuid::try_parse(hyphenated).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut text))
            }
        }
    )+};
}

ids! {
    /// The id of an alert.
    AlertId,
    /// The id of a connector.
    ConnectorId,
    /// The id of a space.
    SpaceId,
    /// The id of a user.
    UserId,
    /// The id of a delivery.
    DeliveryId,
    /// The id of an attempt.
    AttemptId,
    /// The id of an API key.
    KeyId,
}

impl DeliveryId {
    /// An id that begins like its alert's: a search for the alert finds the delivery, so deliveries need no index of
    /// their own by id. 48 of its bits are random.
    pub fn of(alert: AlertId, random: &dyn Random) -> Self {
        let mut bytes = *alert.as_bytes();
        if let Some(fresh) = bytes.get_mut(Self::SHARED_BYTES..) {
            random.fill(fresh);
        }
        Self::from_bytes(bytes)
    }

    /// The least and the greatest id that the delivery's alert may have.
    pub fn alert_ids(self) -> (AlertId, AlertId) {
        let (mut least, mut greatest) = (*self.as_bytes(), *self.as_bytes());
        for (least, greatest) in least.iter_mut().zip(&mut greatest).skip(Self::SHARED_BYTES) {
            (*least, *greatest) = (0, u8::MAX);
        }
        (AlertId::from_bytes(least), AlertId::from_bytes(greatest))
    }

    /// This many bytes are the alert's.
    const SHARED_BYTES: usize = 10;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRandom;

    #[test]
    fn ids_are_uuid_version_seven_and_survive_text() {
        let id = AlertId::new(Timestamp::UNIX_EPOCH, &SeededRandom::new(7));
        assert_eq!(id.to_string().as_bytes()[14], b'7');
        assert_eq!(id.to_string().parse::<AlertId>().unwrap(), id);
        assert!(id.to_string().replace('-', "").parse::<AlertId>().is_err());
        assert_eq!(AlertId::from_bytes(*id.as_bytes()), id);
    }
}
