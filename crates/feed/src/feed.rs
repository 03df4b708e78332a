//! The feed: which spaces are watched, here and at other servers, and what happened in them lately.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alert_connectors_model::{Clock, Random, SpaceId};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    EventId, SpaceEvent,
    recent::{KEPT_MS, Recent},
    watcher::Watcher,
};

/// How many watchers there may be.
pub const WATCHERS_MAX: usize = 2_000;
/// How many events of all spaces are kept: about 6 MiB.
const KEPT_MAX: usize = 100_000;
/// How many events of a space wait to be relayed. Beyond that, one resync replaces them.
const OUTGOING_MAX: usize = 200;
/// How long another server is believed to watch a space after it said so.
const ELSEWHERE_FOR: Duration = Duration::from_secs(30);
/// How many spaces that others watch are remembered.
const ELSEWHERE_MAX: usize = 4_000;

/// The feed. Clones share it.
#[derive(Clone)]
pub struct Feed(pub(crate) Arc<FeedState>);

pub(crate) struct FeedState {
    server: u32,
    clock: Arc<dyn Clock>,
    /// How many spaces are watched by anyone: while there is none, events cost nothing.
    active: AtomicUsize,
    spaces: Mutex<Spaces>,
    /// Wakes the relay: a space is watched that was not, or events are to be relayed.
    pub(crate) to_relay: Notify,
    pub(crate) closing: CancellationToken,
}

#[derive(Default)]
struct Spaces {
    by_id: HashMap<SpaceId, SpaceFeed>,
    watchers: usize,
    kept: usize,
}

/// The feed of one space.
struct SpaceFeed {
    recent: Recent,
    /// The number of the next event.
    changed: watch::Sender<u64>,
    watchers: usize,
    /// Events are kept until this time after the last watcher left.
    kept_until: Option<Instant>,
    /// Until when another server watches it.
    elsewhere_until: Option<Instant>,
    outgoing: Vec<SpaceEvent>,
    /// Whether this server has announced to the others that its callers watch the space.
    is_announced: bool,
}

/// There are as many watchers as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyWatchers;

impl fmt::Display for TooManyWatchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{WATCHERS_MAX} callers watch spaces, which is the maximum"
        )
    }
}

impl std::error::Error for TooManyWatchers {}

impl SpaceFeed {
    fn new(now_ms: i64) -> Self {
        Self {
            recent: Recent::new(now_ms),
            changed: watch::Sender::new(0),
            watchers: 0,
            kept_until: None,
            elsewhere_until: None,
            outgoing: Vec::new(),
            is_announced: false,
        }
    }

    /// Whether anyone here watches it, or did a short time ago.
    fn is_kept(&self, now: Instant) -> bool {
        self.watchers > 0 || self.kept_until.is_some_and(|until| now < until)
    }

    fn is_watched_elsewhere(&self, now: Instant) -> bool {
        self.elsewhere_until.is_some_and(|until| now < until)
    }

    fn queue_outgoing(&mut self, event: SpaceEvent) {
        if self.outgoing.len() >= OUTGOING_MAX {
            self.outgoing.clear();
            self.outgoing.push(SpaceEvent::Resync);
        } else if self.outgoing != [SpaceEvent::Resync] {
            self.outgoing.push(event);
        }
    }
}

impl Spaces {
    /// Adds an event to what is kept of a space.
    fn keep(&mut self, space: SpaceId, now_ms: i64, event: SpaceEvent) {
        if let Some(feed) = self.by_id.get_mut(&space) {
            let before = feed.recent.len();
            feed.recent.push(now_ms, event, self.kept < KEPT_MAX);
            self.kept = self.kept + feed.recent.len() - before;
            feed.changed.send_replace(feed.recent.next());
        }
    }
}

impl Feed {
    /// A feed that nobody watches. It ends when `closing` is cancelled.
    pub fn new(clock: Arc<dyn Clock>, random: &dyn Random, closing: CancellationToken) -> Self {
        let mut server = [0; 4];
        random.fill(&mut server);
        Self(Arc::new(FeedState {
            server: u32::from_le_bytes(server),
            clock,
            active: AtomicUsize::new(0),
            spaces: Mutex::default(),
            to_relay: Notify::new(),
            closing,
        }))
    }

