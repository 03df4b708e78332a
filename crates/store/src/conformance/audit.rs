//! Properties of the audit trail.

use std::sync::{Arc, Mutex};

use alert_connectors_model::{
    AuditAction, AuthMethod, ConnectorId, DeliveryState, KeyId, KeyScope, Role, Slug, SpaceId,
};
use jiff::{SignedDuration, Timestamp};

use super::world::{TOKEN, World};
use crate::{
    Actor, ApiKey, AuditEntry, AuditQuery, AuditSink, Created, Disabled, Mandate, MemberChange,
    NewApiKey, Replay, Resolution, SpaceChange, Store, StoreError, Subject, Tidying,
};

/// Those who were told of entries, in order.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl AuditSink for Told {
    fn written(&self, entry: &AuditEntry) {
        self.0.lock().unwrap().push(entry.subject.name.clone());
    }
}

/// An entry that is found again by its subject.
fn entry(world: &World, subject: &str) -> AuditEntry {
    let actor = Actor {
        email: Some("alice@example.com".to_owned()),
        auth_method: AuthMethod::ApiKey,
        name: Some("ci".to_owned()),
        ip_address: Some([192, 0, 2, 7].into()),
    };
    let subject = Subject::named(subject);
    AuditEntry::new(world.now, actor, AuditAction::ConnectorUpdated, subject)
}

struct Trails {
    world: World,
    told: Arc<Told>,
}

impl Trails {
    fn of(world: World) -> Self {
        Self {
            world,
            told: Arc::default(),
        }
    }

    /// The store for a change that leaves an entry with this subject.
    fn leaving(&self, subject: &str) -> Arc<dyn Store> {
        let sink = Arc::<Told>::clone(&self.told);
        let entry = entry(&self.world, subject);
        let mandate = Mandate::leaving(entry, Some(sink));
        self.world.store.on_behalf(mandate)
    }

    /// The subjects of all entries, in order. Those who follow the trail were told of each of them once.
    async fn subjects(&self) -> Vec<String> {
        let query = AuditQuery {
            limit: 200,
            ..AuditQuery::default()
        };
        let page = self.world.store.audit_entries(query).await.unwrap();
        let names = page.items.iter().rev();
        let names: Vec<String> = names
            .map(|record| record.entry.subject.name.clone())
            .collect();
        assert_eq!(*self.told.0.lock().unwrap(), names);
        names
    }
}

/// Each change of identity and spaces leaves its entry, once, with the change itself.
pub async fn a_change_of_identity_leaves_its_entry(world: World) {
    let trails = Trails::of(world);
    let world = &trails.world;
    let (space, alice) = (world.space_id().await, &world.alice);
    let bob = World::email("bob@example.com");
    let key = NewApiKey {
        hash: [1; 32],
        user_id: alice.id,
        key: ApiKey {
            id: KeyId::new(world.now, &world.random),
            name: "k".to_owned(),
            space: None,
            scope: KeyScope::Send,
            created_at: world.now,
            expires_at: None,
            last_used_at: None,
        },
    };
    let id = key.key.id;
    assert!(trails.leaving("key").add_key(key).await.unwrap());
    assert!(
        trails
            .leaving("revoked")
            .revoke_key(alice.id, id)
            .await
            .unwrap()
    );
    let added = trails
        .leaving("member")
        .set_member(space, &bob, Role::Editor, world.now)
        .await;
    assert!(matches!(added, Ok(MemberChange::Added(_))));
    let gone = trails.leaving("gone").remove_member(space, &bob).await;
    assert!(matches!(gone, Ok(MemberChange::Removed)));
    let hash = "hash".to_owned();
    assert!(
        trails
            .leaving("password")
            .set_password(&bob, hash)
            .await
            .unwrap()
    );
    let disabled = trails
        .leaving("disabled")
        .set_disabled(&bob, Disabled::Yes)
        .await;
    assert!(disabled.unwrap());
    let renamed = trails
        .leaving("renamed")
        .rename_space(&world.slug, "D".to_owned())
        .await;
    assert_eq!(renamed.unwrap(), SpaceChange::Done);
    assert!(trails.leaving("out").end_token(TOKEN).await.unwrap());
    let removed = trails.leaving("removed").remove_space(&world.slug).await;
    assert_eq!(removed.unwrap(), SpaceChange::Done);
    let expected = [
        "key", "revoked", "member", "gone", "password", "disabled", "renamed", "out", "removed",
    ];
    assert_eq!(trails.subjects().await, expected);
}

