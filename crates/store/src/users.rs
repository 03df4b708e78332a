//! Users, their session tokens and their API keys.

use alert_connectors_model::{Email, KeyId, KeyScope, Role, Slug, SpaceId, User, UserId};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::StoreError;

/// SHA-256 of a token or key: all that is kept of it.
pub type TokenHash = [u8; 32];

/// Users and how they prove who they are. Changing a user, or ending a token or key, bumps the version of identity in
/// its own transaction.
#[async_trait]
pub trait Users: Send + Sync {
    /// Makes a user.
    async fn add_user(&self, new: NewUser) -> Result<AddedUser, StoreError>;

    /// All users, by e-mail.
    async fn users(&self) -> Result<Vec<UserRecord>, StoreError>;

    /// The user of that address.
    async fn user(&self, email: &Email) -> Result<Option<UserRecord>, StoreError>;

    /// Sets a new password hash; the user's session tokens end. Says whether the user is there.
    async fn set_password(&self, email: &Email, hash: String) -> Result<bool, StoreError>;

    /// Disables a user, which ends all tokens and keys, or enables one again. Says whether the user is there.
    async fn set_disabled(&self, email: &Email, disabled: Disabled) -> Result<bool, StoreError>;

    /// Makes a user who sets the first password by an invitation, and who is a member of a space from the start if one is
    /// named.
    async fn invite(&self, invited: InvitedUser) -> Result<Invited, StoreError>;

    /// Gives a user another invitation in place of the one before. Says whether the user is there, and not disabled.
    async fn invite_again(&self, email: &Email, invitation: Invitation)
    -> Result<bool, StoreError>;

    /// The user whom an invitation is for; nothing if it is unknown or over at `now`, or the user is disabled.
    async fn invited(&self, hash: TokenHash, now: Timestamp) -> Result<Option<User>, StoreError>;

    /// Sets a password by an invitation, which ends with it, as do the user's session tokens. Says whether the invitation is
    /// good, as [`Users::invited`] does.
    async fn accept_invitation(
        &self,
        hash: TokenHash,
        password_hash: String,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Removes a user with memberships, tokens and keys. What the user made stays, under the user's name.
    async fn remove_user(&self, email: &Email) -> Result<RemovedUser, StoreError>;

    /// Stores a new session token, and removes a few that have expired at `now`.
    async fn add_token(&self, token: NewToken, now: Timestamp) -> Result<(), StoreError>;

    /// Ends a session token. Says whether it was there.
    async fn end_token(&self, hash: TokenHash) -> Result<bool, StoreError>;

    /// The user of a token or key, and the spaces that the user may enter now. The caller judges expiry.
    async fn session(&self, hash: TokenHash) -> Result<Option<Session>, StoreError>;

    /// A caller who comes with another's word for who they are: the user of that address, who must not be disabled, and the
    /// spaces that the user may enter now.
    async fn session_of(&self, email: &Email) -> Result<Option<Session>, StoreError>;

    /// Makes an API key, unless the user has [`ApiKey::PER_USER_MAX`] of them; says whether it is there.
    async fn add_key(&self, key: NewApiKey) -> Result<bool, StoreError>;

    /// A user's keys, by name.
    async fn keys(&self, user_id: UserId) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key of the user. Says whether it was there.
    async fn revoke_key(&self, user_id: UserId, id: KeyId) -> Result<bool, StoreError>;

    /// Notes that keys were used. Bumps no version.
    async fn keys_used(&self, ids: Vec<KeyId>, at: Timestamp) -> Result<(), StoreError>;
}

/// Whether a user is locked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// Locked out.
    Yes,
    /// Let in.
    No,
}

/// A user to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The user.
    pub user: User,
    /// The Argon2id hash of the password, in PHC form.
    pub password_hash: Option<String>,
    /// Whether the user creates spaces and enters all of them.
    pub is_operator: bool,
    /// When the user was made.
    pub created_at: Timestamp,
}

/// Result of making a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedUser {
    /// The user is there.
    Added,
    /// The address is taken.
    EmailTaken,
}

/// Result of inviting someone who was no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// The user is there, and invited.
    Added,
    /// The address is taken.
    EmailTaken,
    /// The space is gone.
    NoSpace,
}

/// A user to be made who sets the first password by an invitation.
#[derive(Debug, Clone)]
pub struct InvitedUser {
    /// The user, without a password.
    pub user: NewUser,
    /// The invitation.
    pub invitation: Invitation,
    /// A space that the user enters from the start, and the role there.
    pub membership: Option<(SpaceId, Role)>,
}

/// What lets a user set a password once.
#[derive(Debug, Clone, Copy)]
pub struct Invitation {
    /// All that is kept of its token.
    pub hash: TokenHash,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Result of removing a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovedUser {
    /// The user is gone.
    Removed,
    /// There is no such user.
    Absent,
    /// These spaces would be left without an admin.
    LastAdmin(Vec<Slug>),
}

/// A user as kept.
#[derive(Debug, Clone)]
pub struct UserRecord {
    /// The user.
    pub user: User,
    /// The Argon2id hash of the password, if there is one.
    pub password_hash: Option<String>,
    /// Whether the user creates spaces and enters all of them.
    pub is_operator: bool,
    /// Whether the user is locked out.
    pub is_disabled: bool,
    /// When the user was made.
    pub created_at: Timestamp,
}

impl UserRecord {
    /// A user as kept who was just made.
    pub fn of_new(new: NewUser) -> Self {
        Self {
            user: new.user,
            password_hash: new.password_hash,
            is_operator: new.is_operator,
            is_disabled: false,
            created_at: new.created_at,
        }
    }
}

/// A session token to be kept.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// All that is kept of it.
    pub hash: TokenHash,
    /// Whose it is.
    pub user_id: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An API key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// All that is kept of the key itself.
    pub hash: TokenHash,
    /// Whose it is.
    pub user_id: UserId,
    /// The rest of it.
    pub key: ApiKey,
}

/// An API key as it is shown.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Names the key.
    pub id: KeyId,
    /// Its name for people.
    pub name: String,
    /// The one space that it enters, by id and slug.
    pub space: Option<(SpaceId, Slug)>,
    /// What it may do.
    pub scope: KeyScope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within a minute.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// At most this many keys a user.
    pub const PER_USER_MAX: usize = 100;
}

/// A caller, and the spaces that they may enter.
#[derive(Debug, Clone)]
pub struct Session {
    /// The user.
    pub user: User,
    /// Whether the user creates spaces and enters all of them as admin.
    pub is_operator: bool,
    /// When the token or key ends.
    pub expires_at: Option<Timestamp>,
    /// The key, where the caller uses one.
    pub key: Option<ApiKey>,
    /// The spaces that the user is a member of.
    pub memberships: Vec<(SpaceId, Role)>,
    /// The version of identity that this is true at.
    pub version: i64,
}
