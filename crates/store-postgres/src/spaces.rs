//! Spaces and their members.

use alert_connectors_model::{Email, Role, Slug, Space, SpaceId, User};
use alert_connectors_store::{
    Member, MemberChange, MembershipFacts, SpaceChange, Spaces, StoreError, StoreEvent,
    stored::{self, Columns as _, SPACE_COLUMNS},
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    PostgresStore,
    alerts::uuid,
    connection::{Change, Connection},
    stored_bytes,
    users::user,
};

const ALL: &str = "FROM spaces s ORDER BY s.slug";
// By the unique index on slug.
const BY_SLUG: &str = "FROM spaces s WHERE s.slug = $1";
// By primary key.
const BY_NO: &str = "FROM spaces s WHERE s.no = $1";
// By the unique index on id.
const NUMBER: &str = "SELECT no, version FROM spaces WHERE id = $1";
const INSERT: &str = "INSERT INTO spaces (id, slug, name, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
// By the unique index on id.
const ADD_ADMIN: &str = "INSERT INTO members (space_no, user_no, role, added_at)
    SELECT s.no, u.no, 2, $3 FROM spaces s, users u WHERE s.id = $1 AND u.id = $2";
// By primary key, then by the users' own.
const MEMBERS: &str = "SELECT u.id, u.email, u.full_name, m.role, m.added_at FROM members m
    JOIN users u ON u.no = m.user_no WHERE m.space_no = (SELECT no FROM spaces WHERE id = $1) ORDER BY u.email";
// By primary key.
const MEMBER: &str = "SELECT role, added_at FROM members WHERE space_no = $1 AND user_no = $2";
// By primary key.
const SET_MEMBER: &str = "INSERT INTO members AS m (space_no, user_no, role, added_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (space_no, user_no) DO UPDATE SET role = excluded.role WHERE m.role <> excluded.role";
const REMOVE_MEMBER: &str = "DELETE FROM members WHERE space_no = $1 AND user_no = $2";
const OTHER_ADMINS: &str =
    "SELECT count(*) FROM members m WHERE m.space_no = $1 AND m.user_no <> $2 AND m.role = 2
    AND NOT (SELECT is_disabled FROM users WHERE no = m.user_no)";
// By connectors_by_space.
const DESTINATIONS: &str =
    "SELECT DISTINCT destination FROM connectors WHERE space_no = $1 AND deleted_at IS NULL";
// By alerts_by_severity, severity by severity; by deliveries_by_alert; by primary keys.
const REMOVE_ALERTS: &str = "WITH gone AS MATERIALIZED (SELECT a.seq FROM unnest('{0,1,2,3}'::int2[]) AS one (severity) CROSS JOIN LATERAL
        (SELECT seq FROM alerts WHERE space_no = $1 AND severity = one.severity ORDER BY seq LIMIT $2) a),
    deliveries_gone AS (DELETE FROM deliveries d USING gone WHERE d.alert_seq = gone.seq RETURNING d.seq, d.connector_no),
    pending_gone AS (DELETE FROM pending p USING deliveries_gone d WHERE p.connector_no = d.connector_no AND p.seq = d.seq),
    missed_gone AS (DELETE FROM missed m USING deliveries_gone d WHERE m.connector_no = d.connector_no AND m.state IN (3, 4, 5) AND m.seq = d.seq),
    attempts_gone AS (DELETE FROM attempts t USING deliveries_gone d WHERE t.delivery_seq = d.seq)
    DELETE FROM alerts a USING gone WHERE a.seq = gone.seq";

/// One step removes at most this many alerts of each severity.
const ALERTS_A_STEP: i64 = 64;

#[async_trait]
impl Spaces for PostgresStore {
    async fn add_space(
        &self,
        space: Space,
        admin: Option<User>,
    ) -> Result<SpaceChange, StoreError> {
        let change = self.change().await?;
        let (id, created_at) = (uuid(space.id.as_bytes()), space.created_at.as_millisecond());
        let added = change
            .run(
                INSERT,
                &[&id, &space.slug.as_str(), &space.name, &created_at],
            )
            .await?;
        if added == 0 {
            return change.end(SpaceChange::SlugTaken).await;
        }
        if let Some(admin) = admin {
            let admin = uuid(admin.id.as_bytes());
            change.run(ADD_ADMIN, &[&id, &admin, &created_at]).await?;
        }
        change.end(SpaceChange::Done).await
    }

    async fn spaces(&self) -> Result<Vec<Space>, StoreError> {
        self.read(async |connection| {
            let rows = connection
                .rows(&format!("SELECT {SPACE_COLUMNS} {ALL}"), &[])
                .await?;
            rows.iter()
                .map(|row| stored::space(row, 0).map(|(_, space, _)| space))
                .collect()
        })
        .await
    }

    async fn space(&self, slug: &Slug) -> Result<Option<Space>, StoreError> {
        self.read(async |connection| {
            Ok(by_slug(connection, slug).await?.map(|(_, space, _)| space))
        })
        .await
    }

    async fn rename_space(&self, slug: &Slug, name: String) -> Result<SpaceChange, StoreError> {
        let change = self.change().await?;
        let renamed = change
            .run(
                "UPDATE spaces SET name = $2 WHERE slug = $1",
                &[&slug.as_str(), &name],
            )
            .await?;
        let answer = match renamed {
            0 => SpaceChange::Absent,
            _ => SpaceChange::Done,
        };
        change.end(answer).await
    }

