//! Which rows answer a question about history, decided once for every store.
//!
//! A delivery's state is what is written and what follows from times. So some states are found in several places.

use alert_connectors_model::{
    AlertId, Attempt, AttemptId, ConnectorId, Delivery, DeliveryState, Fingerprint,
};
use jiff::Timestamp;

use crate::{
    CLOCK_STEP, DeliveryQuery, DestinationHealth, DigestEntry, Expiry, Health, HealthFacts, Page,
    Replay, Replayed, Retried, StoreError,
    alerts::rows_max,
    stored::{Columns, StoredDelivery},
};

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

/// A query by kind looks at most at this many places in the order for one page, since no index finds a rare kind. A page may
/// then be shorter than its limit, or empty, and still have a next one.
pub const KIND_PLACES_MAX: i64 = 250_000;

impl DeliveryQuery {
    /// Where to look for a page of deliveries: one place after the other, each no deeper than the page.
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

    /// The conditions that no look answers, each as SQL that begins with ` AND ` and is about the delivery `d`.
    pub fn conditions(&self) -> String {
        let mut conditions = String::new();
        if !self.kinds.is_empty() {
            let codes: Vec<_> = self
                .kinds
                .iter()
                .map(|kind| kind.code().to_string())
                .collect();
            conditions.push_str(&format!(" AND d.kind IN ({})", codes.join(", ")));
        }
        if let Some(since) = self.since {
            conditions.push_str(&format!(" AND d.created_at >= {}", since.as_millisecond()));
        }
        if let Some(until) = self.until {
            conditions.push_str(&format!(" AND d.created_at < {}", until.as_millisecond()));
        }
        conditions
    }

    /// Whether the query asks about a connector.
    pub fn names(&self, connector: &KnownConnector) -> bool {
        self.connectors.is_empty() || self.connectors.contains(&connector.id)
    }

    /// No clock says that a delivery of the query was made before this time.
    pub fn earliest(&self) -> Option<Timestamp> {
        let since = self.since?;
        Some(since.checked_sub(CLOCK_STEP).unwrap_or(Timestamp::MIN))
    }

    /// A page of this query. `since` is the first place in the order at the query's earliest time, `oldest` and `newest` are
    /// the places of the oldest and the newest delivery of all.
    pub fn newest_deliveries(&self, since: i64, oldest: i64, newest: i64) -> NewestDeliveries {
        let before = self.before.unwrap_or(i64::MAX);
        let first = since.max(oldest);
        let cut = before.min(newest.saturating_add(1)) - KIND_PLACES_MAX;
        let cut = Some(cut).filter(|cut| !self.kinds.is_empty() && *cut > first);
        NewestDeliveries {
            limit: self.limit,
            before,
            first: cut.unwrap_or(first),
            cut,
            found: Vec::new(),
        }
    }
}

/// A page of deliveries while it is read, look after look.
pub struct NewestDeliveries {
    limit: usize,
    before: i64,
    first: i64,
    /// Where the page stops looking, if there may be more behind it.
    cut: Option<i64>,
    found: Vec<StoredDelivery>,
}

impl NewestDeliveries {
    /// The page begins before this place in the order.
    pub fn before(&self) -> i64 {
        self.before
    }

    /// What stands before this place in the order can't be on the page.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// A look reads at most this many rows: one more than the page holds, which says whether there is another page.
    pub fn rows_max(&self) -> i64 {
        rows_max(self.limit)
    }

    /// Adds what a look found. Returns whether the page still has room.
    pub fn add(&mut self, found: Vec<StoredDelivery>) -> bool {
        self.found.extend(found);
        if self.found.len() <= self.limit {
            return true;
        }
        self.found
            .sort_by_key(|stored| std::cmp::Reverse(stored.seq));
        self.found.truncate(self.limit + 1);
        if let Some(last) = self.found.last() {
            self.first = self.first.max(last.seq);
        }
        false
    }

