//! Users, session tokens and API keys.

use alert_connectors_model::{Email, KeyId, Slug, User, UserId};
use alert_connectors_store::{
    AddedUser, ApiKey, Disabled, Invitation, Invited, InvitedUser, NewApiKey, NewToken, NewUser,
    RemovedUser, Session, StoreError, TokenHash, UserRecord, Users,
    stored::{self, IDENTITY_VERSION, KEY_COLUMNS, USER_COLUMNS},
};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::try_join;
use uuid::Uuid;

use crate::{
    PostgresStore,
    alerts::{space_no, uuid},
    connection::{Change, Connection, Parameters},
    row::Row,
};

const ALL: &str = "FROM users u ORDER BY u.email";
// By the unique index on email.
const BY_EMAIL: &str = "FROM users u WHERE u.email = $1";
const INSERT_USER: &str =
    "INSERT INTO users (id, email, full_name, password_hash, is_operator, created_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING no";
// By primary key, then by the users' own.
const SESSION: &str =
    "t.expires_at FROM tokens t JOIN users u ON u.no = t.user_no WHERE t.hash = $1";
// By the unique index on hash, then by the users' own.
const KEY_SESSION: &str = "FROM api_keys k JOIN users u ON u.no = k.user_no LEFT JOIN spaces s ON s.no = k.space_no WHERE k.hash = $1";
// By members_by_user.
const MEMBERSHIPS: &str =
    "SELECT s.id, m.role FROM members m JOIN spaces s ON s.no = m.space_no WHERE m.user_no = $1";
// By api_keys_by_user.
const KEYS: &str = "FROM api_keys k LEFT JOIN spaces s ON s.no = k.space_no WHERE k.user_no = (SELECT no FROM users WHERE id = $1)
    ORDER BY k.name, k.id";
// By api_keys_by_user.
const KEY_COUNT: &str =
    "SELECT count(*) FROM api_keys WHERE user_no = (SELECT no FROM users WHERE id = $1)";
const INSERT_KEY: &str = "INSERT INTO api_keys (id, hash, user_no, name, space_no, scope, created_at, expires_at)
    VALUES ($1, $2, (SELECT no FROM users WHERE id = $3), $4, (SELECT no FROM spaces WHERE id = $5), $6, $7, $8)";
const REVOKE_KEY: &str =
    "DELETE FROM api_keys WHERE id = $1 AND user_no = (SELECT no FROM users WHERE id = $2)";
// By primary key, in its order.
const KEYS_USED: &str = "UPDATE api_keys SET last_used_at = $2 WHERE id IN
    (SELECT id FROM api_keys WHERE id = ANY ($1) ORDER BY id FOR UPDATE)";
const INSERT_TOKEN: &str = "INSERT INTO tokens (hash, user_no, expires_at)
    VALUES ($1, (SELECT no FROM users WHERE id = $2), $3)";
// By tokens_by_expiry; a few at a time, beside each new one.
const FORGET_TOKENS: &str = "DELETE FROM tokens WHERE hash IN
    (SELECT hash FROM tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED)";

const ADD_MEMBER: &str =
    "INSERT INTO members (space_no, user_no, role, added_at) VALUES ($1, $2, $3, $4)";
const SET_PASSWORD: &str = "UPDATE users SET password_hash = $2 WHERE no = $1";
const SET_INVITATION: &str =
    "INSERT INTO invitations (hash, user_no, expires_at, space_no) VALUES ($1, $2, $3, $4)
    ON CONFLICT (user_no) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at, space_no = excluded.space_no";
// By primary key, then by the users' own.
const INVITED: &str = "FROM invitations i JOIN users u ON u.no = i.user_no
    WHERE i.hash = $1 AND i.expires_at > $2 AND NOT u.is_disabled
    AND (i.space_no IS NULL OR (NOT u.is_operator
        AND EXISTS (SELECT 1 FROM members m WHERE m.user_no = u.no AND m.space_no = i.space_no)
        AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_no = u.no AND m.space_no <> i.space_no)))";
