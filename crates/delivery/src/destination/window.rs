//! The pending deliveries of one destination: the oldest few in memory, in order, and the rest on disk.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use alert_connectors_store::{OpeningState, PendingDelivery};

use crate::{memory::Reservation, rendered_alert::RenderedAlert};

/// At most this many deliveries of one destination are held in memory.
pub(crate) const WINDOW_MAX: usize = 1_024;

/// A pending delivery in memory, with its rendered alert.
pub(crate) struct QueuedDelivery {
    pub(crate) delivery: PendingDelivery,
    pub(crate) rendered: Arc<RenderedAlert>,
    _reservation: Reservation,
}

impl QueuedDelivery {
    pub(crate) fn new(
        delivery: PendingDelivery,
        rendered: Arc<RenderedAlert>,
        reservation: Reservation,
    ) -> Self {
        Self {
            delivery,
            rendered,
            _reservation: reservation,
        }
    }
}

/// A sliding window over the queue of one destination.
///
/// Its invariant: if a pending delivery is newer than `last_seq`, it is on disk and `on_disk` is set, so it will be read.
#[derive(Default)]
pub(crate) struct Window {
    queued: VecDeque<QueuedDelivery>,
    /// Everything up to this number was read or taken from an event. Resetting and shedding the window move it back.
    last_seq: i64,
    /// Whether newer ones may wait on disk.
    on_disk: bool,
    /// The highest number that was skipped since the current refill began. If the refill ends below it, there is more on disk.
    newest_skipped: i64,
    /// Counts how often the window was reset.
    generation: u64,
    /// When others were last known to have queued something, as the engine counts it: what is newer is read from disk.
    epoch: u64,
}

/// Where to continue reading, and the generation of the window.
#[derive(Clone, Copy)]
pub(crate) struct ReadCursor {
    pub(crate) after: i64,
    generation: u64,
}

impl Window {
    /// Takes a delivery that was just queued, or leaves it on disk.
    pub(crate) fn push(&mut self, queued: QueuedDelivery, has_memory: bool, epoch: u64) {
        if queued.delivery.seq <= self.last_seq {
            return;
        }
        if self.epoch != epoch || self.on_disk || !has_memory || self.queued.len() >= WINDOW_MAX {
            self.on_disk = true;
            self.newest_skipped = self.newest_skipped.max(queued.delivery.seq);
            return;
        }
        self.last_seq = queued.delivery.seq;
        self.queued.push_back(queued);
    }

    /// Empties the window. What is pending is read again from its beginning.
    pub(crate) fn reset(&mut self) {
        self.last_seq = 0;
        self.backlog_grew();
        self.generation += 1;
        self.queued = VecDeque::new();
    }

    /// Leaves all but the oldest few on disk.
    pub(crate) fn shed(&mut self, keep: usize) {
        let Some(newest) = self.queued.drain(keep.min(self.queued.len())..).next_back() else {
            return;
        };
        self.last_seq = self.queued.back().map_or(0, |last| last.delivery.seq);
        self.newest_skipped = self.newest_skipped.max(newest.delivery.seq);
        self.on_disk = true;
        self.queued.shrink_to_fit();
    }

    /// The next delivery.
    pub(crate) fn front(&self) -> Option<&QueuedDelivery> {
        self.queued.front()
    }

    /// Takes the next delivery out, with the generation that it must come back to.
    pub(crate) fn pop_front(&mut self) -> Option<(QueuedDelivery, u64)> {
        self.queued
            .pop_front()
            .map(|queued| (queued, self.generation))
    }

    /// Whether anything waits that may go in the place of the delivery at the front.
    pub(crate) fn has_other(&self) -> bool {
        self.others().next().is_some()
    }

    /// The first delivery that may go in the place of the one at the front.
    pub(crate) fn first_other(&self) -> Option<&QueuedDelivery> {
        self.queued.get(self.others().next()?)
    }

