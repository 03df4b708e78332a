//! The memory that pending deliveries share. Each holds a reservation while it is in memory; the rest stays on disk.

use prometheus_client::metrics::gauge::Gauge;

/// Once pending deliveries take this much memory together, no more are read ahead. What must be in memory may exceed it.
const BYTES_MAX: i64 = 12 * 1_024 * 1_024;

/// The budget, counted by the metric that shows how much of it is reserved. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget(Gauge);

/// What one delivery reserves, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    bytes: i64,
    budget: MemoryBudget,
}

impl MemoryBudget {
    pub(crate) fn new(reserved: Gauge) -> Self {
        Self(reserved)
    }

    /// Returns whether anything is left.
    pub(crate) fn is_left(&self) -> bool {
        self.0.get() < BYTES_MAX
    }

    /// Reserves memory, even beyond the budget.
    pub(crate) fn reserve(&self, bytes: usize) -> Reservation {
        let bytes = i64::try_from(bytes).unwrap_or(BYTES_MAX);
        self.0.inc_by(bytes);
        Reservation {
            bytes,
            budget: self.clone(),
        }
    }

    /// Reserves memory if that stays within the budget.
    pub(crate) fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        let reservation = self.reserve(bytes);
        (self.0.get() <= BYTES_MAX).then_some(reservation)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.dec_by(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_reservation_is_available_again() {
        let all = usize::try_from(BYTES_MAX).unwrap();
        let budget = MemoryBudget::new(Gauge::default());
        let half = budget.try_reserve(all / 2).unwrap();
        assert!(budget.try_reserve(all / 2 + 1).is_none());
        let other_half = budget.try_reserve(all / 2).unwrap();
        let too_much = budget.reserve(1);
        assert!(!budget.is_left());
        drop((half, other_half, too_much));
        assert!(budget.is_left());
        assert!(budget.try_reserve(all).is_some());
    }
}