// By members_by_user, then by primary keys. 2 is the role admin.
const ONLY_ADMIN_OF: &str = "SELECT s.slug FROM members m JOIN spaces s ON s.no = m.space_no
    WHERE m.user_no = $1 AND m.role = 2 AND NOT EXISTS (SELECT FROM members other
        WHERE other.space_no = m.space_no AND other.user_no <> m.user_no AND other.role = 2
            AND NOT (SELECT is_disabled FROM users WHERE no = other.user_no)) ORDER BY s.slug";

#[async_trait]
impl Users for PostgresStore {
    async fn add_user(&self, new: NewUser) -> Result<AddedUser, StoreError> {
        let change = self.change().await?;
        let answer = match insert_user(&change, &new).await? {
            Some(_) => AddedUser::Added,
            None => AddedUser::EmailTaken,
        };
        change.end(answer).await
    }

    async fn users(&self) -> Result<Vec<UserRecord>, StoreError> {
        self.read(async |connection| {
            let rows = connection
                .rows(&format!("SELECT {USER_COLUMNS} {ALL}"), &[])
                .await?;
            rows.iter()
                .map(|row| stored::user(row).map(|(_, record)| record))
                .collect()
        })
        .await
    }

    async fn user(&self, email: &Email) -> Result<Option<UserRecord>, StoreError> {
        self.read(async |connection| Ok(user(connection, email).await?.map(|(_, record)| record)))
            .await
    }

    async fn set_password(&self, email: &Email, hash: String) -> Result<bool, StoreError> {
        let change = self.change().await?;
        let email = email.as_str();
        let changed = change
            .run(
                "UPDATE users SET password_hash = $2 WHERE email = $1",
                &[&email, &hash],
            )
            .await?;
        for sql in [
            "DELETE FROM tokens WHERE user_no = (SELECT no FROM users WHERE email = $1)",
            "DELETE FROM invitations WHERE user_no = (SELECT no FROM users WHERE email = $1)",
        ] {
            change.run(sql, &[&email]).await?;
        }
        change.end(changed > 0).await
    }

    async fn set_disabled(&self, email: &Email, disabled: Disabled) -> Result<bool, StoreError> {
        let change = self.change().await?;
        let (email, flag) = (email.as_str(), disabled == Disabled::Yes);
        let changed = change
            .run(
                "UPDATE users SET is_disabled = $2 WHERE email = $1",
                &[&email, &flag],
            )
            .await?;
        if flag {
            for sql in [
                "DELETE FROM tokens WHERE user_no = (SELECT no FROM users WHERE email = $1)",
                "DELETE FROM api_keys WHERE user_no = (SELECT no FROM users WHERE email = $1)",
                "DELETE FROM invitations WHERE user_no = (SELECT no FROM users WHERE email = $1)",
            ] {
                change.run(sql, &[&email]).await?;
            }
        }
        change.end(changed > 0).await
    }

    async fn invite(&self, invited: InvitedUser) -> Result<Invited, StoreError> {
        let change = self.change().await?;
        let membership = match invited.membership {
            Some((space, role)) => match space_no(change.connection(), space).await? {
                Some(no) => Some((no, role)),
                None => return change.end(Invited::NoSpace).await,
            },
            None => None,
        };
        let Some(user_no) = insert_user(&change, &invited.user).await? else {
            return change.end(Invited::EmailTaken).await;
        };
        let space_no = membership.map(|(no, _)| no);
        set_invitation(&change, user_no, invited.invitation, space_no).await?;
        if let Some((space_no, role)) = membership {
            let added_at = invited.user.created_at.as_millisecond();
            let role = i16::from(role.code());
            change
                .run(ADD_MEMBER, &[&space_no, &user_no, &role, &added_at])
                .await?;
        }
        change.end(Invited::Added).await
    }

