//! Users, their sessions, their API keys and their memberships, as rows.

use alert_connectors_model::{Email, KeyId, KeyScope, Role, Slug, SpaceId, User, UserId};
use jiff::Timestamp;

use super::{Columns, unreadable};
use crate::{ApiKey, Member, Session, StoreError, UserRecord};

/// The columns that [`user`] reads, in its order: users are `u`.
pub const USER_COLUMNS: &str =
    "u.no, u.id, u.email, u.full_name, u.password_hash, u.is_operator, u.is_disabled, u.created_at";

/// The columns that [`key`] reads, in its order: API keys are `k`, and their spaces `s`.
pub const KEY_COLUMNS: &str =
    "k.expires_at, k.id, k.name, k.scope, k.created_at, k.last_used_at, s.id, s.slug";

/// A user with the number by which rows refer to it, from a row of [`USER_COLUMNS`].
pub fn user(row: &dyn Columns) -> Result<(i64, UserRecord), StoreError> {
    let no = row.number(0)?;
    let record = UserRecord {
        user: User {
            id: UserId::from_bytes(row.id(1)?),
            email: email(&row.text(2)?, no)?,
            full_name: row.text(3)?,
        },
        password_hash: row.maybe_text(4)?,
        is_operator: row.flag(5)?,
        is_disabled: row.flag(6)?,
        created_at: row.time(7)?,
    };
    Ok((no, record))
}

/// The session of a token, from [`USER_COLUMNS`] and when the token ends. `None` if the user is disabled. The memberships and the version
/// are still to be filled in.
pub fn token_session(row: &dyn Columns) -> Result<Option<(i64, Session)>, StoreError> {
    session(row, row.maybe_time(8)?, None)
}

/// The session of a key, from [`USER_COLUMNS`] and [`KEY_COLUMNS`]. `None` if the user is disabled. The memberships and the
/// version are still to be filled in.
pub fn key_session(row: &dyn Columns) -> Result<Option<(i64, Session)>, StoreError> {
    let key = key(row, 8)?;
    session(row, key.expires_at, Some(key))
}

/// The session of a user who has neither token nor key. `None` if the user is disabled. The memberships and the version are
/// still to be filled in.
pub fn user_session((no, record): (i64, UserRecord)) -> Option<(i64, Session)> {
    let session = Session {
        user: record.user,
        is_operator: record.is_operator,
        expires_at: None,
        key: None,
        memberships: Vec::new(),
        version: 0,
    };
    (!record.is_disabled).then_some((no, session))
}

fn session(
    row: &dyn Columns,
    expires_at: Option<Timestamp>,
    key: Option<ApiKey>,
) -> Result<Option<(i64, Session)>, StoreError> {
    let found = user_session(user(row)?);
    Ok(found.map(|(no, session)| {
        let session = Session {
            expires_at,
            key,
            ..session
        };
        (no, session)
    }))
}

/// A key, from [`KEY_COLUMNS`] that begin at `first`.
pub fn key(row: &dyn Columns, first: usize) -> Result<ApiKey, StoreError> {
    let name = row.text(first + 2)?;
    let scope = KeyScope::parse(&row.text(first + 3)?);
    let space_id = row.maybe_id(first + 6)?.map(SpaceId::from_bytes);
    let slug = row.maybe_text(first + 7)?;
    let slug =
        slug.map(|slug| Slug::parse(&slug).ok_or_else(|| unreadable("spaces", "slug", slug)));
    Ok(ApiKey {
        id: KeyId::from_bytes(row.id(first + 1)?),
        scope: scope.ok_or_else(|| unreadable("api_keys", "scope", &name))?,
        name,
        space: space_id.zip(slug.transpose()?),
        created_at: row.time(first + 4)?,
        expires_at: row.maybe_time(first)?,
        last_used_at: row.maybe_time(first + 5)?,
    })
}

/// A membership of a user: the id of the space, and the role.
pub fn membership(row: &dyn Columns) -> Result<(SpaceId, Role), StoreError> {
    Ok((SpaceId::from_bytes(row.id(0)?), role(row, 1)?))
}

/// A role in a space and since when the user has been a member.
pub fn role_since(row: &dyn Columns) -> Result<(Role, Timestamp), StoreError> {
    Ok((role(row, 0)?, row.time(1)?))
}

/// A member of a space: the user's id, e-mail and full name, then the role and since when.
pub fn member(row: &dyn Columns) -> Result<Member, StoreError> {
    Ok(Member {
        user: User {
            id: UserId::from_bytes(row.id(0)?),
            email: email(&row.text(1)?, "of a member")?,
            full_name: row.text(2)?,
        },
        role: role(row, 3)?,
        added_at: row.time(4)?,
    })
}

fn role(row: &dyn Columns, column: usize) -> Result<Role, StoreError> {
    let code = row.code(column)?;
    Role::from_code(code).ok_or_else(|| unreadable("members", "role", code))
}

fn email(text: &str, row: impl std::fmt::Display) -> Result<Email, StoreError> {
    Email::parse(text).map_err(|_fault| unreadable("users", "email", row))
}
