//! Spaces and their members.

use alert_connectors_model::{Email, Role, Slug, Space, SpaceId, User};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{StoreError, UserRecord};

/// Spaces and who may enter them. A change of a space or its members bumps the version of identity in its own
/// transaction; a new space without an admin does not.
#[async_trait]
pub trait Spaces: Send + Sync {
    /// Makes a space; `admin`, if given, becomes its admin.
    async fn add_space(&self, space: Space, admin: Option<User>)
    -> Result<SpaceChange, StoreError>;

    /// All spaces, by slug.
    async fn spaces(&self) -> Result<Vec<Space>, StoreError>;

    /// The space of that slug.
    async fn space(&self, slug: &Slug) -> Result<Option<Space>, StoreError>;

    /// Gives a space another name for people.
    async fn rename_space(&self, slug: &Slug, name: String) -> Result<SpaceChange, StoreError>;

    /// Removes a space with everything in it. It is gone at once; its history follows in small steps.
    async fn remove_space(&self, slug: &Slug) -> Result<SpaceChange, StoreError>;

    /// The members of a space, by e-mail.
    async fn members(&self, space_id: SpaceId) -> Result<Vec<Member>, StoreError>;

    /// Makes a user a member, or gives a member another role.
    async fn set_member(
        &self,
        space_id: SpaceId,
        email: &Email,
        role: Role,
        now: Timestamp,
    ) -> Result<MemberChange, StoreError>;

    /// Removes a member.
    async fn remove_member(
        &self,
        space_id: SpaceId,
        email: &Email,
    ) -> Result<MemberChange, StoreError>;
}

/// Result of changing a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceChange {
    /// It is so.
    Done,
    /// The slug is taken.
    SlugTaken,
    /// There is no such space.
    Absent,
}

/// Result of changing a member.
#[derive(Debug, Clone)]
pub enum MemberChange {
    /// The user became a member.
    Added(Member),
    /// The member has that role now.
    Changed(Member),
    /// The member is gone.
    Removed,
    /// There is no such user, or the user is no member.
    Absent,
    /// The space would be left without an admin.
    LastAdmin,
    /// The space is gone.
    NoSpace,
}

/// What a change of a member rests on, read in the change's own transaction.
#[derive(Debug, Clone)]
pub struct MembershipFacts {
    /// The user by the e-mail that was named, and the number by which rows refer to it.
    user: Option<(i64, User)>,
    /// The user's role in the space, and since when.
    member: Option<(Role, Timestamp)>,
    /// How many other admins the space has.
    other_admins: u64,
}

impl MembershipFacts {
    /// What is known of a user before the membership is read.
    pub fn of(user: Option<(i64, UserRecord)>) -> Self {
        Self {
            user: user.map(|(no, record)| (no, record.user)),
            member: None,
            other_admins: 0,
        }
    }

    /// The number of the user; 0, which no user has, where there is none.
    pub fn user_no(&self) -> i64 {
        self.user.as_ref().map_or(0, |(no, _)| *no)
    }

    /// The same with the user's membership, and how many other admins the space has.
    #[must_use]
    pub fn with(self, member: Option<(Role, Timestamp)>, other_admins: Option<u64>) -> Self {
        Self {
            member,
            other_admins: other_admins.unwrap_or_default(),
            ..self
        }
    }

    /// What giving the user a role does: the user's number and the answer, or the answer alone where nothing is written.
    pub fn set(self, role: Role, now: Timestamp) -> Result<(i64, MemberChange), MemberChange> {
        let Some((no, user)) = self.user else {
            return Err(MemberChange::Absent);
        };
        let keeps_an_admin = role == Role::Admin || self.other_admins > 0;
        let member = |added_at| Member {
            user,
            role,
            added_at,
        };
        match self.member {
            None => Ok((no, MemberChange::Added(member(now)))),
            Some((Role::Admin, _)) if !keeps_an_admin => Err(MemberChange::LastAdmin),
            Some((_, added_at)) => Ok((no, MemberChange::Changed(member(added_at)))),
        }
    }

    /// What removing the member does: the user's number, or the answer where nothing is written.
    pub fn remove(self) -> Result<i64, MemberChange> {
        match (self.user, self.member) {
            (Some(_), Some((Role::Admin, _))) if self.other_admins == 0 => {
                Err(MemberChange::LastAdmin)
            }
            (Some((no, _)), Some(_)) => Ok(no),
            _ => Err(MemberChange::Absent),
        }
    }
}

/// A member of a space.
#[derive(Debug, Clone)]
pub struct Member {
    /// The user.
    pub user: User,
    /// What the member may do.
    pub role: Role,
    /// When the user became a member.
    pub added_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use alert_connectors_model::{SeededRandom, UserId};

    use super::*;

    fn facts(role: Option<Role>, other_admins: u64) -> MembershipFacts {
        let user = User {
            id: UserId::new(Timestamp::UNIX_EPOCH, &SeededRandom::new(1)),
            email: Email::parse("a@x.example").unwrap(),
            full_name: "A".to_owned(),
        };
        MembershipFacts {
            user: Some((7, user)),
            member: role.map(|role| (role, Timestamp::UNIX_EPOCH)),
            other_admins,
        }
    }

    #[test]
    fn the_last_admin_of_a_space_stays_one() {
        let now = Timestamp::UNIX_EPOCH;
        for role in [Role::Viewer, Role::Editor] {
            let refused = facts(Some(Role::Admin), 0).set(role, now);
            assert!(matches!(refused, Err(MemberChange::LastAdmin)));
            assert!(facts(Some(Role::Admin), 1).set(role, now).is_ok());
            assert!(facts(Some(role), 0).remove().is_ok());
        }
        assert!(facts(Some(Role::Admin), 0).set(Role::Admin, now).is_ok());
        let refused = facts(Some(Role::Admin), 0).remove();
        assert!(matches!(refused, Err(MemberChange::LastAdmin)));
        assert_eq!(facts(Some(Role::Admin), 1).remove().unwrap(), 7);
    }

    #[test]
    fn a_stranger_is_added_and_an_unknown_user_is_not() {
        let now = Timestamp::UNIX_EPOCH;
        let added = facts(None, 0).set(Role::Viewer, now);
        assert!(matches!(added, Ok((7, MemberChange::Added(_)))));
        assert!(matches!(facts(None, 1).remove(), Err(MemberChange::Absent)));
        let unknown = MembershipFacts {
            user: None,
            ..facts(None, 1)
        };
        assert!(matches!(
            unknown.set(Role::Admin, now),
            Err(MemberChange::Absent)
        ));
    }
}
