//! Properties of what is known of the times in which connectors were switched off.

use alert_connectors_model::{AlertTypeFilter, Connector, ConnectorChange, SpaceId};
use jiff::Timestamp;

use super::{deliveries::SECOND_URL, world::World};
use crate::{Pause, PauseEnd, PauseQuery};

impl World {
    async fn switch(&self, connector: &Connector, on: bool, at: Timestamp) {
        let change = ConnectorChange {
            is_active: Some(on),
            ..ConnectorChange::default()
        };
        let (space, version) = (self.space_id().await, self.roster().await.version);
        let store = &self.store;
        let changed = store.change_connector(space, version, connector.id, change, at);
        changed.await.unwrap();
    }

    async fn pauses(&self, query: PauseQuery) -> Vec<Pause> {
        let space = self.space_id().await;
        self.store.pauses(space, query).await.unwrap()
    }
}

/// Each pause is known, while it goes on and afterwards, with the filters that would have let alerts through.
pub async fn pauses_are_listed_newest_first(world: World) {
    let first = world.connect(r#", "alert_type_filter": ["late"]"#).await;
    let second = world.connect_url("", Some(SECOND_URL)).await;
    assert_eq!(world.pauses(PauseQuery::default()).await, []);
    world.switch(&first, false, world.later(1)).await;
    world.switch(&first, true, world.later(2)).await;
    world.switch(&second, false, world.later(3)).await;
    world.switch(&first, false, world.later(4)).await;
    let pause = |connector: &Connector, began, ended: Option<i64>| Pause {
        connector_id: connector.id,
        connector_name: connector.name.clone(),
        began_at: world.later(began),
        end: ended.map(|seconds| PauseEnd::SwitchedOn(world.later(seconds))),
        severity_filter: connector.severity_filter.clone(),
        alert_type_filter: connector.alert_type_filter.clone(),
    };
    let now = pause(&first, 4, None);
    let of_second = pause(&second, 3, None);
    let over = pause(&first, 1, Some(2));
    assert_ne!(over.alert_type_filter, AlertTypeFilter::All);
    let all = [now.clone(), of_second.clone(), over.clone()];
    assert_eq!(world.pauses(PauseQuery::default()).await, all);

    let asked =
        |connector: Option<&Connector>, since: Option<i64>, until: Option<i64>| PauseQuery {
            connector: connector.map(|connector| connector.id),
            since: since.map(|seconds| world.later(seconds)),
            until: until.map(|seconds| world.later(seconds)),
        };
    let of_first = [now.clone(), over.clone()];
    assert_eq!(
        world.pauses(asked(Some(&first), None, None)).await,
        of_first
    );
    assert_eq!(
        world.pauses(asked(None, Some(3), Some(4))).await,
        [of_second]
    );
    assert_eq!(world.pauses(asked(None, Some(2), Some(2))).await, [over]);

    let elsewhere = SpaceId::from_bytes([9; 16]);
    let found = world.store.pauses(elsewhere, PauseQuery::default()).await;
    assert_eq!(found.unwrap(), []);

    // A deleted connector is paused no more.
    let (space, store) = (world.space_id().await, &world.store);
    let deleted = store
        .delete_connector(space, first.id, world.later(5))
        .await;
    assert!(deleted.unwrap());
    let newest = world.pauses(PauseQuery::default()).await.remove(0);
    assert_eq!(newest.end, Some(PauseEnd::Deleted(world.later(5))));
}

/// Of a connector that is switched all the time, the newest pauses are kept.
pub async fn the_last_hundred_pauses_are_kept(world: World) {
    let connector = world.connect("").await;
    for turn in 0..103 {
        world.switch(&connector, false, world.later(2 * turn)).await;
        world
            .switch(&connector, true, world.later(2 * turn + 1))
            .await;
    }
    let kept = world.pauses(PauseQuery::default()).await;
    assert_eq!(kept.len(), 100);
    assert_eq!(kept[99].began_at, world.later(6));
}
