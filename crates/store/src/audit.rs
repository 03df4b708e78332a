//! The audit trail: who changed what, when and from where. Each entry is committed with the change that it is about.

use std::net::IpAddr;

use alert_connectors_model::{AuditAction, AuthMethod, Slug, SpaceId};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Page, StoreError,
    alerts::rows_max,
    stored::{Columns, unreadable},
};

/// A value of a change that takes more bytes than this as JSON is not kept; its length is.
const VALUE_BYTES_MAX: usize = 4_096;

/// The audit trail.
#[async_trait]
pub trait Audit: Send + Sync {
    /// A page of the trail, newest first.
    async fn audit_entries(&self, query: AuditQuery) -> Result<Page<AuditRecord>, StoreError>;

    /// Adds an entry about what changed nothing in the store, such as a sign-in that was refused.
    async fn add_audit_entry(&self, entry: AuditEntry) -> Result<(), StoreError>;
}

/// What was done, by whom, when and from where. Nothing in it is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// The space that it is about; `None` where it is about the service.
    pub space: Option<(SpaceId, Slug)>,
    /// What was done.
    pub action: AuditAction,
    /// What it was done to.
    pub subject: Subject,
    /// What changed about it.
    pub changes: Vec<FieldChange>,
}

impl AuditEntry {
    /// An entry about the service, without changes of fields.
    pub fn new(at: Timestamp, actor: Actor, action: AuditAction, subject: Subject) -> Self {
        Self {
            at,
            actor,
            space: None,
            action,
            subject,
            changes: Vec::new(),
        }
    }

    /// The same about a space.
    #[must_use]
    pub fn within(self, space: SpaceId, slug: Slug) -> Self {
        Self {
            space: Some((space, slug)),
            ..self
        }
    }

    /// The same with what changed of a field, if it did. `None` stands for a value that is not there.
    #[must_use]
    pub fn changing(mut self, field: &str, before: Option<Value>, after: Option<Value>) -> Self {
        if before != after {
            self.changes.push(FieldChange {
                field: field.to_owned(),
                before: before.map(bounded),
                after: after.map(bounded),
            });
        }
        self
    }
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user's e-mail address; for a sign-in that failed, the one that was claimed.
    pub email: Option<String>,
    /// How the actor was authenticated.
    pub auth_method: AuthMethod,
    /// The name of the API key, or of the operating system's user.
    pub name: Option<String>,
    /// The address of their machine, as far as it can be trusted.
    pub ip_address: Option<IpAddr>,
}

/// What something was done to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its id, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name for people.
    pub name: String,
}

impl Subject {
    /// Something with an id and a name.
    pub fn new(id: impl std::fmt::Display, name: impl Into<String>) -> Self {
        Self {
            id: Some(id.to_string()),
            name: name.into(),
        }
    }

    /// Something with a name alone.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            id: None,
            name: name.into(),
        }
    }
}

/// A change of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field's name in the API.
    pub field: String,
    /// Its previous value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Its value now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// A value, or how long it is where it is too long to keep.
fn bounded(value: Value) -> Value {
    let length = value.to_string().len();
    if length > VALUE_BYTES_MAX {
        return Value::String(format!("({length} bytes)"));
    }
    value
}

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// About this space alone.
    pub space: Option<SpaceId>,
    /// Of these actions; of all if there are none.
    pub actions: Vec<AuditAction>,
    /// By the user with this e-mail address alone.
    pub actor: Option<String>,
    /// At or after this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// At most this many.
    pub limit: usize,
    /// Older than this position, from [`Page::next`].
    pub before: Option<i64>,
}

