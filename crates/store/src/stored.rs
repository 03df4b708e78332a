//! How stores write values as text and numbers and read them back, for any database.

/// The column of what the alert of a delivery said when the delivery was queued, by the primary key of the revisions: deliveries are
/// `d` and alerts are `a`.
macro_rules! content_of_delivery {
    () => {
        "coalesce((SELECT v.content FROM alert_revisions v WHERE v.alert_seq = a.seq AND v.first_delivery <= d.seq
            ORDER BY v.first_delivery DESC LIMIT 1), a.content)"
    };
}

mod columns;
mod delivery;
mod health;
mod pending;
mod users;

use alert_connectors_model::{
    Alert, AlertId, AlertType, AlertTypeFilter, Connector, ConnectorId, ConnectorType, DeliveryId,
    Email, Fingerprint, Json, Loc, Severity, SeverityFilter, Slug, Space, SpaceId, User, UserId,
    Warning, WebhookUrl, parse_stored_alert,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Accepted, AlertRecord, SealError, Sealed, Sealing, StoreError};

pub use columns::Columns;
pub use delivery::{
    DELIVERY_COLUMNS, MESSAGE_COLUMNS, StoredDelivery, attempt, delivery_kind, message,
};
pub use health::{BLOCKED, HEALTH_COLUMNS, TROUBLED, check_health, every_health, health};
pub use pending::{
    ENTRY_COLUMNS, PENDING_COLUMNS, PENDING_WIDTH, SharedAlerts, digest_entry, pending,
};
pub use users::{
    KEY_COLUMNS, USER_COLUMNS, key, key_session, member, membership, role_since, token_session,
    user, user_session,
};

/// An error that names what could not be read.
pub fn unreadable(
    table: &'static str,
    column: &'static str,
    row: impl std::fmt::Display,
) -> StoreError {
    StoreError::Unreadable {
        table,
        column,
        row: format!("{row}"),
    }
}

/// The version of identity and spaces, by primary key.
pub const IDENTITY_VERSION: &str = "SELECT version FROM identity WHERE one = 1";

/// A time as it is stored: milliseconds since 1970 in UTC.
pub fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A time that may be absent.
pub fn maybe_time(millis: Option<i64>) -> Option<Timestamp> {
    millis.map(time)
}

/// An alert's content. It was written by us, so the same reader takes it without a warning.
pub fn alert(content: &str, seq: i64) -> Result<Alert, StoreError> {
    let failed = || unreadable("alerts", "content", seq);
    let json = Json::parse(content.as_bytes()).map_err(|_malformed| failed())?;
    parse_stored_alert(json, &Loc::body()).map_err(|_faults| failed())
}

/// An alert's content as it is stored.
pub fn alert_json(alert: &Alert) -> String {
    serde_json::to_string(alert).expect("strings, numbers and lists always serialise")
}

/// An alert as it is stored.
pub struct StoredAlert {
    /// Its place in the order.
    pub seq: i64,
    /// Its id.
    pub id: [u8; 16],
    /// When it was first received.
    pub received_at: i64,
    /// How often it was posted.
    pub occurrences: u64,
    /// What it says, as JSON.
    pub content: String,
    /// What was corrected, as JSON.
    pub warnings: Option<String>,
}

impl StoredAlert {
    /// The columns that [`StoredAlert::of`] reads, in its order.
    pub const COLUMNS: &str = "seq, id, received_at, occurrences, content, warnings";

    /// A row of [`StoredAlert::COLUMNS`].
    pub fn of(row: &dyn Columns) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.number(0)?,
            id: row.id(1)?,
            received_at: row.number(2)?,
            occurrences: row.count(3)?,
            content: row.text(4)?,
            warnings: row.maybe_text(5)?,
        })
    }

    /// The alert with its place in the order, without its deliveries.
    pub fn read(self) -> Result<(i64, AlertRecord), StoreError> {
        let warnings = self.warnings.unwrap_or_else(|| "[]".to_owned());
        let record = AlertRecord {
            id: AlertId::from_bytes(self.id),
            received_at: time(self.received_at),
            occurrences: self.occurrences,
            alert: alert(&self.content, self.seq)?,
            warnings: RawValue::from_string(warnings)
                .map_err(|_malformed| unreadable("alerts", "warnings", self.seq))?,
            deliveries: Vec::new(),
            deliveries_left_out: 0,
        };
        Ok((self.seq, record))
    }
}

/// What was corrected in an alert, as it is stored; `None` if nothing was.
pub fn warnings_json(warnings: &[Warning]) -> Option<String> {
    (!warnings.is_empty())
        .then(|| serde_json::to_string(warnings).expect("strings and lists always serialise"))
}

/// The columns that [`space`] reads, in its order: spaces are `s`.
pub const SPACE_COLUMNS: &str = "s.no, s.id, s.slug, s.name, s.created_at, s.version";

