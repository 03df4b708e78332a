//! Messages that fail at a destination while others arrive there: they are set aside, and tried on a schedule of their own.

use alert_connectors_model::{AlertId, ConnectorId};
use jiff::SignedDuration;

use crate::{Wait, stored::time};

/// At most this many messages of a destination are set aside; one more is taken for the channel's fault.
pub const SET_ASIDE_MAX: usize = 64;

/// The messages of a destination that keep failing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailingMessages {
    /// The message at the front of the queue that failed last, if one did.
    pub suspect: Option<Suspect>,
    /// The messages that failed while others arrived.
    pub set_aside: Vec<SetAside>,
}

/// A message that fails, whether by its own fault or the channel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// Its place in the order.
    pub seq: i64,
    /// How often it failed in a row since another message was tried.
    pub failures: u32,
    /// How many other messages were tried in its place, and failed too.
    pub trials: u32,
}

/// A message that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetAside {
    /// Its place in the order.
    pub seq: i64,
    /// Its alert.
    pub alert_id: AlertId,
    /// The connector that it is for; follow-ups of the alert to it wait behind it.
    pub connector_id: ConnectorId,
    /// How often it failed in a row.
    pub failures: u32,
    /// How long it is left alone.
    pub wait: Wait,
}

/// A message as it is kept: seq, alert, connector, failures, and its wait as two numbers of milliseconds.
type StoredAside = (i64, String, String, u32, i64, i64);

impl FailingMessages {
    /// Whether a delivery is set aside, or waits behind one that is.
    pub fn contains(&self, alert_id: AlertId, connector_id: ConnectorId) -> bool {
        let is_it = |one: &SetAside| one.alert_id == alert_id && one.connector_id == connector_id;
        self.set_aside.iter().any(is_it)
    }

    /// As it is stored.
    pub fn to_json(&self) -> String {
        let suspect = self
            .suspect
            .map(|suspect| (suspect.seq, suspect.failures, suspect.trials));
        let millis = |wait: Wait| i64::try_from(wait.length.as_millis()).unwrap_or(i64::MAX);
        let set_aside: Vec<StoredAside> = self
            .set_aside
            .iter()
            .map(|one| {
                let (alert, connector) = (one.alert_id.to_string(), one.connector_id.to_string());
                let set_at = one.wait.set_at.as_millisecond();
                (
                    one.seq,
                    alert,
                    connector,
                    one.failures,
                    set_at,
                    millis(one.wait),
                )
            })
            .collect();
        serde_json::to_string(&(suspect, set_aside)).expect("numbers and ids always serialise")
    }

    /// Reads what was stored: nothing, as in rows of older versions, or what [`FailingMessages::to_json`] writes. `None` if it is
    /// neither.
    pub fn from_json(text: &str) -> Option<Self> {
        type Stored = (Option<(i64, u32, u32)>, Vec<StoredAside>);
        if text.is_empty() {
            return Some(Self::default());
        }
        let (suspect, set_aside) = serde_json::from_str::<Stored>(text).ok()?;
        let set_aside = set_aside.into_iter().map(|stored| {
            let (seq, alert, connector, failures, set_at, millis) = stored;
            Some(SetAside {
                seq,
                alert_id: alert.parse().ok()?,
                connector_id: connector.parse().ok()?,
                failures,
                wait: Wait {
                    set_at: time(set_at),
                    length: SignedDuration::from_millis(millis),
                    asked: false,
                },
            })
        });
        Some(Self {
            suspect: suspect.map(|(seq, failures, trials)| Suspect {
                seq,
                failures,
                trials,
            }),
            set_aside: set_aside.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        let failing = FailingMessages {
            suspect: Some(Suspect {
                seq: 7,
                failures: 2,
                trials: 1,
            }),
            set_aside: vec![SetAside {
                seq: 5,
                alert_id: AlertId::from_bytes([1; 16]),
                connector_id: ConnectorId::from_bytes([2; 16]),
                failures: 4,
                wait: Wait {
                    set_at: time(1_790_000_000_123),
                    length: SignedDuration::from_millis(1_500),
                    asked: false,
                },
            }],
        };
        let read = FailingMessages::from_json(&failing.to_json());
        assert_eq!(read.as_ref(), Some(&failing));
        let none = FailingMessages::from_json("");
        assert_eq!(none, Some(FailingMessages::default()));
        for broken in ["{}", r#"[null, [[5, "no id", "no id", 4, 0, 0]]]"#] {
            assert_eq!(FailingMessages::from_json(broken), None, "{broken}");
        }
        assert!(failing.contains(
            AlertId::from_bytes([1; 16]),
            ConnectorId::from_bytes([2; 16])
        ));
    }
}