    async fn invite_again(
        &self,
        email: &Email,
        invitation: Invitation,
    ) -> Result<bool, StoreError> {
        let change = self.change().await?;
        let found = user(change.connection(), email).await?;
        let found = found.filter(|(_, record)| !record.is_disabled);
        if let Some((user_no, _)) = &found {
            set_invitation(&change, *user_no, invitation, None).await?;
        }
        change.end(found.is_some()).await
    }

    async fn invited(&self, hash: TokenHash, now: Timestamp) -> Result<Option<User>, StoreError> {
        self.read(async |connection| {
            let found = invited(connection, hash, now).await?;
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
        let change = self.change().await?;
        let found = invited(change.connection(), hash, now).await?;
        let Some((user_no, _)) = found else {
            return change.end(false).await;
        };
        change
            .run(SET_PASSWORD, &[&user_no, &password_hash])
            .await?;
        for sql in [
            "DELETE FROM tokens WHERE user_no = $1",
            "DELETE FROM invitations WHERE user_no = $1",
        ] {
            change.run(sql, &[&user_no]).await?;
        }
        change.end(true).await
    }

    async fn remove_user(&self, email: &Email) -> Result<RemovedUser, StoreError> {
        let change = self.change().await?;
        let Some((user_no, _)) = user(change.connection(), email).await? else {
            return change.end(RemovedUser::Absent).await;
        };
        let rows = change.rows(ONLY_ADMIN_OF, &[&user_no]).await?;
        let alone: Vec<String> = rows.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
        if !alone.is_empty() {
            let slugs = alone.iter().filter_map(|slug| Slug::parse(slug));
            return change.end(RemovedUser::LastAdmin(slugs.collect())).await;
        }
        change
            .run("DELETE FROM users WHERE no = $1", &[&user_no])
            .await?;
        change.end(RemovedUser::Removed).await
    }

    async fn add_token(&self, token: NewToken, now: Timestamp) -> Result<(), StoreError> {
        let step = self.step().await?;
        step.run(FORGET_TOKENS, &[&now.as_millisecond()]).await?;
        let user_id = uuid(token.user_id.as_bytes());
        let expires_at = token.expires_at.as_millisecond();
        step.run(INSERT_TOKEN, &[&&token.hash[..], &user_id, &expires_at])
            .await?;
        step.end(()).await
    }

    async fn end_token(&self, hash: TokenHash) -> Result<bool, StoreError> {
        let step = self.step().await?;
        let ended = step
            .run("DELETE FROM tokens WHERE hash = $1", &[&&hash[..]])
            .await?;
        step.end(ended > 0).await
    }

    async fn session(&self, hash: TokenHash) -> Result<Option<Session>, StoreError> {
        self.read(async |connection| {
            // The version first, in a snapshot before the rest: what changes in between makes the session stale, not wrong.
            let (tokens, keys) = (
                format!("SELECT {USER_COLUMNS}, {SESSION}"),
                format!("SELECT {USER_COLUMNS}, {KEY_COLUMNS} {KEY_SESSION}"),
            );
            let (version, token) = try_join!(
                biased;
                connection.row(IDENTITY_VERSION, &[]),
                async { connection.row(&tokens, &[&&hash[..]]).await },
            )?;
            let found = match token {
                Some(row) => stored::token_session(&row)?,
                None => match connection.row(&keys, &[&&hash[..]]).await? {
                    Some(row) => stored::key_session(&row)?,
                    None => None,
                },
            };
            completed(connection, version, found).await
        })
        .await
    }

    async fn session_of(&self, email: &Email) -> Result<Option<Session>, StoreError> {
        self.read(async |connection| {
            let version = connection.row(IDENTITY_VERSION, &[]).await?;
            let found = user(connection, email).await?;
            completed(connection, version, found.and_then(stored::user_session)).await
        })
        .await
    }

    async fn add_key(&self, new: NewApiKey) -> Result<bool, StoreError> {
        let change = self.change().await?;
        let user_id = uuid(new.user_id.as_bytes());
        let count = change.row(KEY_COUNT, &[&user_id]).await?;
        let count: usize = count.map_or(Ok(0), |row| row.count(0))?;
        if count >= ApiKey::PER_USER_MAX {
            return change.end(false).await;
        }
        let key = &new.key;
        let space = key.space.as_ref().map(|(id, _)| uuid(id.as_bytes()));
        change
            .run(
                INSERT_KEY,
                &[
                    &uuid(key.id.as_bytes()),
                    &&new.hash[..],
                    &user_id,
                    &key.name,
                    &space,
                    &key.scope.as_str(),
                    &key.created_at.as_millisecond(),
                    &key.expires_at.map(Timestamp::as_millisecond),
                ],
            )
            .await?;
        change.end(true).await
    }

    async fn keys(&self, user_id: UserId) -> Result<Vec<ApiKey>, StoreError> {
        self.read(async |connection| {
            let sql = format!("SELECT {KEY_COLUMNS} {KEYS}");
            let rows = connection.rows(&sql, &[&uuid(user_id.as_bytes())]).await?;
            rows.iter().map(|row| stored::key(row, 0)).collect()
        })
        .await
    }

    async fn revoke_key(&self, user_id: UserId, id: KeyId) -> Result<bool, StoreError> {
        let step = self.step().await?;
        let (id, user_id) = (uuid(id.as_bytes()), uuid(user_id.as_bytes()));
        let removed = step.run(REVOKE_KEY, &[&id, &user_id]).await?;
        step.end(removed > 0).await
    }

    async fn keys_used(&self, ids: Vec<KeyId>, at: Timestamp) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| uuid(id.as_bytes())).collect();
        let step = self.step().await?;
        step.run(KEYS_USED, &[&ids, &at.as_millisecond()]).await?;
        step.commit().await
    }
}

