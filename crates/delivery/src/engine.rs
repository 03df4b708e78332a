//! The engine: learns what is owed, and keeps a task for each destination that has work.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alert_connectors_model::{Fingerprint, Random};
use alert_connectors_store::{Due, Event, Expiry, Leases, Queue};
use alert_connectors_tasks::Tasks;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, watch},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::{
    DeliveryMeters, Patience, Rates, Sender, Tell,
    conduct::Moment,
    connections::Connections,
    destination::{Destination, Wake},
    keeper::{self, Keeper, Why},
    letter::{Letter, page},
    notice::{self, ToTell},
    record::{self, Ended, Held},
    room::{Part, Room},
    window::Waiting,
};

/// So many changes of standing may wait to be told; whoever has one more waits.
const TO_TELL_MAX: usize = 1_024;
/// How often to look for what no event told of: the safety net below the events.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The same where others share the store: what a replica leaves behind when it dies is found this soon after its leases lapse.
const LOOK_EVERY_SHARED: Duration = Duration::from_secs(1);
/// What had nothing to do for so long is forgotten. Until then its pace goes on as it was.
const IDLE_MAX: Duration = Duration::from_mins(10);

/// What an engine is made of.
pub struct EngineOptions {
    /// What is owed, and where outcomes go.
    pub store: Arc<dyn Queue>,
    /// Who works which destination, where several servers share the store.
    pub leases: Arc<dyn Leases>,
    /// How webhooks are reached.
    pub sender: Sender,
    /// Who tells spaces of their connectors.
    pub tell: Arc<dyn Tell>,
    /// The pace of each platform.
    pub rates: Rates,
    /// How long to wait for what.
    pub patience: Patience,
    /// The maximum number of open connections to webhooks.
    pub connections_max: usize,
    /// How long a delivery is tried.
    pub retry_for: SignedDuration,
    /// What is counted.
    pub meters: DeliveryMeters,
    /// Where people reach this service, for links.
    pub public_url: Option<String>,
    /// Randomness for jitter and ids.
    pub random: Arc<dyn Random>,
    /// Where the engine's tasks live.
    pub tasks: Tasks,
    /// Cancelled when nothing new may be sent.
    pub stopping: CancellationToken,
}

/// The engine. Clones share it.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Queue>,
    pub(crate) leases: Arc<dyn Leases>,
    pub(crate) keeper: Keeper,
    /// Counts how often others were known to have queued something.
    epoch: AtomicU64,
    pub(crate) sender: Sender,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) stopping: CancellationToken,
    pub(crate) connections: Connections,
    pub(crate) held: watch::Sender<Held>,
    pub(crate) recorder: mpsc::Sender<Ended>,
    pub(crate) room: Room,
    pub(crate) tell: Arc<dyn Tell>,
    pub(crate) rates: Rates,
    pub(crate) patience: Patience,
    pub(crate) meters: DeliveryMeters,
    pub(crate) public_url: Option<String>,
    retry_for: SignedDuration,
    to_tell: mpsc::Sender<ToTell>,
    /// The tasks of the destinations, which the recorder outlives.
    workers: Tasks,
    destinations: Mutex<HashMap<Fingerprint, Arc<Destination>>>,
}

impl Engine {
    /// Starts the engine; it takes up what is owed from before.
    pub fn start(options: EngineOptions) -> Self {
        let (recorder, ended) = mpsc::channel(record::WAITING_MAX);
        let (held, _) = watch::channel(false);
        let (to_tell, telling) = mpsc::channel(TO_TELL_MAX);
        let inner = Arc::new(Inner {
            store: Arc::clone(&options.store),
            leases: options.leases,
            keeper: Keeper::default(),
            epoch: AtomicU64::new(0),
            sender: options.sender,
            random: options.random,
            stopping: options.stopping,
            connections: Connections::new(options.connections_max),
            held: held.clone(),
            recorder,
            room: Room::new(options.meters.waiting_bytes()),
            tell: options.tell,
            rates: options.rates,
            patience: options.patience,
            meters: options.meters,
            public_url: options.public_url,
            retry_for: options.retry_for,
            to_tell,
            workers: options.tasks.group(),
            destinations: Mutex::default(),
        });
        let (workers, stopping) = (inner.workers.clone(), inner.stopping.clone());
        let recording = record::run(options.store, ended, held, workers, stopping);
        let leaving = Arc::clone(&inner);
        options.tasks.essential("recorder", async move {
            recording.await;
            keeper::leave(&leaving).await;
        });
        let tasks = &options.tasks;
        if let Some(term) = inner.leases.term() {
            tasks.essential("keeper", keeper::run(Arc::clone(&inner), term));
        }
        tasks.essential("follower", follow(Arc::clone(&inner)));
        tasks.essential("notices", notice::run(Arc::clone(&inner), telling));
        Self { inner }
    }

