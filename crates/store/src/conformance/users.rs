//! Properties of identity and spaces.

use alert_connectors_model::{
    ConnectorId, KeyId, KeyScope, Role, Slug, Space, SpaceId, User, UserId,
};

use super::world::{TOKEN, World};
use crate::{
    ApiKey, Disabled, Invitation, Invited, InvitedUser, MemberChange, NewApiKey, NewUser,
    RemovedUser, SpaceChange, StoreError,
};

fn key(world: &World, name: &str, hash: u8) -> NewApiKey {
    let key = ApiKey {
        id: KeyId::new(world.now, &world.random),
        name: name.to_owned(),
        space: None,
        scope: KeyScope::Send,
        created_at: world.now,
        expires_at: Some(world.later(60)),
        last_used_at: None,
    };
    NewApiKey {
        hash: [hash; 32],
        user_id: world.alice.id,
        key,
    }
}

/// A session ends at once with its token, or when its user's password changes.
pub async fn a_session_ends_with_its_token_user_or_password(world: World) {
    let session = world.store.session(TOKEN).await.unwrap().unwrap();
    assert_eq!(
        (session.user, session.memberships.len()),
        (world.alice.clone(), 1)
    );
    assert!(
        world
            .store
            .set_password(&world.alice.email, "hash".to_owned())
            .await
            .unwrap()
    );
    assert!(world.store.session(TOKEN).await.unwrap().is_none());
    let new = |hash| crate::NewToken {
        hash,
        user_id: world.alice.id,
        expires_at: world.later(60),
    };
    world
        .store
        .add_token(new([8; 32]), world.now)
        .await
        .unwrap();
    assert!(world.store.end_token([8; 32]).await.unwrap());
    assert!(!world.store.end_token([8; 32]).await.unwrap());
    assert!(world.store.session([8; 32]).await.unwrap().is_none());
    assert!(
        !world
            .store
            .set_password(&World::email("nobody@example.com"), "hash".to_owned())
            .await
            .unwrap()
    );
}

/// A disabled user has no tokens and no keys, and gets none back.
pub async fn disabling_ends_tokens_and_keys_and_enabling_brings_none_back(world: World) {
    world.store.add_key(key(&world, "k", 9)).await.unwrap();
    for disabled in [Disabled::Yes, Disabled::No] {
        assert!(
            world
                .store
                .set_disabled(&world.alice.email, disabled)
                .await
                .unwrap()
        );
        assert!(world.store.session(TOKEN).await.unwrap().is_none());
        assert!(world.store.session([9; 32]).await.unwrap().is_none());
    }
}

