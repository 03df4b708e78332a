//! When connectors were switched off, and which alerts they would have heard of meanwhile.

use alert_connectors_model::{AlertTypeFilter, ConnectorId, SeverityFilter, SpaceId};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    StoreError,
    stored::{Columns, severities, types, unreadable},
};

/// The pauses of a space's connectors.
#[async_trait]
pub trait Pauses: Send + Sync {
    /// The newest pauses of a space's connectors, of deleted ones too, newest first; at most [`PAUSES_LISTED_MAX`]. Of each
    /// connector the last hundred are known.
    async fn pauses(&self, space_id: SpaceId, query: PauseQuery) -> Result<Vec<Pause>, StoreError>;
}

/// A list of pauses holds no more than this.
pub const PAUSES_LISTED_MAX: i64 = 200;

/// Which pauses to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct PauseQuery {
    /// Of this connector; of all that there ever were if `None`.
    pub connector: Option<ConnectorId>,
    /// Not over before this time.
    pub since: Option<Timestamp>,
    /// Begun before this time.
    pub until: Option<Timestamp>,
}

impl PauseQuery {
    /// The earliest end and the latest beginning, exclusive, in milliseconds.
    pub fn span_ms(&self) -> (i64, i64) {
        let since = self.since.map_or(i64::MIN, Timestamp::as_millisecond);
        let until = self.until.map_or(i64::MAX, Timestamp::as_millisecond);
        (since, until)
    }
}

/// A time in which a connector was switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The connector.
    pub connector_id: ConnectorId,
    /// The connector's name for people, as it is now.
    pub connector_name: String,
    /// When the connector was switched off.
    pub began_at: Timestamp,
    /// How it ended; `None` while the pause goes on.
    pub end: Option<PauseEnd>,
    /// Which severities it would have heard of: its filter at the end.
    pub severity_filter: SeverityFilter,
    /// Which types it would have heard of: its filter at the end.
    pub alert_type_filter: AlertTypeFilter,
}

/// How a pause ended, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseEnd {
    /// The connector was switched on again.
    SwitchedOn(Timestamp),
    /// The connector was deleted.
    Deleted(Timestamp),
}

/// Selects pauses of the space whose id is the first parameter: not over at the second, begun before the third, of the connector that
/// is the fourth, if any, and at most as many as the fifth. By the index of connectors by space, then by that of pauses: all connectors are few
/// beside their deliveries.
pub const SELECT_PAUSES: &str = "SELECT * FROM (
    SELECT c.id, c.name, p.began_at, p.ended_at, p.severity_filter, p.alert_type_filter, 0
        FROM spaces s JOIN connectors c ON c.space_no = s.no JOIN pauses p ON p.connector_no = c.no
        WHERE s.id = $1 AND p.ended_at >= $2 AND p.began_at < $3 AND (c.id = $4 OR $4 IS NULL)
    UNION ALL
    SELECT c.id, c.name, coalesce(c.switched_at, c.created_at), c.deleted_at, c.severity_filter, c.alert_type_filter,
            CASE WHEN c.deleted_at IS NULL THEN 0 ELSE 1 END
        FROM spaces s JOIN connectors c ON c.space_no = s.no
        WHERE s.id = $1 AND NOT c.is_active AND (c.deleted_at >= $2 OR c.deleted_at IS NULL)
            AND coalesce(c.switched_at, c.created_at) < $3 AND (c.id = $4 OR $4 IS NULL)) AS one
    ORDER BY began_at DESC LIMIT $5";

impl Pause {
    /// A row of [`SELECT_PAUSES`].
    pub fn of(row: &dyn Columns) -> Result<Self, StoreError> {
        let connector_id = ConnectorId::from_bytes(row.id(0)?);
        let bad = |column| unreadable("pauses", column, connector_id);
        let end = if row.number(6)? == 1 {
            PauseEnd::Deleted
        } else {
            PauseEnd::SwitchedOn
        };
        Ok(Self {
            connector_id,
            connector_name: row.text(1)?,
            began_at: row.time(2)?,
            end: row.maybe_time(3)?.map(end),
            severity_filter: severities(&row.text(4)?).ok_or_else(|| bad("severity_filter"))?,
            alert_type_filter: types(row.maybe_text(5)?.as_deref())
                .ok_or_else(|| bad("alert_type_filter"))?,
        })
    }
}