/// Makes a user, whose number it returns unless the address is taken.
async fn insert_user(change: &Change, new: &NewUser) -> Result<Option<i64>, StoreError> {
    let added = change
        .row(
            INSERT_USER,
            &[
                &uuid(new.user.id.as_bytes()),
                &new.user.email.as_str(),
                &new.user.full_name,
                &new.password_hash,
                &new.is_operator,
                &new.created_at.as_millisecond(),
            ],
        )
        .await?;
    added.map(|row| row.at(0)).transpose()
}

async fn set_invitation(
    change: &Change,
    user_no: i64,
    invitation: Invitation,
    space_no: Option<i64>,
) -> Result<(), StoreError> {
    let expires_at = invitation.expires_at.as_millisecond();
    change
        .run(
            SET_INVITATION,
            &[&&invitation.hash[..], &user_no, &expires_at, &space_no],
        )
        .await
        .map(drop)
}

/// The user whom an invitation is for, if it is good, with the user's number.
async fn invited(
    connection: &Connection,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Option<(i64, UserRecord)>, StoreError> {
    let sql = format!("SELECT {USER_COLUMNS} {INVITED}");
    let parameters: Parameters<'_> = &[&&hash[..], &now.as_millisecond()];
    let found = connection.row(&sql, parameters).await?;
    found.map(|row| stored::user(&row)).transpose()
}

/// A session with its memberships, at a version that was read before the rest: what changes in between makes it stale, not wrong.
async fn completed(
    connection: &Connection,
    version: Option<Row>,
    found: Option<(i64, Session)>,
) -> Result<Option<Session>, StoreError> {
    let (Some((user_no, mut session)), Some(version)) = (found, version) else {
        return Ok(None);
    };
    session.version = version.at(0)?;
    for row in connection.rows(MEMBERSHIPS, &[&user_no]).await? {
        session.memberships.push(stored::membership(&row)?);
    }
    Ok(Some(session))
}

/// A user by e-mail address, with the user's number.
pub(crate) async fn user(
    connection: &Connection,
    email: &Email,
) -> Result<Option<(i64, UserRecord)>, StoreError> {
    let sql = format!("SELECT {USER_COLUMNS} {BY_EMAIL}");
    let found = connection.row(&sql, &[&email.as_str()]).await?;
    found.map(|row| stored::user(&row)).transpose()
}
