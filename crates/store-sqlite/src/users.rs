//! Users, session tokens and API keys.

use alert_connectors_model::{Email, KeyId, Slug, User, UserId};
use alert_connectors_store::{
    AddedUser, ApiKey, Disabled, Invitation, Invited, InvitedUser, NewApiKey, NewToken, NewUser,
    RemovedUser, Session, StoreError, TokenHash, UserRecord, Users,
    stored::{self, Columns, IDENTITY_VERSION, KEY_COLUMNS, USER_COLUMNS},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::{
    SqliteStore,
    alerts::space_no,
    error::Failure,
    row::{row, rows},
};

const INSERT_USER: &str =
    "INSERT OR IGNORE INTO users (id, email, full_name, password_hash, is_operator, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
// By primary key, then by the users' own.
const SESSION: &str =
    "t.expires_at FROM tokens t JOIN users u ON u.no = t.user_no WHERE t.hash = ?1";
// By the unique index on hash, then by the users' own.
const KEY_SESSION: &str = "FROM api_keys k JOIN users u ON u.no = k.user_no LEFT JOIN spaces s ON s.no = k.space_no WHERE k.hash = ?1";
// By members_by_user.
const MEMBERSHIPS: &str =
    "SELECT s.id, m.role FROM members m JOIN spaces s ON s.no = m.space_no WHERE m.user_no = ?1";
// By api_keys_by_user.
const KEYS: &str = "FROM api_keys k LEFT JOIN spaces s ON s.no = k.space_no WHERE k.user_no = (SELECT no FROM users WHERE id = ?1)
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

const ADD_MEMBER: &str =
    "INSERT INTO members (space_no, user_no, role, added_at) VALUES (?1, ?2, ?3, ?4)";
const SET_INVITATION: &str = "INSERT OR REPLACE INTO invitations (hash, user_no, expires_at, space_no) VALUES (?1, ?2, ?3, ?4)";
// By primary key, then by the users' own.
const INVITED: &str = "FROM invitations i JOIN users u ON u.no = i.user_no
    WHERE i.hash = ?1 AND i.expires_at > ?2 AND NOT u.is_disabled
    AND (i.space_no IS NULL OR (NOT u.is_operator
        AND EXISTS (SELECT 1 FROM members m WHERE m.user_no = u.no AND m.space_no = i.space_no)
        AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_no = u.no AND m.space_no <> i.space_no)))";
// By members_by_user, then by primary keys. 2 is the role admin.
const ONLY_ADMIN_OF: &str = "SELECT s.slug FROM members m JOIN spaces s ON s.no = m.space_no
    WHERE m.user_no = ?1 AND m.role = 2 AND NOT EXISTS (SELECT 1 FROM members other
        WHERE other.space_no = m.space_no AND other.user_no <> m.user_no AND other.role = 2
            AND NOT (SELECT is_disabled FROM users WHERE no = other.user_no)) ORDER BY s.slug";

#[async_trait]
impl Users for SqliteStore {
    async fn add_user(&self, new: NewUser) -> Result<AddedUser, StoreError> {
        self.audited(move |connection, _events| {
            Ok(if insert_user(connection, &new)? == 0 {
                AddedUser::EmailTaken
            } else {
                AddedUser::Added
            })
        })
        .await
    }