    fn spaces(&self) -> MutexGuard<'_, Spaces> {
        let spaces = self.0.spaces.lock();
        spaces.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn server(&self) -> u32 {
        self.0.server
    }

    fn now_ms(&self) -> i64 {
        self.0.clock.now().as_millisecond()
    }

    /// Whether anyone watches any space, so that it is worth while to find out what to publish.
    pub fn is_watched(&self) -> bool {
        self.0.active.load(Ordering::Relaxed) > 0
    }

    /// How many watchers there are at this server.
    pub fn watchers(&self) -> usize {
        self.spaces().watchers
    }

    /// Whether anyone watches a space, here or at another server.
    pub fn is_space_watched(&self, space: SpaceId) -> bool {
        self.is_watched() && self.spaces().by_id.contains_key(&space)
    }

    /// Says what happened in a space, here and to the other servers that watch it.
    pub fn publish(&self, space: SpaceId, events: impl IntoIterator<Item = SpaceEvent>) {
        if !self.is_watched() {
            return;
        }
        let (now, now_ms) = (Instant::now(), self.now_ms());
        let mut spaces = self.spaces();
        let Some(feed) = spaces.by_id.get(&space) else {
            return;
        };
        let (is_kept, is_elsewhere) = (feed.is_kept(now), feed.is_watched_elsewhere(now));
        for event in events {
            if is_kept {
                spaces.keep(space, now_ms, event);
            }
            if is_elsewhere && let Some(feed) = spaces.by_id.get_mut(&space) {
                feed.queue_outgoing(event);
            }
        }
        if is_elsewhere {
            self.0.to_relay.notify_one();
        }
    }

    /// Watches a space: from now on or, after a connection broke, from the event after `last`.
    pub fn watch(&self, space: SpaceId, last: Option<EventId>) -> Result<Watcher, TooManyWatchers> {
        let now_ms = self.now_ms();
        let mut spaces = self.spaces();
        if spaces.watchers >= WATCHERS_MAX {
            return Err(TooManyWatchers);
        }
        spaces.watchers += 1;
        let now = Instant::now();
        let feed = spaces
            .by_id
            .entry(space)
            .or_insert_with(|| SpaceFeed::new(now_ms));
        if !feed.is_kept(now) {
            // What happened while nobody here watched was not kept.
            let next = feed.recent.next();
            feed.recent = Recent::starting_at(next, now_ms);
        }
        feed.watchers += 1;
        if !feed.is_announced {
            self.0.to_relay.notify_one();
        }
        let next = feed.recent.next();
        let from = last.map_or(Some(next), |last| self.place_after(&feed.recent, last));
        let changed = feed.changed.subscribe();
        self.0.active.store(spaces.by_id.len(), Ordering::Relaxed);
        drop(spaces);
        Ok(Watcher::new(self.clone(), space, changed, from.ok_or(next)))
    }

    /// Where to go on after an event, if everything since is kept.
    fn place_after(&self, recent: &Recent, last: EventId) -> Option<u64> {
        if last.server != self.0.server {
            return recent.after(last.at_ms);
        }
        let from = last.number.checked_add(1)?;
        let is_kept = from <= recent.next() && recent.from(from).is_some();
        is_kept.then_some(from)
    }

    pub(crate) fn leave(&self, space: SpaceId) {
        let mut spaces = self.spaces();
        spaces.watchers = spaces.watchers.saturating_sub(1);
        if let Some(feed) = spaces.by_id.get_mut(&space) {
            feed.watchers = feed.watchers.saturating_sub(1);
            let kept = Duration::from_millis(KEPT_MS.unsigned_abs());
            feed.kept_until = Instant::now().checked_add(kept);
        }
    }

    /// The events of a space from a number on, and the number after them; `None` if some of them are not kept.
    pub(crate) fn events(
        &self,
        space: SpaceId,
        from: u64,
    ) -> (Option<Vec<(EventId, SpaceEvent)>>, u64) {
        let spaces = self.spaces();
        let Some(feed) = spaces.by_id.get(&space) else {
            return (None, from);
        };
        let named = |(number, at_ms, event)| (self.id(number, at_ms), event);
        let events = feed
            .recent
            .from(from)
            .map(|events| events.map(named).collect());
        (events, feed.recent.next())
    }