/// Keys carry their limits, are listed by name, and belong to their user.
pub async fn keys_are_shown_by_name_and_revoked_by_their_owner_alone(world: World) {
    world.store.add_key(key(&world, "b", 1)).await.unwrap();
    world.store.add_key(key(&world, "a", 2)).await.unwrap();
    let keys = world.store.keys(world.alice.id).await.unwrap();
    assert_eq!(
        keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    world
        .store
        .keys_used(vec![keys[0].id], world.later(1))
        .await
        .unwrap();
    let session = world.store.session([2; 32]).await.unwrap().unwrap();
    let seen = session.key.unwrap();
    assert_eq!(
        (seen.scope, seen.last_used_at, session.expires_at),
        (KeyScope::Send, Some(world.later(1)), Some(world.later(60)))
    );
    let bob = world
        .store
        .user(&World::email("bob@example.com"))
        .await
        .unwrap()
        .unwrap();
    assert!(
        !world
            .store
            .revoke_key(bob.user.id, keys[0].id)
            .await
            .unwrap()
    );
    assert!(
        world
            .store
            .revoke_key(world.alice.id, keys[0].id)
            .await
            .unwrap()
    );
    assert!(world.store.session([2; 32]).await.unwrap().is_none());
}

/// A space never loses its last admin.
pub async fn the_last_admin_stays(world: World) {
    assert!(matches!(
        world.member("alice@example.com", Role::Viewer).await,
        MemberChange::LastAdmin
    ));
    let space_id = world.space_id().await;
    let alice = World::email("alice@example.com");
    assert!(matches!(
        world.store.remove_member(space_id, &alice).await.unwrap(),
        MemberChange::LastAdmin
    ));
    assert!(matches!(
        world.member("bob@example.com", Role::Admin).await,
        MemberChange::Added(_)
    ));
    assert!(matches!(
        world.member("alice@example.com", Role::Viewer).await,
        MemberChange::Changed(_)
    ));
    assert!(matches!(
        world.store.remove_member(space_id, &alice).await.unwrap(),
        MemberChange::Removed
    ));
    assert!(matches!(
        world.store.remove_member(space_id, &alice).await.unwrap(),
        MemberChange::Absent
    ));
    assert!(matches!(
        world.member("nobody@example.com", Role::Viewer).await,
        MemberChange::Absent
    ));
}

/// Each change of who may go where moves the version of identity.
pub async fn whatever_touches_access_moves_the_version(world: World) {
    let version = async || world.store.version().await.unwrap();
    let space_id = world.space_id().await;
    let bob = World::email("bob@example.com");
    let mut last = version().await;
    let mut moved = async |what: &str| {
        let now = version().await;
        assert!(now > last, "{what}");
        last = now;
    };
    world.member("bob@example.com", Role::Viewer).await;
    moved("a new member").await;
    world.member("bob@example.com", Role::Editor).await;
    moved("a new role").await;
    world.store.remove_member(space_id, &bob).await.unwrap();
    moved("a removed member").await;
    world.store.set_disabled(&bob, Disabled::Yes).await.unwrap();
    moved("a disabled user").await;
    assert!(world.store.end_token(TOKEN).await.unwrap());
    moved("a logout").await;
    let new = key(&world, "k", 3);
    world.store.add_key(new.clone()).await.unwrap();
    world
        .store
        .revoke_key(world.alice.id, new.key.id)
        .await
        .unwrap();
    moved("a revoked key").await;
    world.store.remove_space(&world.slug).await.unwrap();
    moved("a removed space").await;
}

/// Nothing of a removed space is left.
pub async fn removing_a_space_takes_everything_along(world: World) {
    let connector = world.connect("").await;
    let id = world.post("").await.id;
    let space_id = world.space_id().await;
    assert_eq!(
        world.store.remove_space(&world.slug).await.unwrap(),
        SpaceChange::Done
    );
    assert_eq!(
        world.store.remove_space(&world.slug).await.unwrap(),
        SpaceChange::Absent
    );
    assert!(
        world
            .store
            .alert(space_id, id, world.expiry())
            .await
            .unwrap()
            .is_none()
    );
    assert!(world.due(&connector).await.is_empty());
    assert!(world.store.roster(&world.slug).await.unwrap().is_none());
    assert!(
        world
            .store
            .session(TOKEN)
            .await
            .unwrap()
            .unwrap()
            .memberships
            .is_empty()
    );
}

/// A user has a session by the address alone, unless disabled, with memberships at the version of identity.
pub async fn a_user_is_known_by_address(world: World) {
    let space = world.space_id().await;
    let MemberChange::Added(bob) = world.member("bob@example.com", Role::Viewer).await else {
        unreachable!("Bob was a member already")
    };
    let email = World::email("bob@example.com");
    let session = world.store.session_of(&email).await.unwrap().unwrap();
    assert_eq!(session.user, bob.user);
    assert_eq!(session.memberships, [(space, Role::Viewer)]);
    assert_eq!(session.version, world.store.version().await.unwrap());
    assert!(session.key.is_none() && session.expires_at.is_none() && !session.is_operator);
    world
        .store
        .set_disabled(&email, Disabled::Yes)
        .await
        .unwrap();
    assert!(world.store.session_of(&email).await.unwrap().is_none());
    let nobody = World::email("nobody@example.com");
    assert!(world.store.session_of(&nobody).await.unwrap().is_none());
}

/// A change that was authorised at one version of identity happens only at that version.
pub async fn what_was_judged_at_another_version_is_not_changed(world: World) {
    let space = world.space_id().await;
    let version = world.store.version().await.unwrap();
    let judged = world
        .store
        .on_behalf(crate::Mandate::at_identity_version(version));
    assert!(judged.add_key(key(&world, "first", 1)).await.unwrap());
    world.member("bob@example.com", Role::Viewer).await;
    let stale = |error: StoreError| assert!(matches!(error, StoreError::Stale), "{error}");
    let email = World::email("bob@example.com");
    stale(judged.add_key(key(&world, "late", 2)).await.unwrap_err());
    stale(
        judged
            .set_member(space, &email, Role::Admin, world.now)
            .await
            .unwrap_err(),
    );
    stale(judged.remove_member(space, &email).await.unwrap_err());
    let id = ConnectorId::new(world.now, &world.random);
    stale(
        judged
            .delete_connector(space, id, world.now)
            .await
            .unwrap_err(),
    );
    let keys = world.store.keys(world.alice.id).await.unwrap();
    assert_eq!(keys.len(), 1);
    let now = world.store.on_behalf(crate::Mandate::at_identity_version(
        world.store.version().await.unwrap(),
    ));
    assert!(matches!(
        now.remove_member(space, &email).await.unwrap(),
        MemberChange::Removed
    ));
}

/// An invitation sets a password once, in time, and for a user who may sign in.
pub async fn an_invitation_sets_a_password_once(world: World) {
    let space = world.space_id().await;
    let (store, carol) = (&world.store, World::email("carol@example.com"));
    let invitation = |hash: u8| Invitation {
        hash: [hash; 32],
        expires_at: world.later(60),
    };
    let new = InvitedUser {
        user: NewUser {
            user: User {
                id: UserId::new(world.now, &world.random),
                email: carol.clone(),
                full_name: "Carol".to_owned(),
            },
            password_hash: None,
            is_operator: false,
            created_at: world.now,
        },
        invitation: invitation(1),
        membership: Some((space, Role::Editor)),
    };
    let elsewhere = InvitedUser {
        membership: Some((SpaceId::from_bytes([9; 16]), Role::Editor)),
        ..new.clone()
    };
    assert_eq!(store.invite(elsewhere).await.unwrap(), Invited::NoSpace);
    assert!(store.user(&carol).await.unwrap().is_none());
    assert_eq!(store.invite(new.clone()).await.unwrap(), Invited::Added);
    assert_eq!(store.invite(new).await.unwrap(), Invited::EmailTaken);
    let session = store.session_of(&carol).await.unwrap().unwrap();
    assert_eq!(session.memberships, [(space, Role::Editor)]);

    // The next one replaces it, and each is good until its end.
    assert!(store.invite_again(&carol, invitation(2)).await.unwrap());
    let invited = async |hash: u8, now| {
        let found = store.invited([hash; 32], now).await.unwrap();
        found.map(|user| user.email)
    };
    assert_eq!(invited(1, world.now).await, None);
    assert_eq!(invited(2, world.later(60)).await, None);
    assert_eq!(invited(2, world.now).await, Some(carol.clone()));
    let accept = async |hash: u8, word: &str| {
        let accepted = store.accept_invitation([hash; 32], word.to_owned(), world.now);
        accepted.await.unwrap()
    };
    assert!(!accept(1, "old").await);
    assert!(accept(2, "hash").await);
    assert!(!accept(2, "again").await);
    let record = store.user(&carol).await.unwrap().unwrap();
    assert_eq!(record.password_hash.as_deref(), Some("hash"));

    assert!(store.invite_again(&carol, invitation(3)).await.unwrap());
    store.set_disabled(&carol, Disabled::Yes).await.unwrap();
    assert!(!store.invite_again(&carol, invitation(4)).await.unwrap());
    store.set_disabled(&carol, Disabled::No).await.unwrap();
    assert!(!accept(3, "late").await);
    let nobody = World::email("nobody@example.com");
    assert!(!store.invite_again(&nobody, invitation(5)).await.unwrap());
}

/// A user who is removed is gone with tokens, keys and memberships, and leaves no space without an admin.
pub async fn a_removed_user_leaves_what_was_made_and_no_space_without_an_admin(world: World) {
    let store = &world.store;
    let connector = world.connect("").await;
    store.add_key(key(&world, "k", 1)).await.unwrap();
    let alone = store.remove_user(&world.alice.email).await.unwrap();
    assert_eq!(alone, RemovedUser::LastAdmin(vec![world.slug.clone()]));
    world.member("bob@example.com", Role::Admin).await;
    let removed = store.remove_user(&world.alice.email).await.unwrap();
    assert_eq!(removed, RemovedUser::Removed);
    let again = store.remove_user(&world.alice.email).await.unwrap();
    assert_eq!(again, RemovedUser::Absent);
    assert!(store.session(TOKEN).await.unwrap().is_none());
    assert!(store.session([1; 32]).await.unwrap().is_none());
    let members = store.members(world.space_id().await).await.unwrap();
    assert_eq!(members.len(), 1);
    let kept = &world.roster().await.connectors[0];
    assert_eq!((kept.id, &kept.created_by), (connector.id, &world.alice));
}

/// An invitation that came with a membership is good while the user is a member of that space alone, and until a password is set.
pub async fn an_invitation_of_a_space_opens_no_other(world: World) {
    let store = &world.store;
    let (space, carol) = (world.space_id().await, World::email("carol@example.com"));
    let other = Space {
        id: SpaceId::new(world.now, &world.random),
        slug: Slug::parse("other").unwrap(),
        name: "Other".to_owned(),
        created_at: world.now,
    };
    store.add_space(other.clone(), None).await.unwrap();
    let invitation = Invitation {
        hash: [1; 32],
        expires_at: world.later(60),
    };
    let user = NewUser {
        user: User {
            id: UserId::new(world.now, &world.random),
            email: carol.clone(),
            full_name: "Carol".to_owned(),
        },
        password_hash: None,
        is_operator: false,
        created_at: world.now,
    };
    let new = InvitedUser {
        user,
        invitation,
        membership: Some((space, Role::Viewer)),
    };
    assert_eq!(store.invite(new).await.unwrap(), Invited::Added);
    let is_good = async || {
        let found = store.invited([1; 32], world.now).await.unwrap();
        found.is_some()
    };
    assert!(is_good().await);
    let elsewhere = store.set_member(other.id, &carol, Role::Viewer, world.now);
    assert!(matches!(elsewhere.await, Ok(MemberChange::Added(_))));
    assert!(!is_good().await);
    let accepted = store.accept_invitation([1; 32], "theirs".to_owned(), world.now);
    assert!(!accepted.await.unwrap());
    store.remove_member(other.id, &carol).await.unwrap();
    assert!(is_good().await);
    store.remove_member(space, &carol).await.unwrap();
    assert!(!is_good().await);
    // Whoever sets a password in any way ends what was open.
    assert!(store.invite_again(&carol, invitation).await.unwrap());
    assert!(is_good().await);
    store.set_password(&carol, "own".to_owned()).await.unwrap();
    assert!(!is_good().await);
}

/// An admin who is locked out keeps no space.
pub async fn an_admin_who_is_locked_out_does_not_count_as_one(world: World) {
    let (store, space) = (&world.store, world.space_id().await);
    let bob = World::email("bob@example.com");
    world.member("bob@example.com", Role::Admin).await;
    store.set_disabled(&bob, Disabled::Yes).await.unwrap();
    let alice = &world.alice.email;
    let lowered = store
        .set_member(space, alice, Role::Viewer, world.now)
        .await;
    assert!(matches!(lowered, Ok(MemberChange::LastAdmin)));
    let left = store.remove_member(space, alice).await;
    assert!(matches!(left, Ok(MemberChange::LastAdmin)));
    let removed = store.remove_user(alice).await.unwrap();
    assert_eq!(removed, RemovedUser::LastAdmin(vec![world.slug.clone()]));
}
