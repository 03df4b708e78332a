//! Which rows answer a question about history, decided once for every store.
//!
//! A delivery's state is what is written and what follows from times. So some states are found in several places.

use alert_connectors_model::{Delivery, DeliveryState, Fingerprint};

use crate::{DeliveryQuery, Expiry, Page, Replay, Replayed, Retried, stored::StoredDelivery};

/// One place to look for deliveries of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryLook {
    /// Pending, and not expired.
    Pending,
    /// Pending by what is written, and expired.
    Overdue,
    /// Pending by what is written, whether expired or not: its connector is off, so it counts as cancelled.
    Withheld,
    /// Ended in this state without having arrived.
    Missed(DeliveryState),
    /// Arrived, in a state whose code is in this range.
    Arrived {
        /// The least code.
        first: u8,
        /// The greatest code.
        last: u8,
    },
}

impl DeliveryQuery {
    /// Where to look for a page of a connector's deliveries: one place after the other, each no deeper than the page.
    pub fn looks(&self, connector_is_active: bool) -> Vec<DeliveryLook> {
        let states = if self.states.is_empty() {
            &DeliveryState::ALL[..]
        } else {
            &self.states
        };
        let mut looks = Vec::new();
        let mut arrived: Option<(u8, u8)> = None;
        for state in states {
            match state {
                DeliveryState::Pending if connector_is_active => looks.push(DeliveryLook::Pending),
                DeliveryState::Pending => {}
                DeliveryState::Cancelled if !connector_is_active => {
                    looks.extend([DeliveryLook::Withheld, DeliveryLook::Missed(*state)]);
                }
                DeliveryState::Expired if connector_is_active => {
                    looks.extend([DeliveryLook::Overdue, DeliveryLook::Missed(*state)]);
                }
                DeliveryState::Expired | DeliveryState::Failed | DeliveryState::Cancelled => {
                    looks.push(DeliveryLook::Missed(*state));
                }
                DeliveryState::Delivered | DeliveryState::Accepted => {
                    let code = state.code();
                    let (first, last) = arrived.unwrap_or((code, code));
                    arrived = Some((first.min(code), last.max(code)));
                }
            }
        }
        looks.extend(arrived.map(|(first, last)| DeliveryLook::Arrived { first, last }));
        looks
    }

    /// A look reads at most this many rows: one more than the page holds, which says whether there is another page.
    pub fn rows_max(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX - 1) + 1
    }

    /// The page, from what the looks found.
    pub fn page(&self, mut found: Vec<StoredDelivery>, expiry: Expiry) -> Page<Delivery> {
        found.sort_by_key(|stored| std::cmp::Reverse(stored.seq));
        let has_more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| has_more).map(|stored| stored.seq);
        let items = found.into_iter().map(|stored| stored.read(expiry));
        Page {
            items: items.collect(),
            next,
        }
    }
}

impl Replay {
    /// Where to look for the deliveries of a span that are queued again.
    pub fn looks(&self) -> Vec<DeliveryLook> {
        let mut looks = Vec::new();
        for state in &self.states {
            match state {
                DeliveryState::Delivered | DeliveryState::Accepted => {
                    let code = state.code();
                    looks.push(DeliveryLook::Arrived {
                        first: code,
                        last: code,
                    });
                }
                DeliveryState::Expired => {
                    looks.extend([DeliveryLook::Overdue, DeliveryLook::Missed(*state)]);
                }
                DeliveryState::Failed | DeliveryState::Cancelled => {
                    looks.push(DeliveryLook::Missed(*state));
                }
                // It is queued.
                DeliveryState::Pending => {}
            }
        }
        looks
    }

    /// The oldest that were found, as many as are queued at once.
    pub fn oldest(mut seqs: Vec<i64>) -> Vec<i64> {
        seqs.sort_unstable();
        seqs.truncate(Self::MOST);
        seqs
    }
}

/// Whether a delivery is retried: its destination, or why not. `connector` is the destination of its connector and whether that is
/// active; nothing if it is gone.
pub fn retry_of(
    stored: &StoredDelivery,
    connector: Option<(Fingerprint, bool)>,
    expiry: Expiry,
) -> Result<Fingerprint, Retried> {
    let state = stored.kept.now(expiry).0;
    let connector = connector.filter(|_| stored.kept.deleted_at.is_none());
    match connector {
        _ if !state.may_be_retried() => Err(Retried::Stands(state)),
        None => Err(Retried::ConnectorGone),
        Some((_, false)) => Err(Retried::ConnectorInactive),
        Some((destination, true)) => Ok(destination),
    }
}

/// What a replay comes to before anything is written.
#[derive(Debug)]
pub enum ReplayPlan {
    /// Nothing is queued, for this reason.
    Refused(Replayed),
    /// These deliveries of a destination are queued again, oldest first.
    Queue {
        /// The destination.
        destination: Fingerprint,
        /// The places of the deliveries in their order.
        seqs: Vec<i64>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(states: &[DeliveryState], is_active: bool) -> Vec<DeliveryLook> {
        let query = DeliveryQuery {
            states: states.to_vec(),
            ..DeliveryQuery::default()
        };
        query.looks(is_active)
    }

    #[test]
    fn what_has_ended_by_time_alone_is_found_beside_what_is_written() {
        use DeliveryLook::{Arrived, Missed, Overdue, Pending, Withheld};
        use DeliveryState::{Accepted, Cancelled, Delivered, Expired, Failed};
        let (delivered, accepted) = (Delivered.code(), Accepted.code());
        let arrived = |one: u8, other: u8| Arrived {
            first: one.min(other),
            last: one.max(other),
        };
        let cases = [
            (vec![DeliveryState::Pending], true, vec![Pending]),
            (vec![DeliveryState::Pending], false, vec![]),
            (vec![Expired], true, vec![Overdue, Missed(Expired)]),
            (vec![Expired], false, vec![Missed(Expired)]),
            (vec![Cancelled], true, vec![Missed(Cancelled)]),
            (vec![Cancelled], false, vec![Withheld, Missed(Cancelled)]),
            (vec![Failed], true, vec![Missed(Failed)]),
            (vec![Delivered], true, vec![arrived(delivered, delivered)]),
            (
                vec![Accepted, Delivered],
                true,
                vec![arrived(delivered, accepted)],
            ),
        ];
        for (states, is_active, expected) in cases {
            assert_eq!(
                looks(&states, is_active),
                expected,
                "{states:?}, {is_active}"
            );
        }
    }

    #[test]
    fn every_delivery_is_found_once_whatever_its_connector_does() {
        for is_active in [true, false] {
            let all = looks(&[], is_active);
            let each = DeliveryState::ALL
                .iter()
                .map(|state| looks(&[*state], is_active));
            let mut single: Vec<_> = each.flatten().collect();
            let is_arrived = |look: &DeliveryLook| matches!(look, DeliveryLook::Arrived { .. });
            single.retain(|look| !is_arrived(look));
            assert_eq!(all.iter().filter(|look| is_arrived(look)).count(), 1);
            assert_eq!(all.len(), single.len() + 1);
            assert!(single.iter().all(|look| all.contains(look)));
        }
    }
}