    /// Takes out a delivery that may go in the place of the one at the front: the one after it, or a later one where others
    /// were tried before.
    pub(crate) fn pop_other(&mut self, tried: u32) -> Option<(QueuedDelivery, u64)> {
        let others = self.others().count();
        let nth = usize::try_from(tried).unwrap_or(0).checked_rem(others)?;
        let place = self.others().nth(nth)?;
        let other = self.queued.remove(place)?;
        Some((other, self.generation))
    }

    /// The places of deliveries that have nothing to do with the one at the front and may be sent now. Of those that tell
    /// the same connector of the same alert only the first counts, so that none overtakes another.
    fn others(&self) -> impl Iterator<Item = usize> {
        let mut seen = HashSet::new();
        let front = self.queued.front().map(|front| &front.delivery);
        let is_other = move |queued: &QueuedDelivery| {
            let due = &queued.delivery;
            let is_same = front.is_none_or(|front| {
                due.alert_id == front.alert_id && due.connector.id == front.connector.id
            });
            !is_same && due.opening == OpeningState::Arrived
        };
        let places = self.queued.iter().enumerate();
        places
            .filter(move |(_, queued)| {
                let is_first =
                    seen.insert((queued.delivery.alert_id, queued.delivery.connector.id));
                is_first && is_other(queued)
            })
            .map(|(place, _)| place)
    }

    /// Takes out some deliveries.
    pub(crate) fn remove_where(
        &mut self,
        is_out: impl Fn(&PendingDelivery) -> bool,
    ) -> Vec<QueuedDelivery> {
        if !self.queued.iter().any(|queued| is_out(&queued.delivery)) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.queued);
        let (out, kept): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|queued| is_out(&queued.delivery));
        self.queued = kept.into();
        out
    }

    /// Takes out the follow-ups of an alert to the same connector that wait behind it.
    pub(crate) fn remove_followers(&mut self, first: &PendingDelivery) -> Vec<QueuedDelivery> {
        // Without a `dedup_key` the only follow-up is an end that a person asked for, which is sent apart.
        if first.alert.dedup_key.is_none() {
            return Vec::new();
        }
        self.remove_where(|due| {
            due.alert_id == first.alert_id && due.connector.id == first.connector.id
        })
    }

    /// Puts a delivery back in its place to be tried again. If the window was reset meanwhile it is read again from disk.
    pub(crate) fn put_back(&mut self, queued: QueuedDelivery, generation: u64) {
        if generation != self.generation {
            return;
        }
        let seq = queued.delivery.seq;
        let place = self
            .queued
            .partition_point(|other| other.delivery.seq < seq);
        self.queued.insert(place, queued);
    }

    /// Counts how often the window was reset.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether newer ones than those in the window may wait on disk.
    pub(crate) const fn has_more_on_disk(&self) -> bool {
        self.on_disk
    }

    /// More may wait on disk than is known here.
    pub(crate) fn backlog_grew(&mut self) {
        self.on_disk = true;
        self.newest_skipped = i64::MAX;
    }

    /// Begins to read on from disk, if there is anything to read.
    pub(crate) fn begin_refill(&mut self, epoch: u64) -> Option<ReadCursor> {
        if !self.on_disk {
            return None;
        }
        self.newest_skipped = 0;
        self.epoch = epoch;
        Some(ReadCursor {
            after: self.last_seq,
            generation: self.generation,
        })
    }

    /// Takes what was read, up to the delivery numbered `last`. `complete` says that there was no more.
    pub(crate) fn end_refill(
        &mut self,
        cursor: ReadCursor,
        read: Vec<QueuedDelivery>,
        last: Option<i64>,
        complete: bool,
    ) {
        if cursor.generation != self.generation {
            return;
        }
        self.last_seq = last.unwrap_or(self.last_seq);
        self.queued.extend(read);
        self.on_disk = !complete || self.newest_skipped > self.last_seq;
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued.is_empty() && !self.on_disk
    }

    /// How many deliveries are in memory.
    pub(crate) fn len(&self) -> usize {
        self.queued.len()
    }
}