    fn id(&self, number: u64, at_ms: i64) -> EventId {
        EventId {
            at_ms,
            number,
            server: self.0.server,
        }
    }

    /// The id of a `resync`, after which the event numbered `next` follows.
    pub(crate) fn resync_id(&self, next: u64) -> EventId {
        self.id(next.saturating_sub(1), self.now_ms())
    }

    /// An event that another server relayed.
    pub(crate) fn receive(&self, space: SpaceId, events: impl Iterator<Item = SpaceEvent>) {
        let (now, now_ms) = (Instant::now(), self.now_ms());
        let mut spaces = self.spaces();
        if spaces
            .by_id
            .get(&space)
            .is_some_and(|feed| feed.is_kept(now))
        {
            for event in events {
                spaces.keep(space, now_ms, event);
            }
        }
    }

    /// Another server watches these spaces.
    pub(crate) fn watched_elsewhere(&self, watched: impl Iterator<Item = SpaceId>) {
        let (now, now_ms) = (Instant::now(), self.now_ms());
        let mut spaces = self.spaces();
        for space in watched {
            if spaces.by_id.len() >= ELSEWHERE_MAX + WATCHERS_MAX {
                break;
            }
            let feed = spaces
                .by_id
                .entry(space)
                .or_insert_with(|| SpaceFeed::new(now_ms));
            feed.elsewhere_until = now.checked_add(ELSEWHERE_FOR);
        }
        self.0.active.store(spaces.by_id.len(), Ordering::Relaxed);
    }

    /// Events of other servers may have been lost: who watches reads everything again.
    pub(crate) fn resync_all(&self) {
        self.resync(|_feed| true);
    }

    fn resync(&self, concerns: impl Fn(&SpaceFeed) -> bool) {
        let (now, now_ms) = (Instant::now(), self.now_ms());
        let mut spaces = self.spaces();
        let is_meant = |feed: &SpaceFeed| feed.is_kept(now) && concerns(feed);
        let meant = spaces.by_id.iter().filter(|(_, feed)| is_meant(feed));
        let meant: Vec<SpaceId> = meant.map(|(space, _)| *space).collect();
        for space in meant {
            spaces.keep(space, now_ms, SpaceEvent::Resync);
        }
    }

    /// The spaces that callers of this server watch: all of them, or only those that it has not announced to the other servers.
    pub(crate) fn watched_here(&self, only_new: bool) -> Vec<SpaceId> {
        let now = Instant::now();
        let spaces = self.spaces();
        let is_meant = |feed: &SpaceFeed| feed.is_kept(now) && !(only_new && feed.is_announced);
        let watched = spaces.by_id.iter().filter(|(_, feed)| is_meant(feed));
        watched.map(|(space, _)| *space).collect()
    }

    /// Marks these spaces as announced. A resync covers what happened at the other servers before they knew.
    pub(crate) fn announced(&self, watched: &[SpaceId]) {
        let now_ms = self.now_ms();
        let mut spaces = self.spaces();
        for space in watched {
            let Some(feed) = spaces.by_id.get_mut(space) else {
                continue;
            };
            if !std::mem::replace(&mut feed.is_announced, true) {
                spaces.keep(*space, now_ms, SpaceEvent::Resync);
            }
        }
    }

    /// Takes what is to be relayed, by space.
    pub(crate) fn take_outgoing(&self) -> Vec<(SpaceId, Vec<SpaceEvent>)> {
        let mut spaces = self.spaces();
        let outgoing = spaces
            .by_id
            .iter_mut()
            .filter(|(_, feed)| !feed.outgoing.is_empty());
        outgoing
            .map(|(space, feed)| (*space, std::mem::take(&mut feed.outgoing)))
            .collect()
    }

    /// Forgets old events, and the spaces that nobody watches any more.
    pub(crate) fn tidy(&self) {
        let (now, now_ms) = (Instant::now(), self.now_ms());
        let mut spaces = self.spaces();
        spaces.by_id.retain(|_, feed| {
            feed.recent.forget_old(now_ms);
            feed.is_announced &= feed.is_kept(now);
            feed.is_kept(now) || feed.is_watched_elsewhere(now)
        });
        spaces.kept = spaces.by_id.values().map(|feed| feed.recent.len()).sum();
        self.0.active.store(spaces.by_id.len(), Ordering::Relaxed);
    }
}