impl AuditQuery {
    /// The statement that lists them: its parameters are the position that all are before, the actor and the space.
    pub fn sql(&self) -> String {
        let of_space = if self.space.is_some() {
            // By audit_entries_by_space.
            "space_id = $3"
        } else {
            "(space_id = $3 OR $3 IS NULL)"
        };
        let codes: Vec<String> = self
            .actions
            .iter()
            .map(|one| one.code().to_string())
            .collect();
        let mut sql = format!(
            "SELECT seq, at, space_id, action, actor, entry FROM audit_entries
            WHERE seq < $1 AND (actor = $2 OR $2 IS NULL) AND {of_space}"
        );
        if !codes.is_empty() {
            sql.push_str(&format!(" AND action IN ({})", codes.join(", ")));
        }
        if let Some(since) = self.since {
            sql.push_str(&format!(" AND at >= {}", since.as_millisecond()));
        }
        if let Some(until) = self.until {
            sql.push_str(&format!(" AND at < {}", until.as_millisecond()));
        }
        let limit = rows_max(self.limit);
        sql.push_str(&format!(" ORDER BY seq DESC LIMIT {limit}"));
        sql
    }

    /// The position that all are before.
    pub fn before(&self) -> i64 {
        self.before.unwrap_or(i64::MAX)
    }

    /// The page that the rows of the statement make.
    pub fn page(&self, mut items: Vec<AuditRecord>) -> Page<AuditRecord> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let next = items.last().filter(|_| has_more).map(|record| record.no);
        Page { items, next }
    }
}

/// An entry with its place in the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place: a later entry has a greater number.
    pub no: i64,
    /// The entry.
    pub entry: AuditEntry,
}

/// What of an entry is kept as JSON.
#[derive(Serialize, Deserialize)]
struct Rest {
    by: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    subject: Subject,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<FieldChange>,
}

/// An entry as both stores keep it.
#[derive(Debug)]
pub struct AuditRow {
    /// In milliseconds since 1970.
    pub at: i64,
    /// The space's id.
    pub space_id: Option<[u8; 16]>,
    /// The action's number.
    pub action: u8,
    /// The user's e-mail address.
    pub actor: Option<String>,
    /// The rest as JSON.
    pub json: String,
}

impl AuditRow {
    /// The columns of an entry.
    pub fn of(entry: &AuditEntry) -> Self {
        let rest = Rest {
            by: entry.actor.auth_method.code(),
            name: entry.actor.name.clone(),
            from: entry.actor.ip_address,
            space: entry.space.as_ref().map(|(_, slug)| slug.to_string()),
            subject: entry.subject.clone(),
            changes: entry.changes.clone(),
        };
        Self {
            at: entry.at.as_millisecond(),
            space_id: entry.space.as_ref().map(|(id, _)| *id.as_bytes()),
            action: entry.action.code(),
            actor: entry.actor.email.clone(),
            json: serde_json::to_string(&rest).expect("texts and values always serialise"),
        }
    }

    /// A row of [`AuditQuery::sql`].
    pub fn read(row: &dyn Columns) -> Result<AuditRecord, StoreError> {
        let no = row.number(0)?;
        let bad = |column| unreadable("audit_entries", column, no);
        let rest: Rest = serde_json::from_str(&row.text(5)?).map_err(|_malformed| bad("entry"))?;
        let space_id = row.maybe_id(2)?.map(SpaceId::from_bytes);
        let slug = rest.space.as_deref().and_then(Slug::parse);
        let entry = AuditEntry {
            at: row.time(1)?,
            actor: Actor {
                email: row.maybe_text(4)?,
                auth_method: AuthMethod::from_code(rest.by).ok_or_else(|| bad("entry"))?,
                name: rest.name,
                ip_address: rest.from,
            },
            space: space_id.zip(slug),
            action: AuditAction::from_code(row.code(3)?).ok_or_else(|| bad("action"))?,
            subject: rest.subject,
            changes: rest.changes,
        };
        Ok(AuditRecord { no, entry })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_too_long_is_named_by_its_length_and_what_stays_is_no_change() {
        let actor = Actor {
            email: None,
            auth_method: AuthMethod::CommandLine,
            name: None,
            ip_address: None,
        };
        let subject = Subject::named("orders");
        let entry = AuditEntry::new(
            Timestamp::UNIX_EPOCH,
            actor,
            AuditAction::MappingSet,
            subject,
        )
        .changing("mapping", None, Some(Value::String("x".repeat(5_000))))
        .changing("same", Some(1.into()), Some(1.into()));
        let [change] = &*entry.changes else {
            panic!("one change: {:?}", entry.changes);
        };
        assert_eq!(change.after, Some("(5002 bytes)".into()));
    }
}
