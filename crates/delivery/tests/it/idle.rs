//! What destinations take of memory: nothing once they had nothing to do for a while, and little while they only wait.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use alert_connectors_delivery::Resolve;
use alert_connectors_model::Fingerprint;
use alert_connectors_store::{PendingDelivery, StoreEvent};
use async_trait::async_trait;
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::time::sleep;

use crate::world::{PATH, Receiver, Setting, URL, World, row, until};

/// What a metric says.
fn metric(world: &World, name: &str) -> usize {
    let (mut registry, mut text) = (Registry::default(), String::new());
    world.meters.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    let mut lines = text.lines().filter_map(|slot| slot.strip_prefix(name));
    lines.find_map(|value| value.trim().parse().ok()).unwrap()
}

fn in_memory(world: &World) -> usize {
    metric(world, "destinations ")
}

/// A name server that never answers.
struct Silent;

#[async_trait]
impl Resolve for Silent {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        std::future::pending().await
    }
}

/// Makes as many destinations known to the engine; nothing is owed to any of them.
async fn make_known(world: &World, count: u8) {
    let changed = |number| StoreEvent::Changed(Fingerprint([number; 16]));
    world.queue.tell((0..count).map(changed).collect()).await;
    until(|| in_memory(world), |seen| *seen == usize::from(count)).await;
}

#[tokio::test(start_paused = true)]
async fn what_had_nothing_to_do_for_ten_minutes_is_forgotten() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    make_known(&world, 100).await;
    sleep(Duration::from_mins(9)).await;
    assert_eq!(in_memory(&world), 100);
    sleep(Duration::from_mins(2)).await;
    assert_eq!(in_memory(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_from_outside_does_not_set_idle_destinations_to_work() {
    let receiver = Receiver::start().await;
    let world = World::start(Setting::to(&receiver));
    make_known(&world, 100).await;
    sleep(Duration::from_mins(1)).await;
    let reads = || world.queue.reads.load(Ordering::SeqCst);
    let before = reads();
    world.queue.version.fetch_add(1, Ordering::SeqCst);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(reads(), before);
}

#[tokio::test]
async fn many_that_hang_leave_what_waits_for_them_on_disk() {
    const DESTINATIONS: usize = 100;
    /// What may wait in memory, and an alert of the largest size for each destination beside it.
    const BYTES_MAX: usize = 12 * 1_024 * 1_024 + DESTINATIONS * 20_000;
    let receiver = Receiver::start().await;
    let setting = Setting {
        resolver: Arc::new(Silent),
        ..Setting::to(&receiver)
    };
    let world = World::start(setting);
    let mut events = Vec::new();
    for number in 0..DESTINATIONS {
        let connector = world.connector(&format!("https://hooks.slack.com/services/{number:03}"));
        let mut due = world.due(&connector, 0, "t");
        let mut alert = (*due.alert).clone();
        alert.description = Some("x".repeat(16_000));
        due.alert = Arc::new(alert);
        let numbered = |seq| PendingDelivery { seq, ..due.clone() };
        world
            .queue
            .owed
            .lock()
            .unwrap()
            .extend((1..=128).map(numbered));
        events.push(StoreEvent::Changed(connector.destination));
    }
    world.queue.tell(events).await;
    let read = || world.queue.read.load(Ordering::SeqCst);
    until(read, |read| *read >= DESTINATIONS).await;
    let bytes = metric(&world, "waiting_bytes ");
    assert!((1..=BYTES_MAX).contains(&bytes), "{bytes}");
    // All of them are hanging by now; those that found no memory read one delivery each.
    until(
        || world.queue.reads.load(Ordering::SeqCst),
        |reads| *reads >= DESTINATIONS,
    )
    .await;
    assert!(metric(&world, "waiting_bytes ") <= BYTES_MAX);
    assert!(read() < DESTINATIONS * 128 / 2, "{}", read());
}

#[tokio::test]
async fn while_a_webhook_is_blocked_only_a_few_deliveries_wait_in_memory() {
    let receiver = Receiver::start().await;
    receiver
        .inbox
        .behave(PATH, row("slack:no_service", Some(1)));
    let world = World::start(Setting::to(&receiver));
    let connector = world.connector(URL);
    let dues = (1..=100).map(|seq| world.due(&connector, seq, "t"));
    world.queue.push(dues.collect()).await;
    until(
        || world.queue.health().block.is_some(),
        |is_blocked| *is_blocked,
    )
    .await;
    let bytes = || metric(&world, "waiting_bytes ");
    until(bytes, |bytes| (1..=8 * 2_000).contains(bytes)).await;
    // The others are still owed.
    world
        .queue
        .tell(vec![StoreEvent::Repaired(connector.destination)])
        .await;
    until(|| world.queue.owed.lock().unwrap().len(), |owed| *owed == 0).await;
}
