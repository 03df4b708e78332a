//! What the engine counts: attempts by platform and outcome, and how long they took.

use std::time::Duration;

use alert_connectors_model::{AttemptOutcome, ConnectorType, DeliveryState};
use jiff::Timestamp;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// The labels of attempts. Cardinality is bounded: the platforms times the outcomes, independent of the number of tenants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    platform: &'static str,
    outcome: &'static str,
}

/// What the engine counts. Clones share it.
#[derive(Debug, Clone)]
pub struct DeliveryMeters {
    /// By the places of platform and outcome, found without a lock.
    attempts: [[Counter; AttemptOutcome::ALL.len()]; ConnectorType::ALL.len()],
    family: Family<Labels, Counter>,
    /// By the code of the state in which requests ended deliveries, likewise.
    ended: [Counter; DeliveryState::ALL.len()],
    ended_family: Family<Ended, Counter>,
    delay: Histogram,
    carried: Counter,
    digests: Counter,
    seconds: Histogram,
    destinations: Gauge,
    waiting_bytes: Gauge,
}

/// The label of deliveries that ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    state: &'static str,
}

/// From a channel that is free to one that was blocked for a day.
const DELAYS: [f64; 13] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3_600.0, 21_600.0, 86_400.0,
];
/// From a quick answer to the time limit of a request.
const SECONDS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

impl Default for DeliveryMeters {
    fn default() -> Self {
        let ended_family = Family::<Ended, Counter>::default();
        let family = Family::<Labels, Counter>::default();
        let counter = |platform: ConnectorType, outcome: AttemptOutcome| {
            let labels = Labels {
                platform: platform.as_str(),
                outcome: outcome.as_str(),
            };
            family.get_or_create(&labels).clone()
        };
        Self {
            attempts: ConnectorType::ALL.map(|platform| {
                std::array::from_fn(|at| counter(platform, AttemptOutcome::ALL[at]))
            }),
            family,
            ended: DeliveryState::ALL.map(|state| {
                let label = Ended {
                    state: state.as_str(),
                };
                ended_family.get_or_create(&label).clone()
            }),
            ended_family,
            delay: Histogram::new(DELAYS),
            carried: Counter::default(),
            digests: Counter::default(),
            seconds: Histogram::new(SECONDS),
            destinations: Gauge::default(),
            waiting_bytes: Gauge::default(),
        }
    }
}

impl DeliveryMeters {
    /// Lets a registry show them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "attempts",
            "Requests to webhooks, by platform and outcome",
            self.family.clone(),
        );
        registry.register(
            "deliveries_ended",
            "Deliveries that requests of this server ended, by state",
            self.ended_family.clone(),
        );
        registry.register(
            "delivery_delay_seconds",
            "From the acceptance of an alert to the arrival of its message",
            self.delay.clone(),
        );
        registry.register(
            "deliveries_carried",
            "Deliveries that requests carried, each as often as it was tried",
            self.carried.clone(),
        );
        registry.register(
            "digests",
            "Requests that carried more than one delivery",
            self.digests.clone(),
        );
        registry.register(
            "attempt_duration_seconds",
            "How long requests to webhooks took",
            self.seconds.clone(),
        );
        registry.register(
            "destinations",
            "Webhooks in memory: those with work, and those that had some within ten minutes",
            self.destinations.clone(),
        );
        registry.register(
            "waiting_bytes",
            "About what the deliveries that wait in memory take of it; the others wait on disk",
            self.waiting_bytes.clone(),
        );
    }

    /// A request ended the deliveries that were made at these times.
    pub(crate) fn ended(
        &self,
        state: DeliveryState,
        created_at: impl Iterator<Item = Timestamp>,
        at: Timestamp,
    ) {
        let has_arrived = matches!(state, DeliveryState::Delivered | DeliveryState::Accepted);
        for created_at in created_at {
            self.ended[state as usize].inc();
            if has_arrived {
                // A clock may have been set back meanwhile.
                let delay = at.duration_since(created_at).as_secs_f64().max(0.0);
                self.delay.observe(delay);
            }
        }
    }

    pub(crate) fn waiting_bytes(&self) -> Gauge {
        self.waiting_bytes.clone()
    }

    /// So many destinations are in memory.
    pub(crate) fn destinations(&self, count: usize) {
        self.destinations
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn attempted(
        &self,
        platform: ConnectorType,
        outcome: AttemptOutcome,
        carried: usize,
        took: Duration,
    ) {
        let place = AttemptOutcome::ALL.iter().position(|one| *one == outcome);
        let counters = &self.attempts[platform as usize];
        if let Some(counter) = place.and_then(|place| counters.get(place)) {
            counter.inc();
        }
        self.carried.inc_by(carried as u64);
        if carried > 1 {
            self.digests.inc();
        }
        self.seconds.observe(took.as_secs_f64());
    }
}
