//! What waits for one destination: the oldest few in memory, in order, and the rest on disk.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use alert_connectors_store::{Due, Opening};

use crate::{letter::Letter, room::Part};

/// At most this many deliveries of one destination are held in memory.
pub(crate) const WINDOW_MAX: usize = 1_024;

/// A delivery that waits, with its message.
pub(crate) struct Waiting {
    pub(crate) due: Due,
    pub(crate) letter: Arc<Letter>,
    /// Its part of the room in memory.
    _part: Part,
}

impl Waiting {
    pub(crate) fn new(due: Due, letter: Arc<Letter>, part: Part) -> Self {
        Self {
            due,
            letter,
            _part: part,
        }
    }
}

/// A sliding window over the queue of one destination.
///
/// Its invariant: whatever is owed and newer than `last_seq` is on disk and will be read, because `on_disk` is set; or
/// there is no such thing.
#[derive(Default)]
pub(crate) struct Window {
    waiting: VecDeque<Waiting>,
    /// The newest delivery that was ever in the window.
    last_seq: i64,
    /// Whether newer ones may wait on disk.
    on_disk: bool,
    /// The newest that was left on disk since reading from there began: whether the reading found it is seen by its place.
    left: i64,
    /// Counts how often the window was thrown away.
    generation: u64,
    /// When others were last known to have queued something, as the engine counts it: what is newer is read from disk.
    epoch: u64,
}

/// Where to read on, and what the window looked like then.
#[derive(Clone, Copy)]
pub(crate) struct Refill {
    pub(crate) after: i64,
    generation: u64,
}

impl Window {
    /// Takes a delivery that was just queued, or leaves it on disk.
    pub(crate) fn queued(&mut self, waiting: Waiting, room: bool, epoch: u64) {
        if waiting.due.seq <= self.last_seq {
            return;
        }
        if self.epoch != epoch || self.on_disk || !room || self.waiting.len() >= WINDOW_MAX {
            self.on_disk = true;
            self.left = self.left.max(waiting.due.seq);
            return;
        }
        self.last_seq = waiting.due.seq;
        self.waiting.push_back(waiting);
    }

    /// Throws the window away: what is owed is read anew from its beginning.
    pub(crate) fn forget(&mut self) {
        self.last_seq = 0;
        self.called();
        self.generation += 1;
        self.waiting = VecDeque::new();
    }

    /// Leaves all but the oldest few on disk.
    pub(crate) fn shed(&mut self, keep: usize) {
        let Some(newest) = self
            .waiting
            .drain(keep.min(self.waiting.len())..)
            .next_back()
        else {
            return;
        };
        self.last_seq = self.waiting.back().map_or(0, |last| last.due.seq);
        self.left = self.left.max(newest.due.seq);
        self.on_disk = true;
        self.waiting.shrink_to_fit();
    }

    /// The next delivery.
    pub(crate) fn front(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// Takes the next delivery out, with the generation that it must come back to.
    pub(crate) fn take(&mut self) -> Option<(Waiting, u64)> {
        self.waiting
            .pop_front()
            .map(|waiting| (waiting, self.generation))
    }

    /// Whether anything waits that may go in the place of the delivery at the front.
    pub(crate) fn has_other(&self) -> bool {
        self.others().next().is_some()
    }

    /// The first delivery that may go in the place of the one at the front.
    pub(crate) fn first_other(&self) -> Option<&Waiting> {
        self.waiting.get(self.others().next()?)
    }

    /// Takes out a delivery that may go in the place of the one at the front: the one after it, or a later one where others
    /// were tried before.
    pub(crate) fn take_other(&mut self, tried: u32) -> Option<(Waiting, u64)> {
        let others = self.others().count();
        let nth = usize::try_from(tried).unwrap_or(0).checked_rem(others)?;
        let place = self.others().nth(nth)?;
        let other = self.waiting.remove(place)?;
        Some((other, self.generation))
    }

    /// The places of deliveries that have nothing to do with the one at the front and may be sent now. Of those that tell
    /// the same connector of the same alert only the first counts, so that none overtakes another.
    fn others(&self) -> impl Iterator<Item = usize> {
        let mut seen = HashSet::new();
        let front = self.waiting.front().map(|front| &front.due);
        let is_other = move |waiting: &Waiting| {
            let due = &waiting.due;
            let is_same = front.is_none_or(|front| {
                due.alert_id == front.alert_id && due.connector.id == front.connector.id
            });
            !is_same && due.opening == Opening::Arrived
        };
        let places = self.waiting.iter().enumerate();
        places
            .filter(move |(_, waiting)| {
                let is_first = seen.insert((waiting.due.alert_id, waiting.due.connector.id));
                is_first && is_other(waiting)
            })
            .map(|(place, _)| place)
    }

    /// Takes out some deliveries.
    pub(crate) fn take_out(&mut self, is_out: impl Fn(&Due) -> bool) -> Vec<Waiting> {
        if !self.waiting.iter().any(|waiting| is_out(&waiting.due)) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.waiting);
        let (out, kept): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|waiting| is_out(&waiting.due));
        self.waiting = kept.into();
        out
    }

    /// Takes out the follow-ups of an alert to the same connector that wait behind it.
    pub(crate) fn take_followers(&mut self, first: &Due) -> Vec<Waiting> {
        // Only a problem with a name is ever followed up.
        if first.alert.dedup_key.is_none() {
            return Vec::new();
        }
        self.take_out(|due| {
            due.alert_id == first.alert_id && due.connector.id == first.connector.id
        })
    }

    /// Puts a delivery back in its place to be tried again. If the window was thrown away meanwhile it is read again from disk.
    pub(crate) fn put_back(&mut self, waiting: Waiting, generation: u64) {
        if generation != self.generation {
            return;
        }
        let seq = waiting.due.seq;
        let place = self.waiting.partition_point(|other| other.due.seq < seq);
        self.waiting.insert(place, waiting);
    }

    /// Counts how often the window was thrown away.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether newer ones than those in the window may wait on disk.
    pub(crate) const fn goes_on(&self) -> bool {
        self.on_disk
    }

    /// More may wait on disk than is known here.
    pub(crate) fn called(&mut self) {
        self.on_disk = true;
        self.left = i64::MAX;
    }

    /// Begins to read on from disk, if there is anything to read.
    pub(crate) fn begin_refill(&mut self, epoch: u64) -> Option<Refill> {
        if !self.on_disk {
            return None;
        }
        self.left = 0;
        self.epoch = epoch;
        Some(Refill {
            after: self.last_seq,
            generation: self.generation,
        })
    }

    /// Takes what was read, up to the delivery numbered `last`. `complete` says that there was no more.
    pub(crate) fn end_refill(
        &mut self,
        refill: Refill,
        read: Vec<Waiting>,
        last: Option<i64>,
        complete: bool,
    ) {
        if refill.generation != self.generation {
            return;
        }
        self.last_seq = last.unwrap_or(self.last_seq);
        self.waiting.extend(read);
        self.on_disk = !complete || self.left > self.last_seq;
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && !self.on_disk
    }

    /// How many deliveries are in memory.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}
