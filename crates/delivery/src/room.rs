//! The room in memory that waiting deliveries share. Each takes its part for as long as it is held; what finds no room stays on
//! disk.

use prometheus_client::metrics::gauge::Gauge;

/// Waiting deliveries may weigh so much together.
const BYTES_MAX: i64 = 12 * 1_024 * 1_024;

/// The room, by the metric that says how much of it is taken. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Room(Gauge);

/// What one delivery takes of the room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Part {
    bytes: i64,
    room: Room,
}

impl Room {
    pub(crate) fn new(taken: Gauge) -> Self {
        Self(taken)
    }

    /// Whether anything is left of it.
    pub(crate) fn is_left(&self) -> bool {
        self.0.get() < BYTES_MAX
    }

    /// Takes a part even where there is no room for it.
    pub(crate) fn take(&self, bytes: usize) -> Part {
        let bytes = i64::try_from(bytes).unwrap_or(BYTES_MAX);
        self.0.inc_by(bytes);
        Part {
            bytes,
            room: self.clone(),
        }
    }

    /// Takes a part if there is room for all of it.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Part> {
        let part = self.take(bytes);
        (self.0.get() <= BYTES_MAX).then_some(part)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.room.0.dec_by(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_makes_room_again() {
        let (all, room) = (
            usize::try_from(BYTES_MAX).unwrap(),
            Room::new(Gauge::default()),
        );
        let half = room.try_take(all / 2).unwrap();
        assert!(room.try_take(all / 2 + 1).is_none());
        let other_half = room.try_take(all / 2).unwrap();
        let too_much = room.take(1);
        assert!(!room.is_left());
        drop((half, other_half, too_much));
        assert!(room.is_left());
        assert!(room.try_take(all).is_some());
    }
}