    async fn remove_space(&self, slug: &Slug) -> Result<SpaceChange, StoreError> {
        let change = self.change().await?;
        let Some((no, _, _)) = by_slug(change.connection(), slug).await? else {
            return change.end(SpaceChange::Absent).await;
        };
        stored_bytes::hold(&change).await?;
        // A group of alerts writes to the tables that are emptied here.
        change.block_intake().await?;
        let mut events = Vec::new();
        for row in change.rows(DESTINATIONS, &[&no]).await? {
            events.push(StoreEvent::Changed(row.fingerprint(0)?));
        }
        for sql in [
            "DELETE FROM spaces WHERE no = $1",
            "UPDATE connectors SET deleted_at = 0, url_key_id = '', url_sealed = '' WHERE space_no = $1",
            "DELETE FROM idempotency WHERE space_no = $1",
            "DELETE FROM alert_counts WHERE space_no = $1",
            "DELETE FROM stored_bytes WHERE space_no = $1",
        ] {
            change.run(sql, &[&no]).await?;
        }
        self.end(change, events, SpaceChange::Done).await?;
        // The removal has moved the version of identity that it rests on.
        let store = self.for_itself();
        loop {
            let step = store.step().await?;
            // Upkeep locks what grew before its alert, and this the other way round.
            stored_bytes::hold(&step).await?;
            let removed = step.run(REMOVE_ALERTS, &[&no, &ALERTS_A_STEP]).await?;
            if removed == 0 {
                step.run("DELETE FROM connectors WHERE space_no = $1", &[&no])
                    .await?;
                step.commit().await?;
                return Ok(SpaceChange::Done);
            }
            step.commit().await?;
        }
    }

    async fn members(&self, space_id: SpaceId) -> Result<Vec<Member>, StoreError> {
        self.read(async |connection| {
            let rows = connection
                .rows(MEMBERS, &[&uuid(space_id.as_bytes())])
                .await?;
            rows.iter().map(|row| stored::member(row)).collect()
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
        let change = self.change().await?;
        let Some((space_no, facts)) = membership(&change, space_id, email).await? else {
            return change.end(MemberChange::NoSpace).await;
        };
        let (user_no, changed) = match facts.set(role, now) {
            Ok(planned) => planned,
            Err(refusal) => return change.end(refusal).await,
        };
        let added_at = now.as_millisecond();
        change
            .run(
                SET_MEMBER,
                &[&space_no, &user_no, &i16::from(role.code()), &added_at],
            )
            .await?;
        change.end(changed).await
    }

    async fn remove_member(
        &self,
        space_id: SpaceId,
        email: &Email,
    ) -> Result<MemberChange, StoreError> {
        let change = self.change().await?;
        let Some((space_no, facts)) = membership(&change, space_id, email).await? else {
            return change.end(MemberChange::NoSpace).await;
        };
        let user_no = match facts.remove() {
            Ok(user_no) => user_no,
            Err(refusal) => return change.end(refusal).await,
        };
        change.run(REMOVE_MEMBER, &[&space_no, &user_no]).await?;
        change.end(MemberChange::Removed).await
    }
}

/// The number of a space, and what a change of a member of it rests on.
async fn membership(
    change: &Change,
    space_id: SpaceId,
    email: &Email,
) -> Result<Option<(i64, MembershipFacts)>, StoreError> {
    let Some((space_no, _)) = number(change, space_id).await? else {
        return Ok(None);
    };
    let facts = MembershipFacts::of(user(change.connection(), email).await?);
    let user_no = facts.user_no();
    let member = change.row(MEMBER, &[&space_no, &user_no]).await?;
    let member = member.map(|row| stored::role_since(&row)).transpose()?;
    let others = change.row(OTHER_ADMINS, &[&space_no, &user_no]).await?;
    let others = others.map(|row| row.count(0)).transpose()?;
    let facts = facts.with(member, others);
    Ok(Some((space_no, facts)))
}

/// The number of a space, and its version.
pub(crate) async fn number(change: &Change, id: SpaceId) -> Result<Option<(i64, i64)>, StoreError> {
    let found = change.row(NUMBER, &[&uuid(id.as_bytes())]).await?;
    found.map(|row| Ok((row.at(0)?, row.at(1)?))).transpose()
}

/// A space with its number and its version.
pub(crate) async fn by_slug(
    connection: &Connection,
    slug: &Slug,
) -> Result<Option<(i64, Space, i64)>, StoreError> {
    let sql = format!("SELECT {SPACE_COLUMNS} {BY_SLUG}");
    let found = connection.row(&sql, &[&slug.as_str()]).await?;
    found.map(|row| stored::space(&row, 0)).transpose()
}

/// A space by its number.
pub(crate) async fn by_no(connection: &Connection, no: i64) -> Result<Option<Space>, StoreError> {
    let found = connection
        .row(&format!("SELECT {SPACE_COLUMNS} {BY_NO}"), &[&no])
        .await?;
    found
        .map(|row| stored::space(&row, 0).map(|(_, space, _)| space))
        .transpose()
}
