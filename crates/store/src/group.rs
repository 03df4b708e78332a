//! The groups of requests that share one commit, for any database: how large they may grow, and the metrics of their sizes
//! and durations.

use std::time::Duration;

use prometheus_client::{metrics::histogram::Histogram, registry::Registry};

/// At most this many requests wait for a writer; further callers wait for room in its queue.
pub const WAITING_MAX: usize = 1_024;
/// At most this many requests share a commit, which bounds how long one takes.
pub const GROUP_MAX: usize = 512;
/// A group takes no more requests once it has this many alerts, deliveries and outcomes.
pub const GROUP_ROWS_MAX: usize = 8_000;
/// At most this many groups of events wait for the engine. Beyond that, the writer waits for it.
pub const EVENT_GROUPS_MAX: usize = 256;
/// At most this many numbers of connectors are kept in memory between groups.
pub const CONNECTOR_NUMBERS_MAX: usize = 50_000;

/// The metrics of a writer. Clones share them.
#[derive(Debug, Clone)]
pub struct GroupMeters {
    group_size: Histogram,
    group_seconds: Histogram,
}

const SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0, 2_048.0];
const SECONDS: [f64; 10] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0,
];

impl Default for GroupMeters {
    fn default() -> Self {
        Self {
            group_size: Histogram::new(SIZES),
            group_seconds: Histogram::new(SECONDS),
        }
    }
}

impl GroupMeters {
    /// A group was committed, or failed.
    pub fn ended(&self, requests: usize, took: Duration) {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        self.group_size.observe(requests.into());
        self.group_seconds.observe(took.as_secs_f64());
    }

    /// Registers the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "store_group_size",
            "Requests that shared one commit",
            self.group_size.clone(),
        );
        registry.register(
            "store_group_duration_seconds",
            "How long a group took, its commit included",
            self.group_seconds.clone(),
        );
    }
}