/// Each change of what is delivered leaves its entry, once: also one that takes several transactions.
pub async fn a_change_of_a_space_leaves_its_entry(world: World) {
    let trails = Trails::of(world);
    let world = &trails.world;
    let space = world.space_id().await;
    let creation = world.creation(World::new_connector(""));
    let id = creation.id;
    let made = trails
        .leaving("made")
        .create_connector(space, creation)
        .await;
    let Created::Made(connector) = made.unwrap() else {
        unreachable!("there is room for one");
    };
    let problem = world.post(r#","dedup_key":"k""#).await;
    let roster = Arc::new(world.roster().await);
    for subject in ["resolved", "resolved again"] {
        let store = trails.leaving(subject);
        let resolved = store.resolve(Arc::clone(&roster), problem.id, world.expiry());
        assert!(matches!(resolved.await, Ok(Resolution::Now(_))));
    }
    let mapping = trails
        .leaving("mapping")
        .set_mapping(space, "dbt", Some("{}".to_owned()))
        .await;
    assert!(mapping.unwrap());
    let secret = trails
        .leaving("secret")
        .set_source_secret(space, "dbt", None)
        .await;
    assert!(secret.unwrap());
    let due = world.due(&connector).await;
    let failed = |due| world.outcome(due, world.failed());
    world
        .report(&connector, due.iter().map(failed).collect())
        .await;
    let delivery = problem.deliveries[0].id;
    for subject in ["retried", "retried again"] {
        let store = trails.leaving(subject);
        store.retry(space, delivery, world.expiry()).await.unwrap();
    }
    let replay = Replay {
        since: world.now,
        until: None,
        states: vec![DeliveryState::Failed],
    };
    for subject in ["replayed", "replayed again"] {
        let store = trails.leaving(subject);
        let replayed = store.replay(space, id, replay.clone(), world.expiry());
        replayed.await.unwrap();
    }
    let deleted = trails
        .leaving("deleted")
        .delete_connector(space, id, world.now)
        .await;
    assert!(deleted.unwrap());
    let expected = [
        "made", "resolved", "mapping", "secret", "retried", "replayed", "deleted",
    ];
    assert_eq!(trails.subjects().await, expected);
}

/// What changes nothing leaves no entry.
pub async fn what_has_no_effect_leaves_no_entry(world: World) {
    let trails = Trails::of(world);
    let world = &trails.world;
    let space = world.space_id().await;
    let nobody = World::email("nobody@example.com");
    let set = trails
        .leaving("set")
        .set_member(space, &nobody, Role::Viewer, world.now)
        .await;
    assert!(matches!(set, Ok(MemberChange::Absent)));
    let last = trails
        .leaving("last")
        .remove_member(space, &world.alice.email)
        .await;
    assert!(matches!(last, Ok(MemberChange::LastAdmin)));
    assert!(!trails.leaving("out").end_token([9; 32]).await.unwrap());
    let absent = ConnectorId::new(world.now, &world.random);
    assert!(
        !trails
            .leaving("gone")
            .delete_connector(space, absent, world.now)
            .await
            .unwrap()
    );
    let elsewhere = Slug::parse("elsewhere").unwrap();
    let removed = trails
        .leaving("space")
        .remove_space(&elsewhere)
        .await
        .unwrap();
    assert_eq!(removed, SpaceChange::Absent);
    // The same for a caller who lost permission meanwhile.
    let sink = Arc::<Told>::clone(&trails.told);
    let stale = world.store.on_behalf(Mandate {
        identity_version: Some(world.store.version().await.unwrap() - 1),
        ..Mandate::leaving(entry(world, "stale"), Some(sink))
    });
    let refused = stale.set_mapping(space, "dbt", None).await;
    assert!(matches!(refused, Err(StoreError::Stale)));
    assert_eq!(trails.subjects().await, Vec::<String>::new());
}

/// Entries come back as they were, newest first, by what they are about; and old ones go.
pub async fn the_trail_is_listed_newest_first_and_forgets_what_is_old(world: World) {
    let space = world.space_id().await;
    let add = async |subject: &str, at: Timestamp, place: SpaceId, action, email: Option<&str>| {
        let mut one = entry(&world, subject)
            .within(place, world.slug.clone())
            .changing("name", Some("a".into()), Some("b".into()));
        (one.at, one.action) = (at, action);
        one.actor.email = email.map(str::to_owned);
        world.store.add_audit_entry(one.clone()).await.unwrap();
        one
    };
    let other = SpaceId::from_bytes([9; 16]);
    let (made, gone) = (AuditAction::ConnectorCreated, AuditAction::ConnectorDeleted);
    let alice = Some("alice@example.com");
    let first = add("1", world.now, space, made, alice).await;
    add("2", world.later(1), other, made, alice).await;
    add("3", world.later(2), space, gone, None).await;
    add("4", world.later(3), space, made, Some("bob@example.com")).await;
    let list = async |query: AuditQuery| {
        let page = world.store.audit_entries(query).await.unwrap();
        let names = page
            .items
            .iter()
            .map(|record| record.entry.subject.name.clone());
        (names.collect::<Vec<_>>().concat(), page.next)
    };
    let whole = |limit| AuditQuery {
        limit,
        ..AuditQuery::default()
    };
    let (names, next) = list(whole(3)).await;
    assert_eq!(names, "432");
    let rest = AuditQuery {
        before: next,
        ..whole(3)
    };
    let page = world.store.audit_entries(rest.clone()).await.unwrap();
    assert_eq!((&page.items[0].entry, page.next), (&first, None));
    let of_space = AuditQuery {
        space: Some(space),
        ..whole(9)
    };
    assert_eq!(list(of_space.clone()).await.0, "431");
    let made_by_alice = AuditQuery {
        actions: vec![made],
        actor: alice.map(str::to_owned),
        ..of_space
    };
    assert_eq!(list(made_by_alice).await.0, "1");
    let span = AuditQuery {
        since: Some(world.later(1)),
        until: Some(world.later(3)),
        ..whole(9)
    };
    assert_eq!(list(span).await.0, "32");
    world
        .tidy_by(Tidying {
            now: world.later(2) + SignedDuration::from_hours(1),
            retention: SignedDuration::from_hours(24 * 30),
            audit_retention: SignedDuration::from_hours(1),
        })
        .await;
    assert_eq!(list(whole(9)).await.0, "43");
}
