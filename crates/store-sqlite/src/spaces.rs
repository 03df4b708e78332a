//! Spaces and their members.

use alert_connectors_model::{Email, Role, Slug, Space, SpaceId, User};
use alert_connectors_store::{
    Member, MemberChange, MembershipFacts, SpaceChange, Spaces, StoreError, StoreEvent,
    stored::{self, SPACE_COLUMNS},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    SqliteStore,
    alerts::{REMOVE, space_no},
    error::Failure,
    row::{row, rows},
    users::user,
    zones::ZONE,
};

const ALL: &str = "FROM spaces s ORDER BY s.slug";
// By the unique index on slug.
const BY_SLUG: &str = "FROM spaces s WHERE s.slug = ?1";
// By primary key.
const BY_NO: &str = "FROM spaces s WHERE s.no = ?1";
const INSERT: &str =
    "INSERT OR IGNORE INTO spaces (id, slug, name, created_at) VALUES (?1, ?2, ?3, ?4)";
// By the unique index on id.
const ADD_ADMIN: &str = "INSERT INTO members (space_no, user_no, role, added_at)
    SELECT s.no, u.no, 2, ?3 FROM spaces s, users u WHERE s.id = ?1 AND u.id = ?2";
// By primary key, then by the users' own.
const MEMBERS: &str = "SELECT u.id, u.email, u.full_name, m.role, m.added_at FROM members m
    JOIN users u ON u.no = m.user_no WHERE m.space_no = (SELECT no FROM spaces WHERE id = ?1) ORDER BY u.email";
// By primary key.
const SET_MEMBER: &str =
    "INSERT INTO members (space_no, user_no, role, added_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (space_no, user_no) DO UPDATE SET role = excluded.role WHERE role <> excluded.role";
// By primary key.
const MEMBER: &str = "SELECT role, added_at FROM members WHERE space_no = ?1 AND user_no = ?2";
const REMOVE_MEMBER: &str = "DELETE FROM members WHERE space_no = ?1 AND user_no = ?2";
const OTHER_ADMINS: &str =
    "SELECT count(*) FROM members m WHERE m.space_no = ?1 AND m.user_no <> ?2 AND m.role = 2
    AND NOT (SELECT is_disabled FROM users WHERE no = m.user_no)";
// By severity_zones_by_key.
const ZONE_OF_SPACE: &str = "SELECT zone FROM severity_zones WHERE space_no = ?1 LIMIT 1";
// By primary key.
const ALERTS_OF_ZONE: &str = "SELECT seq FROM alerts WHERE seq BETWEEN ?2 AND ?3 AND space_no = ?1";
// By severity_zones_by_zone and type_zones_by_zone: `+` keeps SQLite from reading all zones of the space.
pub(crate) const REMOVE_SEVERITY_ZONE: &str =
    "DELETE FROM severity_zones WHERE +space_no = ?1 AND zone = ?2";
pub(crate) const REMOVE_TYPE_ZONE: &str =
    "DELETE FROM type_zones WHERE +space_no = ?1 AND zone = ?2";
// By the unique index on id.
const NUMBER_AND_VERSION: &str = "SELECT no, version FROM spaces WHERE id = ?1";

#[async_trait]
impl Spaces for SqliteStore {
    async fn add_space(
        &self,
        space: Space,
        admin: Option<User>,
    ) -> Result<SpaceChange, StoreError> {
        self.audited(move |connection, _events| {
            let id = space.id.as_bytes();
            let created_at = space.created_at.as_millisecond();
            let added = connection.execute(
                INSERT,
                params![&id[..], space.slug.as_str(), space.name, created_at],
            )?;
            if added == 0 {
                return Ok(SpaceChange::SlugTaken);
            }
            if let Some(admin) = admin {
                connection.execute(
                    ADD_ADMIN,
                    params![&id[..], &admin.id.as_bytes()[..], created_at],
                )?;
            }
            Ok(SpaceChange::Done)
        })
        .await
    }

    async fn spaces(&self) -> Result<Vec<Space>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {SPACE_COLUMNS} {ALL}");
            rows(connection, &sql, [], |row| {
                stored::space(row, 0).map(|(_, space, _)| space)
            })
        })
        .await
    }

    async fn space(&self, slug: &Slug) -> Result<Option<Space>, StoreError> {
        let slug = slug.clone();
        self.read(move |connection| Ok(by_slug(connection, &slug)?.map(|(_, space, _)| space)))
            .await
    }

    async fn rename_space(&self, slug: &Slug, name: String) -> Result<SpaceChange, StoreError> {
        let slug = slug.clone();
        self.audited(move |connection, _events| {
            let renamed = connection.execute(
                "UPDATE spaces SET name = ?2 WHERE slug = ?1",
                params![slug.as_str(), name],
            )?;
            Ok(if renamed == 0 {
                SpaceChange::Absent
            } else {
                SpaceChange::Done
            })
        })
        .await
    }

    async fn remove_space(&self, slug: &Slug) -> Result<SpaceChange, StoreError> {
        let slug = slug.clone();
        let removed = self
            .audited(move |connection, events| remove(connection, &slug, events))
            .await?;
        let Some(space_no) = removed else {
            return Ok(SpaceChange::Absent);
        };
        // The removal has moved the version of identity that it rests on.
        let store = self.for_itself();
        while store
            .change(move |connection, _events| remove_history(connection, space_no))
            .await?
            > 0
        {}
        Ok(SpaceChange::Done)
    }

    async fn members(&self, space_id: SpaceId) -> Result<Vec<Member>, StoreError> {
        self.read(move |connection| {
            rows(
                connection,
                MEMBERS,
                [&space_id.as_bytes()[..]],
                stored::member,
            )
        })
        .await
    }

    async fn set_member(
        &self,
        space_id: SpaceId,
        email: &Email,
        role: Role,
        now: Timestamp,
    ) -> Result<MemberChange, StoreError> {
        let email = email.clone();
        self.audited(move |connection, _events| {
            let Some((space_no, facts)) = membership(connection, space_id, &email)? else {
                return Ok(MemberChange::NoSpace);
            };
            let (user_no, changed) = match facts.set(role, now) {
                Ok(planned) => planned,
                Err(refusal) => return Ok(refusal),
            };
            let added_at = now.as_millisecond();
            connection.execute(
                SET_MEMBER,
                params![space_no, user_no, role.code(), added_at],
            )?;
            Ok(changed)
        })
        .await
    }

    async fn remove_member(
        &self,
        space_id: SpaceId,
        email: &Email,
    ) -> Result<MemberChange, StoreError> {
        let email = email.clone();
        self.audited(move |connection, _events| {
            let Some((space_no, facts)) = membership(connection, space_id, &email)? else {
                return Ok(MemberChange::NoSpace);
            };
            let user_no = match facts.remove() {
                Ok(user_no) => user_no,
                Err(refusal) => return Ok(refusal),
            };
            connection.execute(REMOVE_MEMBER, [space_no, user_no])?;
            Ok(MemberChange::Removed)
        })
        .await
    }
}

