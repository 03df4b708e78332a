//! What the engine counts: attempts by platform and outcome, and how long they took.

use std::time::Duration;

use alert_connectors_model::{AttemptOutcome, ConnectorType};
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
    carried: Counter,
    digests: Counter,
    seconds: Histogram,
    destinations: Gauge,
    waiting_bytes: Gauge,
}

/// From a quick answer to the time limit of a request.
const SECONDS: [f64; 8] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

impl Default for DeliveryMeters {
    fn default() -> Self {
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
