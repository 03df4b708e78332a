//! What spaces store, and making room in them.

use alert_connectors_model::{AlertId, Slug, Space, SpaceId};

use super::World;
use crate::{AlertQuery, Erasure, Storage};

impl World {
    /// What the space stores, once all of it is counted.
    async fn counted(&self) -> Storage {
        self.tidy(0).await;
        self.storage().await
    }

    async fn storage(&self) -> Storage {
        self.store.storage(self.space_id().await).await.unwrap()
    }

    /// Makes room until nothing more can be removed; returns in how many steps.
    async fn make_room(&self, bytes_max: u64) -> usize {
        let (space, mut after, mut steps) = (self.space_id().await, 0, 1);
        while let Some(further) = self.store.make_room(space, bytes_max, after).await.unwrap() {
            (after, steps) = (further, steps + 1);
        }
        steps
    }

    /// The newest alerts, newest first.
    async fn newest(&self) -> Vec<AlertId> {
        let query = AlertQuery {
            limit: 200,
            ..AlertQuery::default()
        };
        let space = self.space_id().await;
        let page = self.store.alerts(space, query, self.expiry()).await;
        page.unwrap()
            .items
            .into_iter()
            .map(|record| record.id)
            .collect()
    }

    async fn is_there(&self, id: AlertId) -> bool {
        let space = self.space_id().await;
        let found = self.store.alert(space, id, self.expiry()).await;
        found.unwrap().is_some()
    }
}

/// Alerts count with their deliveries; what is erased or removed by age counts no more, whether it was counted or not.
pub async fn what_a_space_stores_is_counted_and_goes_with_its_alerts(world: World) {
    assert_eq!(world.storage().await, Storage::default());
    let first = world.post("").await.id;
    let alone = world.counted().await.bytes;
    assert!((256..2_048).contains(&alone), "{alone}");
    let connector = world.connect("").await;
    let second = world.post("").await.id;
    assert_eq!(world.storage().await.bytes, alone, "counted a little later");
    let delivered = world.counted().await.bytes - alone;
    assert!(delivered > alone, "{delivered} with its delivery");

    let space = world.space_id().await;
    world.store.erase(space, Erasure::One(first)).await.unwrap();
    assert_eq!(world.storage().await.bytes, delivered);
    // Erased before it is counted.
    let third = world.post("").await.id;
    world.store.erase(space, Erasure::One(third)).await.unwrap();
    assert_eq!(world.counted().await.bytes, delivered);

    world.all_arrive(&connector).await;
    let problem = world.post(r#","dedup_key":"k""#).await.id;
    let all = world.counted().await.bytes;
    world.all_arrive(&connector).await;
    world.tidy(31 * 24).await;
    assert!(!world.is_there(second).await && world.is_there(problem).await);
    assert_eq!(world.storage().await.bytes, all - delivered);
}

/// A problem counts for what it says by now, for what it said before, and for its follow-ups.
pub async fn what_is_added_to_a_problem_counts(world: World) {
    world.connect("").await;
    let beside = world.post("").await.id;
    let alone = world.counted().await.bytes;
    let short = world.post(r#","dedup_key":"k""#).await.id;
    let first = world.counted().await.bytes;
    let long = format!(r#","dedup_key":"k","description":"{}""#, "d".repeat(9_000));
    world.post(&long).await;
    assert_eq!(
        world.storage().await.bytes,
        first,
        "measured a little later"
    );
    let grown = world.counted().await.bytes;
    assert!((first + 9_000..first + 12_000).contains(&grown), "{grown}");
    // What it is by now goes with it, also if it changes before that is measured.
    world
        .post(r#","dedup_key":"k","description":"short""#)
        .await;
    let space = world.space_id().await;
    world.store.erase(space, Erasure::One(short)).await.unwrap();
    assert_eq!(world.storage().await.bytes, alone);
    assert_eq!(world.counted().await.bytes, alone);
    assert!(world.is_there(beside).await);
}

/// The oldest alerts go first, no more than need to, and those of other spaces stay.
pub async fn a_space_that_stores_too_much_loses_its_oldest_history(world: World) {
    let other = Space {
        id: SpaceId::new(world.now, &world.random),
        slug: Slug::parse("other").unwrap(),
        name: "Other".to_owned(),
        created_at: world.now,
    };
    let alice = Some(world.alice.clone());
    world.store.add_space(other.clone(), alice).await.unwrap();
    let beside = World {
        slug: other.slug.clone(),
        ..world.beside(std::sync::Arc::clone(&world.store), 43)
    };
    let (mut mine, mut others) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        mine.push(world.post("").await.id);
        others.push(beside.post("").await.id);
    }
    let full = world.counted().await.bytes;
    assert_eq!(world.make_room(full).await, 1, "nothing is too much");
    assert!(world.is_there(mine[0]).await);

    assert!(world.make_room(full / 3).await > 2, "in small steps");
    assert_eq!(
        world.storage().await,
        Storage {
            bytes: full / 3,
            is_full: false
        }
    );
    assert!(!world.is_there(mine[0]).await && !world.is_there(mine[199]).await);
    assert!(world.is_there(mine[200]).await && world.is_there(mine[299]).await);
    assert!(beside.is_there(others[0]).await && beside.is_there(others[299]).await);
    let mut storages = world.store.storages().await.unwrap();
    storages.sort_by_key(|(space, _)| space.id != other.id);
    let bytes = storages.iter().map(|(_, storage)| storage.bytes);
    assert_eq!(bytes.collect::<Vec<_>>(), [full, full / 3]);
    // What is removed leaves the list of the rest whole.
    assert_eq!(
        world.newest().await,
        mine[200..].iter().rev().copied().collect::<Vec<_>>()
    );
    let newest = world.post("").await.id;
    assert_eq!(world.newest().await[0], newest);
}

/// Active problems and alerts with pending deliveries are not history: they stay, and the space is full.
pub async fn what_waits_and_open_problems_fill_a_space(world: World) {
    let problem = world.post(r#","dedup_key":"k""#).await.id;
    let old = world.post("").await.id;
    let connector = world.connect("").await;
    let waits = world.post("").await.id;
    world.counted().await;
    world.make_room(1).await;
    assert!(world.is_there(problem).await && world.is_there(waits).await);
    assert!(!world.is_there(old).await);
    let full = world.storage().await;
    assert!(full.is_full && full.bytes > 1, "{full:?}");

    world.resolve(problem).await;
    world.all_arrive(&connector).await;
    world.make_room(1).await;
    assert!(!world.is_there(problem).await && !world.is_there(waits).await);
    assert_eq!(world.storage().await, Storage::default());
}