    /// The page.
    pub fn page(mut self, expiry: Expiry) -> Page<Delivery> {
        self.found
            .sort_by_key(|stored| std::cmp::Reverse(stored.seq));
        let has_more = self.found.len() > self.limit;
        self.found.truncate(self.limit);
        let last = self.found.last().map(|stored| stored.seq);
        let items = self.found.into_iter().map(|stored| stored.read(expiry));
        Page {
            items: items.collect(),
            next: if has_more { last } else { self.cut },
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

    /// No clock says that a delivery of the span was made before this time.
    pub fn earliest(&self) -> Timestamp {
        let earliest = self.since.checked_sub(CLOCK_STEP);
        earliest.unwrap_or(Timestamp::MIN)
    }

    /// Deliveries of the span were made at or after the first of these times and before the second, both in milliseconds.
    pub fn span_ms(&self) -> (i64, i64) {
        let until = self.until.unwrap_or(Timestamp::MAX);
        (self.since.as_millisecond(), until.as_millisecond())
    }
}

/// What history needs to know of a connector.
pub struct KnownConnector {
    /// The number by which rows refer to it.
    pub no: i64,
    /// Its id.
    pub id: ConnectorId,
    /// Where it sends.
    pub destination: Fingerprint,
    /// Whether it is switched on.
    pub is_active: bool,
    created_at: Timestamp,
    switched_at: Timestamp,
}

impl KnownConnector {
    /// A connector from a row of number, destination, whether it is active, creation and last switch.
    pub fn of(id: ConnectorId, row: &dyn Columns) -> Result<Self, StoreError> {
        Ok(Self {
            no: row.number(0)?,
            id,
            destination: row.fingerprint(1)?,
            is_active: row.flag(2)?,
            created_at: row.time(3)?,
            switched_at: row.time(4)?,
        })
    }

    /// Its health, from that of its destination, how many of its deliveries are pending, when the oldest of them was made,
    /// and when one last arrived.
    pub fn health(
        self,
        health: DestinationHealth,
        (queue_depth, oldest_pending_at): (u64, Option<Timestamp>),
        last_success_at: Option<Timestamp>,
    ) -> Health {
        HealthFacts {
            connector_id: self.id,
            is_active: self.is_active,
            created_at: self.created_at,
            switched_at: self.switched_at,
            health,
            queue_depth,
            oldest_pending_at,
            last_success_at,
        }
        .into()
    }
}

/// The deliveries that one request carried stand near each other in the order, since they were pending at the same time.
/// They are looked for this many places before and after one of them: first in the shortest span.
pub const CARRIED_SPANS: [i64; 3] = [4_000, 32_000, 256_000];

/// The request that a delivery was sent with last, if it carried others too: its attempt, and how many there were.
pub fn carried_by(attempts: &[Attempt]) -> Option<(AttemptId, usize)> {
    let last = attempts.last()?;
    let size = usize::try_from(last.digest_size).ok()?;
    (size > 1).then_some((last.id, size))
}

/// The place of the delivery whose words the message of this one has: the last that was merged with it, if that is another.
pub fn merged_into(seq: i64, alert_id: AlertId, carried: &[DigestEntry]) -> Option<i64> {
    let last = carried.iter().rfind(|entry| entry.alert_id == alert_id)?;
    (last.seq != seq).then_some(last.seq)
}

/// Whether a delivery is retried: its destination, or why not. `connector` is its connector, if that is still there.
pub fn retry_of(
    stored: &StoredDelivery,
    connector: Option<&KnownConnector>,
    expiry: Expiry,
) -> Result<Fingerprint, Retried> {
    let state = stored.kept.now(expiry).0;
    let connector = connector.filter(|_| stored.kept.deleted_at.is_none());
    match connector {
        _ if !state.may_be_retried() => Err(Retried::Stands(state)),
        None => Err(Retried::ConnectorGone),
        Some(connector) if !connector.is_active => Err(Retried::ConnectorInactive),
        Some(connector) => Ok(connector.destination),
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
        /// The places of the deliveries in their order, by the transaction that queues them. An empty transaction checks
        /// the caller's permission where there is nothing to queue.
        steps: Vec<Vec<i64>>,
    },
}

impl ReplayPlan {
    /// At most this many deliveries are queued again in one transaction.
    const STEP: usize = 500;

    /// What a replay comes to that found these deliveries of a connector.
    pub fn queue(connector: &KnownConnector, mut found: Vec<i64>) -> Self {
        found.sort_unstable();
        found.truncate(Replay::MOST);
        let mut steps: Vec<Vec<i64>> = found.chunks(Self::STEP).map(<[i64]>::to_vec).collect();
        if steps.is_empty() {
            steps.push(Vec::new());
        }
        Self::Queue {
            destination: connector.destination,
            steps,
        }
    }

    /// The connector whose deliveries are replayed, or the plan to refuse.
    pub fn connector(found: Option<KnownConnector>) -> Result<KnownConnector, Self> {
        match found {
            None => Err(Self::Refused(Replayed::Absent)),
            Some(connector) if !connector.is_active => {
                Err(Self::Refused(Replayed::ConnectorInactive))
            }
            Some(connector) => Ok(connector),
        }
    }
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
    fn a_page_by_kind_looks_no_deeper_than_its_bound_and_goes_on_there() {
        let kinds = vec![alert_connectors_model::DeliveryKind::Raised];
        let by_kind = |before| DeliveryQuery {
            kinds: kinds.clone(),
            before,
            limit: 10,
            ..DeliveryQuery::default()
        };
        let expiry = Expiry {
            now: Timestamp::UNIX_EPOCH,
            retry_for: jiff::SignedDuration::from_hours(24),
        };
        let (oldest, newest) = (7, 3 * KIND_PLACES_MAX);
        let (mut before, mut spans) = (None, Vec::new());
        loop {
            let page = by_kind(before).newest_deliveries(0, oldest, newest);
            spans.push((page.first(), page.before().min(newest + 1)));
            let Some(next) = page.page(expiry).next else {
                break;
            };
            before = Some(next);
        }
        assert_eq!(spans.len(), 3);
        assert!(
            spans
                .iter()
                .all(|(first, before)| before - first <= KIND_PLACES_MAX)
        );
        assert!(spans.windows(2).all(|pair| pair[1].1 == pair[0].0));
        assert_eq!((spans[0].1, spans[2].0), (newest + 1, oldest));
        let any_kind = DeliveryQuery::default().newest_deliveries(0, oldest, newest);
        assert_eq!(any_kind.first(), oldest);
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
