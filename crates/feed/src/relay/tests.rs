//! Two servers on one bus, their watchers, and what reaches them.

use std::sync::Mutex;

use alert_connectors_model::{
    AlertId, ConnectorId, DeliveryId, DeliveryState, SeededRandom, SystemClock,
};
use alert_connectors_store::StoreError;
use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::{EventId, TooManyWatchers, WATCHERS_MAX, Watcher};

/// What servers say reaches all of them, as over PostgreSQL.
#[derive(Clone, Default)]
struct Bus(Arc<Mutex<Vec<mpsc::Sender<Relayed>>>>);

struct OnBus {
    bus: Bus,
    heard: AsyncMutex<mpsc::Receiver<Relayed>>,
}

impl Bus {
    fn join(&self) -> Arc<OnBus> {
        let (sender, heard) = mpsc::channel(1_000);
        self.0.lock().unwrap().push(sender);
        Arc::new(OnBus {
            bus: self.clone(),
            heard: AsyncMutex::new(heard),
        })
    }

    fn say(&self, relayed: &Relayed) {
        for sender in &*self.0.lock().unwrap() {
            sender.try_send(relayed.clone()).unwrap();
        }
    }
}

#[async_trait]
impl Relay for OnBus {
    fn is_shared(&self) -> bool {
        true
    }

    async fn relay(&self, message: &str) -> Result<(), StoreError> {
        assert!(message.len() < 8_000);
        self.bus.say(&Relayed::Message(message.to_owned()));
        Ok(())
    }

    async fn next_relayed(&self) -> Relayed {
        let next = self.heard.lock().await.recv().await;
        next.unwrap_or(Relayed::Lost)
    }
}

/// A store that no other server shares.
struct Alone;
impl Relay for Alone {}

const SPACE: SpaceId = SpaceId::from_bytes([1; 16]);

fn feed(seed: u64) -> Feed {
    let random = SeededRandom::new(seed);
    Feed::new(Arc::new(SystemClock), &random, CancellationToken::new())
}

fn start(feed: &Feed, relay: Arc<dyn Relay>) {
    TaskTracker::new().spawn(run(feed.clone(), relay));
}

fn on(bus: &Bus, seed: u64) -> Feed {
    let feed = feed(seed);
    start(&feed, bus.join());
    feed
}

fn alert(number: u16) -> SpaceEvent {
    let [high, low] = number.to_be_bytes();
    let mut bytes = [0; 16];
    (bytes[0], bytes[1]) = (high, low);
    SpaceEvent::Alert(AlertId::from_bytes(bytes))
}

async fn next(watcher: &mut Watcher) -> Vec<SpaceEvent> {
    let batch = watcher.next().await.unwrap();
    batch.into_iter().map(|(_, event)| event).collect()
}

/// A watcher that the other servers know of.
async fn known_watcher(feed: &Feed) -> Watcher {
    let mut watcher = feed.watch(SPACE, None).unwrap();
    // What happened elsewhere before they knew of it was missed.
    assert_eq!(next(&mut watcher).await, [SpaceEvent::Resync]);
    watcher
}