/// The number of a space, and what a change of a member of it rests on.
fn membership(
    connection: &Connection,
    space_id: SpaceId,
    email: &Email,
) -> Result<Option<(i64, MembershipFacts)>, Failure> {
    let space_no = space_no(connection, space_id)?;
    let Some(space_no) = space_no else {
        return Ok(None);
    };
    let facts = MembershipFacts::of(user(connection, email)?);
    let parameters = [space_no, facts.user_no()];
    let member = row(connection, MEMBER, parameters, stored::role_since)?;
    let others = row(connection, OTHER_ADMINS, parameters, |row| row.count(0))?;
    let facts = facts.with(member, others);
    Ok(Some((space_no, facts)))
}

/// Removes the space, its members and its connectors at once, so that nothing more is accepted or sent.
fn remove(
    connection: &Connection,
    slug: &Slug,
    events: &mut Vec<StoreEvent>,
) -> Result<Option<i64>, Failure> {
    let no: Option<i64> = connection
        .query_row(
            "SELECT no FROM spaces WHERE slug = ?1",
            [slug.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    let Some(no) = no else { return Ok(None) };
    let mut statement =
        connection.prepare("SELECT DISTINCT destination FROM connectors WHERE space_no = ?1")?;
    let destinations = statement.query_map([no], |row| {
        row.get(0).map(alert_connectors_model::Fingerprint)
    })?;
    for destination in destinations {
        events.push(StoreEvent::Changed(destination?));
    }
    connection.execute("DELETE FROM spaces WHERE no = ?1", [no])?;
    connection.execute("UPDATE connectors SET deleted_at = 0, url_key_id = x'', url_sealed = x'' WHERE space_no = ?1", [no])?;
    for sql in [
        "DELETE FROM idempotency WHERE space_no = ?1",
        "DELETE FROM alert_counts WHERE space_no = ?1",
        "DELETE FROM stored_bytes WHERE space_no = ?1",
    ] {
        connection.execute(sql, [no])?;
    }
    Ok(Some(no))
}

/// Removes some of what a removed space leaves behind; returns 0 once nothing is left.
fn remove_history(connection: &Connection, space_no: i64) -> Result<usize, Failure> {
    let zone: Option<i64> = connection
        .prepare_cached(ZONE_OF_SPACE)?
        .query_row([space_no], |row| row.get(0))
        .optional()?;
    let Some(zone) = zone else {
        return Ok(connection.execute("DELETE FROM connectors WHERE space_no = ?1", [space_no])?);
    };
    let mut statement = connection.prepare_cached(ALERTS_OF_ZONE)?;
    let seqs: Vec<i64> = statement
        .query_map([space_no, zone * ZONE, zone * ZONE + ZONE - 1], |row| {
            row.get(0)
        })?
        .collect::<rusqlite::Result<_>>()?;
    for seq in &seqs {
        for sql in REMOVE {
            connection.prepare_cached(sql)?.execute([seq])?;
        }
    }
    for sql in [REMOVE_SEVERITY_ZONE, REMOVE_TYPE_ZONE] {
        connection.prepare_cached(sql)?.execute([space_no, zone])?;
    }
    Ok(seqs.len() + 1)
}

/// The number of a space, and its version.
pub(crate) fn number(connection: &Connection, id: SpaceId) -> rusqlite::Result<Option<(i64, i64)>> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    connection
        .query_row(NUMBER_AND_VERSION, [&id.as_bytes()[..]], read)
        .optional()
}

/// A space with its number and its version.
pub(crate) fn by_slug(
    connection: &Connection,
    slug: &Slug,
) -> Result<Option<(i64, Space, i64)>, Failure> {
    let sql = format!("SELECT {SPACE_COLUMNS} {BY_SLUG}");
    row(connection, &sql, [slug.as_str()], |row| {
        stored::space(row, 0)
    })
}

/// A space by its number.
pub(crate) fn by_no(connection: &Connection, no: i64) -> Result<Option<Space>, Failure> {
    let sql = format!("SELECT {SPACE_COLUMNS} {BY_NO}");
    let found = row(connection, &sql, [no], |row| stored::space(row, 0))?;
    Ok(found.map(|(_, space, _)| space))
}