/// A space with its number and its version, from columns that begin at `first`.
pub fn space(row: &dyn Columns, first: usize) -> Result<(i64, Space, i64), StoreError> {
    let no = row.number(first)?;
    let slug = Slug::parse(&row.text(first + 2)?);
    let space = Space {
        id: SpaceId::from_bytes(row.id(first + 1)?),
        slug: slug.ok_or_else(|| unreadable("spaces", "slug", no))?,
        name: row.text(first + 3)?,
        created_at: row.time(first + 4)?,
    };
    Ok((no, space, row.number(first + 5)?))
}

/// A connector as it is stored.
#[derive(Clone)]
pub struct StoredConnector {
    /// Its number in the database.
    pub no: i64,
    /// Its id.
    pub id: [u8; 16],
    /// Its name for people.
    pub name: String,
    /// The word of its type.
    pub connector_type: String,
    /// The key that its URL is sealed under.
    pub url_key_id: Vec<u8>,
    /// Its URL, sealed.
    pub url_sealed: Vec<u8>,
    /// The fingerprint of its URL.
    pub destination: Fingerprint,
    /// Whether it is switched on.
    pub is_active: bool,
    /// A list of words, as JSON.
    pub severity_filter: String,
    /// A list of words, as JSON; nothing for all types.
    pub alert_type_filter: Option<String>,
    /// Who made it, as JSON.
    pub creator: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Stands for a URL that can't be opened any more. Nothing answers there (RFC 2606, 2), so deliveries fail visibly and wait until
/// somebody enters the URL again, and the other connectors of the space are not touched.
pub const DAMAGED_URL: &str = "https://damaged.invalid/";

impl StoredConnector {
    /// The columns that [`StoredConnector::of`] reads, in its order: connectors are `c`.
    pub const COLUMNS: &str = "c.no, c.id, c.name, c.connector_type, c.url_key_id, c.url_sealed, c.destination, c.is_active,
        c.severity_filter, c.alert_type_filter, c.creator, c.created_at, c.updated_at";

    /// A row of [`StoredConnector::COLUMNS`].
    pub fn of(row: &dyn Columns) -> Result<Self, StoreError> {
        Ok(Self {
            no: row.number(0)?,
            id: row.id(1)?,
            name: row.text(2)?,
            connector_type: row.text(3)?,
            url_key_id: row.bytes(4)?,
            url_sealed: row.bytes(5)?,
            destination: row.fingerprint(6)?,
            is_active: row.flag(7)?,
            severity_filter: row.text(8)?,
            alert_type_filter: row.maybe_text(9)?,
            creator: row.text(10)?,
            created_at: row.time(11)?,
            updated_at: row.time(12)?,
        })
    }

    /// The connector with its number. If its URL was damaged, it has [`DAMAGED_URL`] instead.
    pub fn read(
        self,
        sealing: &Sealing,
        space_id: SpaceId,
    ) -> Result<(i64, Connector), StoreError> {
        let url = match self.url(sealing) {
            Err(StoreError::Sealed(SealError::Tampered)) => DAMAGED_URL.to_owned(),
            opened => opened?,
        };
        self.with_url(&url, space_id)
    }

    /// The connector with its number; an error if its URL was damaged.
    pub fn read_whole(
        self,
        sealing: &Sealing,
        space_id: SpaceId,
    ) -> Result<(i64, Connector), StoreError> {
        let url = self.url(sealing)?;
        self.with_url(&url, space_id)
    }

    fn url(&self, sealing: &Sealing) -> Result<String, StoreError> {
        let key_id = <[u8; 8]>::try_from(self.url_key_id.as_slice())
            .map_err(|_length| unreadable("connectors", "url_key_id", self.no))?;
        let sealed = Sealed {
            key_id,
            bytes: self.url_sealed.clone(),
        };
        sealing.open(&sealed, ConnectorId::from_bytes(self.id))
    }

