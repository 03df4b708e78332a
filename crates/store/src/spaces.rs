//! Spaces and their members.

use alert_connectors_model::{Email, Role, Slug, Space, SpaceId, User};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::StoreError;

/// Spaces and who may enter them. Each change bumps the version of identity in its own transaction.
#[async_trait]
pub trait Spaces: Send + Sync {
    /// Makes a space; whoever is named becomes its admin.
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

/// What became of a change of a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceChange {
    /// It is so.
    Done,
    /// The slug is taken.
    SlugTaken,
    /// There is no such space.
    Absent,
}

/// What became of a change of a member.
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