    async fn users(&self) -> Result<Vec<UserRecord>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {USER_COLUMNS} FROM users u ORDER BY u.email");
            rows(connection, &sql, [], |row| {
                stored::user(row).map(|(_, record)| record)
            })
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
        self.audited(move |connection, _events| {
            let changed = connection.execute(
                "UPDATE users SET password_hash = ?2 WHERE email = ?1",
                params![email.as_str(), hash],
            )?;
            for table in ["tokens", "invitations"] {
                let sql = format!(
                    "DELETE FROM {table} WHERE user_no = (SELECT no FROM users WHERE email = ?1)"
                );
                connection.execute(&sql, [email.as_str()])?;
            }
            Ok(changed > 0)
        })
        .await
    }

    async fn set_disabled(&self, email: &Email, disabled: Disabled) -> Result<bool, StoreError> {
        let email = email.clone();
        self.audited(move |connection, _events| {
            let flag = disabled == Disabled::Yes;
            let changed = connection
                .execute("UPDATE users SET is_disabled = ?2 WHERE email = ?1", params![email.as_str(), flag])?;
            if flag {
                for table in ["tokens", "api_keys", "invitations"] {
                    let sql = format!("DELETE FROM {table} WHERE user_no = (SELECT no FROM users WHERE email = ?1)");
                    connection.execute(&sql, [email.as_str()])?;
                }
            }
            Ok(changed > 0)
        })
        .await
    }

    async fn invite(&self, invited: InvitedUser) -> Result<Invited, StoreError> {
        self.audited(move |connection, _events| {
            let InvitedUser {
                user: new,
                invitation,
                membership,
            } = invited;
            let membership = match membership {
                Some((space, role)) => match space_no(connection, space)? {
                    Some(no) => Some((no, role)),
                    None => return Ok(Invited::NoSpace),
                },
                None => None,
            };
            if insert_user(connection, &new)? == 0 {
                return Ok(Invited::EmailTaken);
            }
            let user_no = connection.last_insert_rowid();
            let space_no = membership.map(|(no, _)| no);
            set_invitation(connection, user_no, invitation, space_no)?;
            if let Some((space_no, role)) = membership {
                let added_at = new.created_at.as_millisecond();
                connection.execute(
                    ADD_MEMBER,
                    params![space_no, user_no, role.code(), added_at],
                )?;
            }
            Ok(Invited::Added)
        })
        .await
    }

    async fn invite_again(
        &self,
        email: &Email,
        invitation: Invitation,
    ) -> Result<bool, StoreError> {
        let email = email.clone();
        self.audited(move |connection, _events| {
            let found = user(connection, &email)?.filter(|(_, record)| !record.is_disabled);
            let Some((user_no, _)) = found else {
                return Ok(false);
            };
            set_invitation(connection, user_no, invitation, None)?;
            Ok(true)
        })
        .await
    }

    async fn invited(&self, hash: TokenHash, now: Timestamp) -> Result<Option<User>, StoreError> {
        self.read(move |connection| {
            let found = invited(connection, hash, now)?;
            Ok(found.map(|(_, record)| record.user))
        })
        .await
    }

    async fn accept_invitation(
        &self,
        hash: TokenHash,
        password_hash: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.audited(move |connection, _events| {
            let Some((user_no, _)) = invited(connection, hash, now)? else {
                return Ok(false);
            };
            connection.execute(
                "UPDATE users SET password_hash = ?2 WHERE no = ?1",
                params![user_no, password_hash],
            )?;
            for table in ["tokens", "invitations"] {
                let sql = format!("DELETE FROM {table} WHERE user_no = ?1");
                connection.execute(&sql, [user_no])?;
            }
            Ok(true)
        })
        .await
    }

    async fn remove_user(&self, email: &Email) -> Result<RemovedUser, StoreError> {
        let email = email.clone();
        self.audited(move |connection, _events| {
            let Some((user_no, _)) = user(connection, &email)? else {
                return Ok(RemovedUser::Absent);
            };
            let alone = rows(connection, ONLY_ADMIN_OF, [user_no], |row| row.text(0))?;
            if !alone.is_empty() {
                let slugs = alone.iter().filter_map(|slug| Slug::parse(slug));
                return Ok(RemovedUser::LastAdmin(slugs.collect()));
            }
            connection.execute("DELETE FROM users WHERE no = ?1", [user_no])?;
            Ok(RemovedUser::Removed)
        })
        .await
    }

    async fn add_token(&self, token: NewToken, now: Timestamp) -> Result<(), StoreError> {
        self.audited(move |connection, _events| {
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

    async fn end_token(&self, hash: TokenHash) -> Result<bool, StoreError> {
        self.audited(move |connection, _events| {
            let ended = connection.execute("DELETE FROM tokens WHERE hash = ?1", [&hash[..]])?;
            Ok(ended > 0)
        })
        .await
    }

    async fn session(&self, hash: TokenHash) -> Result<Option<Session>, StoreError> {
        self.read(move |connection| {
            let find = |sql: &str, read: fn(&dyn Columns) -> _| {
                let sql = format!("SELECT {USER_COLUMNS}, {sql}");
                row(connection, &sql, [&hash[..]], read).map(Option::flatten)
            };
            let found = match find(SESSION, stored::token_session)? {
                Some(session) => Some(session),
                None => find(&format!("{KEY_COLUMNS} {KEY_SESSION}"), stored::key_session)?,
            };
            completed(connection, found)
        })
        .await
    }

    async fn session_of(&self, email: &Email) -> Result<Option<Session>, StoreError> {
        let email = email.clone();
        self.read(move |connection| {
            let found = user(connection, &email)?;
            completed(connection, found.and_then(stored::user_session))
        })
        .await
    }

    async fn add_key(&self, new: NewApiKey) -> Result<bool, StoreError> {
        self.audited(move |connection, _events| {
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
            let parameters = [&user_id.as_bytes()[..]];
            let sql = format!("SELECT {KEY_COLUMNS} {KEYS}");
            rows(connection, &sql, parameters, |row| stored::key(row, 0))
        })
        .await
    }

    async fn revoke_key(&self, user_id: UserId, id: KeyId) -> Result<bool, StoreError> {
        self.audited(move |connection, _events| {
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

fn insert_user(connection: &Connection, new: &NewUser) -> rusqlite::Result<usize> {
    connection.execute(
        INSERT_USER,
        params![
            &new.user.id.as_bytes()[..],
            new.user.email.as_str(),
            new.user.full_name,
            new.password_hash,
            new.is_operator,
            new.created_at.as_millisecond(),
        ],
    )
}

fn set_invitation(
    connection: &Connection,
    user_no: i64,
    invitation: Invitation,
    space_no: Option<i64>,
) -> rusqlite::Result<()> {
    let expires_at = invitation.expires_at.as_millisecond();
    let parameters = params![&invitation.hash[..], user_no, expires_at, space_no];
    connection.execute(SET_INVITATION, parameters).map(drop)
}

/// The user whom an invitation is for, if it is good, with the user's number.
fn invited(
    connection: &Connection,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Option<(i64, UserRecord)>, Failure> {
    let sql = format!("SELECT {USER_COLUMNS} {INVITED}");
    let parameters = params![&hash[..], now.as_millisecond()];
    row(connection, &sql, parameters, stored::user)
}

/// A session with its memberships and its version.
fn completed(
    connection: &Connection,
    found: Option<(i64, Session)>,
) -> Result<Option<Session>, Failure> {
    let Some((user_no, mut session)) = found else {
        return Ok(None);
    };
    session.memberships = rows(connection, MEMBERSHIPS, [user_no], stored::membership)?;
    session.version = connection.query_row(IDENTITY_VERSION, [], |row| row.get(0))?;
    Ok(Some(session))
}

/// A user by e-mail address, with the user's number.
pub(crate) fn user(
    connection: &Connection,
    email: &Email,
) -> Result<Option<(i64, UserRecord)>, Failure> {
    let sql = format!("SELECT {USER_COLUMNS} FROM users u WHERE u.email = ?1");
    row(connection, &sql, [email.as_str()], stored::user)
}