    /// Where people find an alert at this service, if it is known where that is.
    pub fn page(
        &self,
        slug: &alert_connectors_model::Slug,
        id: alert_connectors_model::AlertId,
    ) -> Option<String> {
        page(self.inner.public_url.as_deref(), slug, id)
    }
}

/// Follows the store's events, and looks from time to time for what they did not tell.
async fn follow(inner: Arc<Inner>) {
    let mut version = None;
    let mut look = time::interval(match inner.leases.term() {
        Some(_shared) => LOOK_EVERY_SHARED,
        None => LOOK_EVERY,
    });
    loop {
        tokio::select! {
            // Events come first: in a storm the safety net can wait. A receive that is cancelled takes nothing.
            biased;
            () = inner.stopping.cancelled() => return,
            events = inner.store.next_events() => match events {
                Some(events) => inner.take(events).await,
                None => return,
            },
            _tick = look.tick() => {
                inner.look(&mut version).await;
                inner.forget_idle();
            }
        }
    }
}

impl Inner {
    pub(crate) fn now(&self) -> Timestamp {
        self.sender.clock.now()
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            wall: self.now(),
            instant: Instant::now(),
        }
    }

    pub(crate) fn expiry(&self) -> Expiry {
        Expiry {
            now: self.now(),
            retry_for: self.retry_for,
        }
    }

    /// Lets the spaces be told how a destination stands, once that is on disk or soon will be.
    pub(crate) async fn settle(&self, destination: Arc<Destination>) {
        // Nobody tells any more once the engine is stopping; the next start does.
        drop(self.to_tell.send(ToTell::Standing(destination)).await);
    }

    pub(crate) fn destination(&self, fingerprint: Fingerprint) -> Arc<Destination> {
        let mut destinations = self.destinations();
        let entry = destinations.entry(fingerprint);
        let shared = self.leases.term().is_some();
        Arc::clone(entry.or_insert_with(|| Arc::new(Destination::new(fingerprint, shared))))
    }

    /// The destination, if anything was ever known of it here.
    fn if_known(&self, fingerprint: Fingerprint) -> Option<Arc<Destination>> {
        let destinations = self.destinations();
        destinations.get(&fingerprint).map(Arc::clone)
    }

    /// The destinations that are leased.
    pub(crate) fn leased(&self) -> Vec<Arc<Destination>> {
        let destinations = self.destinations();
        let leased = destinations.values().filter(|one| one.lease().is_some());
        leased.map(Arc::clone).collect()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Sees to it that a destination is worked on: by a task, or by a lease first.
    fn wake(self: &Arc<Self>, destination: Arc<Destination>, wake: Wake, why: Why) {
        match wake {
            Wake::Start => self.work_on(destination),
            Wake::Running => {}
            Wake::NotHeld => self.keeper.want(destination.fingerprint, why),
        }
    }

    async fn take(self: &Arc<Self>, events: Vec<Event>) {
        let mut last: Option<Arc<Letter>> = None;
        for event in events {
            match event {
                Event::Queued(due) => {
                    let letter = match last.take().filter(|letter| letter.is_of(&due.alert)) {
                        Some(letter) => letter,
                        None => self.letter(&due),
                    };
                    last = Some(Arc::clone(&letter));
                    let destination = self.destination(due.connector.destination);
                    let part = self.room.take(letter.weight());
                    let wake = destination.queued(Waiting::new(due, letter, part), self);
                    self.wake(destination, wake, Why::Queued);
                }
                Event::Changed(fingerprint) => self.read_again(fingerprint),
                Event::Moved { from, to } => {
                    let (old, new) = (self.destination(from), self.destination(to));
                    new.hold();
                    self.read_again(from);
                    self.read_again(to);
                    let moved = Arc::clone(self).moved(old, new);
                    self.workers.worker("move", moved);
                }
                Event::Repaired(fingerprint) => {
                    let destination = self.destination(fingerprint);
                    let now = self.moment();
                    // One that was not taken up yet finds the repair on disk.
                    destination
                        .conduct(self, |conduct| conduct.repaired(now))
                        .await;
                    self.read_again(fingerprint);
                    self.settle(destination).await;
                }
                Event::Left(fingerprint, space, connector) => {
                    let left = ToTell::Left(fingerprint, space, connector);
                    drop(self.to_tell.send(left).await);
                }
                Event::Elsewhere => {
                    self.epoch.fetch_add(1, Ordering::Relaxed);
                }
                Event::Called(fingerprint) => {
                    if let Some(destination) = self.if_known(fingerprint)
                        && destination.called() == Wake::Start
                    {
                        self.work_on(destination);
                    }
                }
                Event::Touched(fingerprint) => {
                    if let Some(destination) = self.if_known(fingerprint)
                        && destination.touched() == Wake::Start
                    {
                        self.work_on(destination);
                    }
                }
                Event::Wanted(fingerprint) => {
                    if let Some(destination) = self.if_known(fingerprint) {
                        self.leave_to_others(&destination);
                    }
                }
                Event::Free(fingerprint) => self.keeper.want(fingerprint, Why::Owed),
            }
        }
    }

    /// What is under way to the old destination may arrive there: the new one waits until that is known, so that it is not
    /// sent to both.
    async fn moved(self: Arc<Self>, old: Arc<Destination>, new: Arc<Destination>) {
        tokio::select! {
            () = old.quiet() => {}
            () = self.stopping.cancelled() => return,
        }
        new.release();
        self.read_again(new.fingerprint);
    }

    fn read_again(self: &Arc<Self>, fingerprint: Fingerprint) {
        let destination = self.destination(fingerprint);
        let wake = destination.read_anew();
        self.wake(destination, wake, Why::Owed);
    }

    pub(crate) fn work_on(self: &Arc<Self>, destination: Arc<Destination>) {
        let work = destination.run(Arc::clone(self));
        self.workers.worker("destination", work);
    }

    /// At the start everything that is owed is taken up. Later only what a change outside this program may have touched;
    /// where others share the store, also what they queued or left.
    async fn look(self: &Arc<Self>, version: &mut Option<i64>) {
        let looked = async {
            let now = self.store.version().await?;
            let has_moved = version.replace(now) != Some(now);
            if has_moved {
                for fingerprint in self.at_work() {
                    self.read_again(fingerprint);
                }
            }
            let is_shared = self.leases.term().is_some();
            if has_moved || is_shared {
                let tidings = self.store.tidings().await?;
                for fingerprint in tidings.owed {
                    let destination = self.destination(fingerprint);
                    if destination.holds() && !has_moved && !tidings.queued_elsewhere {
                        continue;
                    }
                    let wake = destination.called();
                    self.wake(destination, wake, Why::Owed);
                }
                for fingerprint in tidings.troubled {
                    let destination = self.destination(fingerprint);
                    if destination.holds() {
                        self.settle(destination).await;
                    } else {
                        self.keeper.want(fingerprint, Why::Troubled);
                    }
                }
            }
            Ok::<_, alert_connectors_store::StoreError>(())
        };
        if let Err(error) = looked.await {
            *version = None;
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the store can't be asked what is owed; trying again"
            );
        }
    }

    /// The destinations that a task works on here.
    fn at_work(&self) -> Vec<Fingerprint> {
        let destinations = self.destinations();
        let at_work = destinations.values().filter(|one| one.is_at_work());
        at_work.map(|destination| destination.fingerprint).collect()
    }

    /// Forgets the destinations that had nothing to do for long. What is known of them is on disk, so it is read again when
    /// there is work for them.
    fn forget_idle(&self) {
        let now = Instant::now();
        let mut destinations = self.destinations();
        // Nobody else can get hold of one while the map is locked, so the count of its owners does not grow.
        destinations
            .retain(|_, one| Arc::strong_count(one) > 1 || !one.was_idle_for(IDLE_MAX, now));
        self.meters.destinations(destinations.len());
    }

    fn destinations(&self) -> MutexGuard<'_, HashMap<Fingerprint, Arc<Destination>>> {
        self.destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn letter(&self, due: &Due) -> Arc<Letter> {
        let page = page(self.public_url.as_deref(), &due.space.slug, due.alert_id);
        Arc::new(Letter::new(Arc::clone(&due.alert), page))
    }

    /// Deliveries that are to be sent now, with their letters.
    pub(crate) fn letters(&self, dues: Vec<Due>) -> Vec<Waiting> {
        self.with_letters(dues, |bytes| Some(self.room.take(bytes)))
    }

    /// Deliveries with their letters, as many as there is room for; the first one finds room in any case.
    pub(crate) fn letters_within_room(&self, dues: Vec<Due>) -> Vec<Waiting> {
        let mut is_first = true;
        self.with_letters(dues, |bytes| {
            if mem::take(&mut is_first) {
                Some(self.room.take(bytes))
            } else {
                self.room.try_take(bytes)
            }
        })
    }

    /// Deliveries with their letters, until one finds no room; those of one alert share one.
    fn with_letters(
        &self,
        dues: Vec<Due>,
        mut room: impl FnMut(usize) -> Option<Part>,
    ) -> Vec<Waiting> {
        let mut letters: HashMap<_, Arc<Letter>> = HashMap::new();
        let waiting = |due: Due| {
            let letter = letters
                .entry(due.alert_id)
                .or_insert_with(|| self.letter(&due));
            let letter = Arc::clone(letter);
            let part = room(letter.weight())?;
            Some(Waiting::new(due, letter, part))
        };
        dues.into_iter().map_while(waiting).collect()
    }
}
