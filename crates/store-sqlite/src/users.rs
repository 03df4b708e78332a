//! Users, session tokens and API keys.

use alert_connectors_model::{Email, KeyId, KeyScope, Role, SpaceId, User, UserId};
use alert_connectors_store::{
    AddedUser, ApiKey, Disabled, NewApiKey, NewToken, NewUser, Session, StoreError, TokenHash,
    UserRecord, Users,
    stored::{time, unreadable},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::{SqliteStore, error::Failure};

const USER_COLUMNS: &str =
    "no, id, email, full_name, password_hash, is_operator, is_disabled, created_at";
const INSERT_USER: &str =
    "INSERT OR IGNORE INTO users (id, email, full_name, password_hash, is_operator, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
// By primary key, then by the users' own.
const SESSION: &str =
    "SELECT u.no, u.id, u.email, u.full_name, u.password_hash, u.is_operator, u.is_disabled,
    u.created_at, t.expires_at FROM tokens t JOIN users u ON u.no = t.user_no WHERE t.hash = ?1";
// By the unique index on hash, then by the users' own.
const KEY_SESSION: &str = "SELECT u.no, u.id, u.email, u.full_name, u.password_hash, u.is_operator, u.is_disabled,
    u.created_at, k.expires_at, k.id, k.name, k.scope, k.created_at, k.last_used_at, s.id, s.slug
    FROM api_keys k JOIN users u ON u.no = k.user_no LEFT JOIN spaces s ON s.no = k.space_no WHERE k.hash = ?1";
// By members_by_user.
const MEMBERSHIPS: &str =
    "SELECT s.id, m.role FROM members m JOIN spaces s ON s.no = m.space_no WHERE m.user_no = ?1";
// By api_keys_by_user.
const KEYS: &str = "SELECT k.expires_at, k.id, k.name, k.scope, k.created_at, k.last_used_at, s.id, s.slug FROM api_keys k
    LEFT JOIN spaces s ON s.no = k.space_no WHERE k.user_no = (SELECT no FROM users WHERE id = ?1)
    ORDER BY k.name, k.id";
// By api_keys_by_user.
const KEY_COUNT: &str =
    "SELECT count(*) FROM api_keys WHERE user_no = (SELECT no FROM users WHERE id = ?1)";
const INSERT_KEY: &str = "INSERT INTO api_keys (id, hash, user_no, name, space_no, scope, created_at, expires_at)
    VALUES (?1, ?2, (SELECT no FROM users WHERE id = ?3), ?4, (SELECT no FROM spaces WHERE id = ?5), ?6, ?7, ?8)";
const INSERT_TOKEN: &str = "INSERT INTO tokens (hash, user_no, expires_at)
    VALUES (?1, (SELECT no FROM users WHERE id = ?2), ?3)";
// By tokens_by_expiry; a few at a time, beside each new one.
const FORGET_TOKENS: &str = "DELETE FROM tokens WHERE hash IN
    (SELECT hash FROM tokens WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 20)";

#[async_trait]
impl Users for SqliteStore {
    async fn add_user(&self, new: NewUser) -> Result<AddedUser, StoreError> {
        self.change(move |connection, _events| {
            let added = connection.execute(
                INSERT_USER,
                params![
                    &new.user.id.as_bytes()[..],
                    new.user.email.as_str(),
                    new.user.full_name,
                    new.password_hash,
                    new.is_operator,
                    new.created_at.as_millisecond(),
                ],
            )?;
            Ok(if added == 0 {
                AddedUser::EmailTaken
            } else {
                AddedUser::Added
            })
        })
        .await
    }

    async fn users(&self) -> Result<Vec<UserRecord>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {USER_COLUMNS} FROM users ORDER BY email");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            let mut users = Vec::new();
            while let Some(row) = rows.next()? {
                users.push(user_record(row)?.1);
            }
            Ok(users)
        })
        .await
    }

    async fn user(&self, email: &Email) -> Result<Option<UserRecord>, StoreError> {
        let email = email.clone();
        self.read(move |connection| Ok(user(connection, &email)?.map(|(_, record)| record)))
            .await
    }

    async fn set_password(&self, email: &Email, hash: String) -> Result<bool, StoreError> {
        let email = email.clone();
        self.change(move |connection, _events| {
            let changed = connection.execute(
                "UPDATE users SET password_hash = ?2 WHERE email = ?1",
                params![email.as_str(), hash],
            )?;
            connection.execute(
                "DELETE FROM tokens WHERE user_no = (SELECT no FROM users WHERE email = ?1)",
                [email.as_str()],
            )?;
            Ok(changed > 0)
        })
        .await
    }

    async fn set_disabled(&self, email: &Email, disabled: Disabled) -> Result<bool, StoreError> {
        let email = email.clone();
        self.change(move |connection, _events| {
            let flag = disabled == Disabled::Yes;
            let changed = connection
                .execute("UPDATE users SET is_disabled = ?2 WHERE email = ?1", params![email.as_str(), flag])?;
            if flag {
                for table in ["tokens", "api_keys"] {
                    let sql = format!("DELETE FROM {table} WHERE user_no = (SELECT no FROM users WHERE email = ?1)");
                    connection.execute(&sql, [email.as_str()])?;
                }
            }
            Ok(changed > 0)
        })
        .await
    }

    async fn add_token(&self, token: NewToken, now: Timestamp) -> Result<(), StoreError> {
        self.change(move |connection, _events| {
            connection.execute(FORGET_TOKENS, [now.as_millisecond()])?;
            let user_id = token.user_id.as_bytes();
            connection.execute(
                INSERT_TOKEN,
                params![
                    &token.hash[..],
                    &user_id[..],
                    token.expires_at.as_millisecond()
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn end_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.change(move |connection, _events| {
            connection.execute("DELETE FROM tokens WHERE hash = ?1", [&hash[..]])?;
            Ok(())
        })
        .await
    }

    async fn session(&self, hash: TokenHash) -> Result<Option<Session>, StoreError> {
        self.read(move |connection| {
            let found = match token_session(connection, hash)? {
                Some(session) => Some(session),
                None => key_session(connection, hash)?,
            };
            let Some((user_no, mut session)) = found else {
                return Ok(None);
            };
            session.memberships = memberships(connection, user_no)?;
            session.version =
                connection.query_row("SELECT version FROM identity WHERE one = 1", [], |row| {
                    row.get(0)
                })?;
            Ok(Some(session))
        })
        .await
    }

    async fn add_key(&self, new: NewApiKey) -> Result<bool, StoreError> {
        self.change(move |connection, _events| {
            let user_id = &new.user_id.as_bytes()[..];
            let count: usize = connection.query_row(KEY_COUNT, [user_id], |row| row.get(0))?;
            if count >= ApiKey::PER_USER_MAX {
                return Ok(false);
            }
            let key = &new.key;
            connection.execute(
                INSERT_KEY,
                params![
                    &key.id.as_bytes()[..],
                    &new.hash[..],
                    user_id,
                    key.name,
                    key.space.as_ref().map(|(id, _)| &id.as_bytes()[..]),
                    key.scope.as_str(),
                    key.created_at.as_millisecond(),
                    key.expires_at.map(Timestamp::as_millisecond),
                ],
            )?;
            Ok(true)
        })
        .await
    }

    async fn keys(&self, user_id: UserId) -> Result<Vec<ApiKey>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(KEYS)?;
            let mut rows = statement.query([&user_id.as_bytes()[..]])?;
            let mut keys = Vec::new();
            while let Some(row) = rows.next()? {
                keys.push(key(row, 0)?);
            }
            Ok(keys)
        })
        .await
    }

    async fn revoke_key(&self, user_id: UserId, id: KeyId) -> Result<bool, StoreError> {
        self.change(move |connection, _events| {
            let removed = connection.execute(
                "DELETE FROM api_keys WHERE id = ?1 AND user_no = (SELECT no FROM users WHERE id = ?2)",
                params![&id.as_bytes()[..], &user_id.as_bytes()[..]],
            )?;
            Ok(removed > 0)
        })
        .await
    }

    async fn keys_used(&self, ids: Vec<KeyId>, at: Timestamp) -> Result<(), StoreError> {
        self.change(move |connection, _events| {
            let mut statement =
                connection.prepare_cached("UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1")?;
            for id in ids {
                statement.execute(params![&id.as_bytes()[..], at.as_millisecond()])?;
            }
            Ok(())
        })
        .await
    }
}