    fn with_url(self, url: &str, space_id: SpaceId) -> Result<(i64, Connector), StoreError> {
        let unreadable = |column| unreadable("connectors", column, self.no);
        let id = ConnectorId::from_bytes(self.id);
        let connector = Connector {
            id,
            space_id,
            name: self.name,
            connector_type: ConnectorType::parse(&self.connector_type)
                .ok_or_else(|| unreadable("connector_type"))?,
            webhook_url: WebhookUrl::parse(url).map_err(|_fault| unreadable("url_sealed"))?,
            destination: self.destination,
            is_active: self.is_active,
            severity_filter: severities(&self.severity_filter)
                .ok_or_else(|| unreadable("severity_filter"))?,
            alert_type_filter: types(self.alert_type_filter.as_deref())
                .ok_or_else(|| unreadable("alert_type_filter"))?,
            created_by: creator(&self.creator).ok_or_else(|| unreadable("creator"))?,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        Ok((self.no, connector))
    }
}

/// A severity filter as it is stored.
pub fn severities_json(filter: &SeverityFilter) -> String {
    serde_json::to_string(filter.severities()).expect("a list of words always serialises")
}

pub(crate) fn severities(json: &str) -> Option<SeverityFilter> {
    let words: Vec<String> = serde_json::from_str(json).ok()?;
    words
        .iter()
        .map(|word| Severity::parse(word))
        .collect::<Option<Vec<_>>>()
        .map(SeverityFilter::new)
}

/// A type filter as it is stored.
pub fn types_json(filter: &AlertTypeFilter) -> Option<String> {
    filter
        .types()
        .map(|types| serde_json::to_string(types).expect("a list of words always serialises"))
}

pub(crate) fn types(json: Option<&str>) -> Option<AlertTypeFilter> {
    let Some(json) = json else {
        return Some(AlertTypeFilter::All);
    };
    let words: Vec<String> = serde_json::from_str(json).ok()?;
    words
        .iter()
        .map(|word| AlertType::parse(word))
        .collect::<Option<Vec<_>>>()
        .map(AlertTypeFilter::only)
}

/// A connector's creator as it is stored.
pub fn creator_json(user: &User) -> String {
    serde_json::to_string(&(user.id, &user.email, &user.full_name))
        .expect("strings always serialise")
}

fn creator(json: &str) -> Option<User> {
    let (id, email, full_name): (String, String, String) = serde_json::from_str(json).ok()?;
    Some(User {
        id: id.parse::<UserId>().ok()?,
        email: Email::parse(&email).ok()?,
        full_name,
    })
}

/// The answer to one alert of a request, as it is kept with the idempotency key.
pub struct StoredAnswer {
    /// The alert.
    pub id: AlertId,
    /// How often it had been posted.
    pub occurrences: u64,
    /// Whether it was a `resolved` that happened before the active problem began, and so ended nothing.
    pub precedes_problem: bool,
    /// Whether the store took it, as [`Accepted::is_stored`] says.
    pub was_stored: bool,
    /// The deliveries that the request caused.
    pub deliveries: Vec<DeliveryId>,
}

impl StoredAnswer {
    /// The answer again, with the alert as it is by now, to a request that was first answered at `created_at`.
    pub fn again(self, record: Option<AlertRecord>, created_at: Timestamp) -> Accepted {
        let Some(mut record) = record else {
            // Retention removed the alert, or it was left out: its id is left, and its content is that of the request.
            return Accepted {
                id: self.id,
                received_at: created_at,
                occurrences: self.occurrences,
                current: None,
                precedes_problem: self.precedes_problem,
                is_stored: self.was_stored,
                deliveries: Vec::new(),
            };
        };
        record.retain_deliveries(&self.deliveries);
        Accepted {
            id: record.id,
            received_at: record.received_at,
            occurrences: self.occurrences,
            current: Some(alert_json(&record.alert).into()),
            precedes_problem: self.precedes_problem,
            is_stored: true,
            deliveries: record.deliveries,
        }
    }
}

/// The same on disk: id, occurrences, deliveries, and what older answers lack: whether it ended nothing, and whether it was left out.
#[derive(Serialize, Deserialize)]
struct AnswerOnDisk(
    String,
    u64,
    Vec<String>,
    #[serde(default)] bool,
    #[serde(default)] bool,
);

/// The answer to a request as it is stored.
pub fn answer_json(accepted: &[Accepted]) -> String {
    let kept = |one: &Accepted| {
        let deliveries = one.deliveries.iter().map(|one| one.id.to_string());
        let deliveries = deliveries.collect();
        AnswerOnDisk(
            one.id.to_string(),
            one.occurrences,
            deliveries,
            one.precedes_problem,
            !one.is_stored,
        )
    };
    let answer: Vec<AnswerOnDisk> = accepted.iter().map(kept).collect();
    serde_json::to_string(&answer).expect("strings, numbers and lists always serialise")
}

/// The answer to a request that was kept under a key.
pub fn answer(json: &str, key: &str) -> Result<Vec<StoredAnswer>, StoreError> {
    let failed = || unreadable("idempotency", "answer", key);
    let answer: Vec<AnswerOnDisk> = serde_json::from_str(json).map_err(|_malformed| failed())?;
    let read = |AnswerOnDisk(id, occurrences, deliveries, precedes_problem, was_left_out)| {
        Ok(StoredAnswer {
            id: id.parse().map_err(|_malformed| failed())?,
            occurrences,
            precedes_problem,
            was_stored: !was_left_out,
            deliveries: deliveries.iter().filter_map(|id| id.parse().ok()).collect(),
        })
    };
    answer.into_iter().map(read).collect()
}