#[tokio::test(start_paused = true)]
async fn what_happens_at_one_server_is_seen_at_the_others() {
    let bus = Bus::default();
    let (here, there) = (on(&bus, 1), on(&bus, 2));
    let mut watcher = known_watcher(&there).await;
    here.publish(SPACE, [alert(1), alert(2)]);
    assert_eq!(next(&mut watcher).await, [alert(1), alert(2)]);
    here.publish(SpaceId::from_bytes([2; 16]), [alert(3)]);
    here.publish(SPACE, [alert(4)]);
    assert_eq!(next(&mut watcher).await, [alert(4)]);
    // Each is seen once where it happens.
    let mut own = known_watcher(&here).await;
    here.publish(SPACE, [alert(5)]);
    assert_eq!(next(&mut own).await, [alert(5)]);
    time::sleep(EVERY * 2).await;
    assert!(own.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_storm_elsewhere_is_told_in_short_messages_or_as_a_resync() {
    let bus = Bus::default();
    let (here, there) = (on(&bus, 1), on(&bus, 2));
    let mut watcher = known_watcher(&there).await;
    let delivery = |number: u8| SpaceEvent::Delivery {
        id: DeliveryId::from_bytes([number; 16]),
        connector_id: ConnectorId::from_bytes([9; 16]),
        state: DeliveryState::Delivered,
    };
    here.publish(SPACE, (0..100).map(delivery));
    assert_eq!(next(&mut watcher).await.len(), 100);
    here.publish(SPACE, (0..2_000).map(alert));
    assert_eq!(next(&mut watcher).await, [SpaceEvent::Resync]);
}

#[tokio::test(start_paused = true)]
async fn lost_messages_and_unknown_ones_make_a_watcher_read_again() {
    let bus = Bus::default();
    let feed = on(&bus, 1);
    let mut watcher = known_watcher(&feed).await;
    bus.say(&Relayed::Lost);
    assert_eq!(next(&mut watcher).await, [SpaceEvent::Resync]);
    bus.say(&Relayed::Message(format!("7 e {SPACE} zzz")));
    assert_eq!(next(&mut watcher).await, [SpaceEvent::Resync]);
    for nonsense in ["", "7", "7 e", "7 e x", "x e", "7 w x y", "é"] {
        bus.say(&Relayed::Message(nonsense.to_owned()));
    }
    time::sleep(EVERY).await;
    assert!(watcher.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn who_reconnects_goes_on_where_the_connection_broke() {
    let bus = Bus::default();
    let (here, there) = (on(&bus, 1), on(&bus, 2));
    let (mut watcher, _other) = (known_watcher(&here).await, known_watcher(&there).await);
    here.publish(SPACE, [alert(1)]);
    let last: EventId = watcher.next().await.unwrap()[0].0;
    drop(watcher);
    here.publish(SPACE, [alert(2)]);
    let mut again = here.watch(SPACE, Some(last)).unwrap();
    assert_eq!(next(&mut again).await, [alert(2)]);
    // Another server knows its own numbers only, but what it was told since is there. It may repeat some of it.
    time::sleep(GATHER * 2).await;
    let mut elsewhere = there.watch(SPACE, Some(last)).unwrap();
    let events = next(&mut elsewhere).await;
    assert!(
        events.ends_with(&[alert(2)]) || events == [SpaceEvent::Resync],
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_away_for_too_long_reads_everything_again() {
    let feed = feed(1);
    start(&feed, Arc::new(Alone));
    let mut watcher = feed.watch(SPACE, None).unwrap();
    feed.publish(SPACE, [alert(1)]);
    let last = watcher.next().await.unwrap()[0].0;
    drop(watcher);
    time::sleep(Duration::from_secs(400)).await;
    assert!(
        !feed.is_watched(),
        "nothing is kept of a space that nobody watches"
    );
    let mut again = feed.watch(SPACE, Some(last)).unwrap();
    assert_eq!(next(&mut again).await, [SpaceEvent::Resync]);
    // Then it goes on as usual.
    feed.publish(SPACE, [alert(2)]);
    assert_eq!(next(&mut again).await, [alert(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_the_newest_of_each_and_no_more_than_it_may() {
    let feed = feed(1);
    let mut watcher = feed.watch(SPACE, None).unwrap();
    let delivery = |state| SpaceEvent::Delivery {
        id: DeliveryId::from_bytes([1; 16]),
        connector_id: ConnectorId::from_bytes([2; 16]),
        state,
    };
    let (pending, delivered) = (
        delivery(DeliveryState::Pending),
        delivery(DeliveryState::Delivered),
    );
    feed.publish(SPACE, [alert(1), pending, alert(1), delivered]);
    assert_eq!(next(&mut watcher).await, [alert(1), delivered]);
    feed.publish(SPACE, (0..500).map(|_| alert(2)));
    assert_eq!(next(&mut watcher).await, [alert(2)]);
    feed.publish(SPACE, (0..101).map(alert));
    assert_eq!(next(&mut watcher).await, [SpaceEvent::Resync]);
    feed.publish(SPACE, (0..5_000).map(alert));
    assert_eq!(next(&mut watcher).await, [SpaceEvent::Resync]);
    feed.publish(SPACE, [alert(3)]);
    assert_eq!(next(&mut watcher).await, [alert(3)]);
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_watchers_than_there_may_be() {
    let feed = feed(1);
    let mut watchers: Vec<_> = (0..WATCHERS_MAX)
        .map(|_| feed.watch(SPACE, None).unwrap())
        .collect();
    assert_eq!(feed.watch(SPACE, None).err(), Some(TooManyWatchers));
    drop(watchers.pop());
    assert!(feed.watch(SPACE, None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_ends_with_the_feed() {
    let (random, closing) = (SeededRandom::new(1), CancellationToken::new());
    let feed = Feed::new(Arc::new(SystemClock), &random, closing.clone());
    let mut watcher = feed.watch(SPACE, None).unwrap();
    assert!(watcher.next().now_or_never().is_none());
    closing.cancel();
    assert!(watcher.next().await.is_none());
}