/// A user by e-mail address, with the user's number.
pub(crate) fn user(
    connection: &Connection,
    email: &Email,
) -> Result<Option<(i64, UserRecord)>, Failure> {
    let sql = format!("SELECT {USER_COLUMNS} FROM users WHERE email = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([email.as_str()])?;
    rows.next()?.map(user_record).transpose()
}

fn user_record(row: &Row<'_>) -> Result<(i64, UserRecord), Failure> {
    let no: i64 = row.get(0)?;
    let email: String = row.get(2)?;
    let record = UserRecord {
        user: User {
            id: UserId::from_bytes(row.get(1)?),
            email: Email::parse(&email).map_err(|_fault| unreadable("users", "email", no))?,
            full_name: row.get(3)?,
        },
        password_hash: row.get(4)?,
        is_operator: row.get(5)?,
        is_disabled: row.get(6)?,
        created_at: time(row.get(7)?),
    };
    Ok((no, record))
}

fn session_of(row: &Row<'_>, key: Option<ApiKey>) -> Result<Option<(i64, Session)>, Failure> {
    let (no, record) = user_record(row)?;
    if record.is_disabled {
        return Ok(None);
    }
    let expires_at: Option<i64> = row.get(8)?;
    let session = Session {
        user: record.user,
        is_operator: record.is_operator,
        expires_at: expires_at.map(time),
        key,
        memberships: Vec::new(),
        version: 0,
    };
    Ok(Some((no, session)))
}

fn token_session(
    connection: &Connection,
    hash: TokenHash,
) -> Result<Option<(i64, Session)>, Failure> {
    let mut statement = connection.prepare_cached(SESSION)?;
    let mut rows = statement.query([&hash[..]])?;
    match rows.next()? {
        Some(row) => session_of(row, None),
        None => Ok(None),
    }
}

fn key_session(
    connection: &Connection,
    hash: TokenHash,
) -> Result<Option<(i64, Session)>, Failure> {
    let mut statement = connection.prepare_cached(KEY_SESSION)?;
    let mut rows = statement.query([&hash[..]])?;
    match rows.next()? {
        Some(row) => session_of(row, Some(key(row, 8)?)),
        None => Ok(None),
    }
}

/// A key whose columns begin at `first`.
fn key(row: &Row<'_>, first: usize) -> Result<ApiKey, Failure> {
    let scope: String = row.get(first + 3)?;
    let space_id: Option<[u8; 16]> = row.get(first + 6)?;
    let slug: Option<String> = row.get(first + 7)?;
    let name: String = row.get(first + 2)?;
    Ok(ApiKey {
        id: KeyId::from_bytes(row.get(first + 1)?),
        scope: KeyScope::parse(&scope).ok_or_else(|| unreadable("api_keys", "scope", &name))?,
        name,
        space: space_id.map(SpaceId::from_bytes).zip(slug),
        created_at: time(row.get(first + 4)?),
        expires_at: row.get::<_, Option<i64>>(first)?.map(time),
        last_used_at: row.get::<_, Option<i64>>(first + 5)?.map(time),
    })
}

fn memberships(connection: &Connection, user_no: i64) -> Result<Vec<(SpaceId, Role)>, Failure> {
    let mut statement = connection.prepare_cached(MEMBERSHIPS)?;
    let mut rows = statement.query([user_no])?;
    let mut memberships = Vec::new();
    while let Some(row) = rows.next()? {
        let code = row.get(1)?;
        let role = Role::from_code(code).ok_or_else(|| unreadable("members", "role", user_no))?;
        memberships.push((SpaceId::from_bytes(row.get(0)?), role));
    }
    Ok(memberships)
}
