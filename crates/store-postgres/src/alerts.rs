//! Reading alerts back, page by page, and resolving one.

use std::{collections::HashMap, sync::Arc};

use alert_connectors_model::{AlertId, AlertStatus, Delivery, Severity, SpaceId};
use alert_connectors_store::{
    AlertQuery, AlertRecord, AlertSummary, Alerts, CLOCK_STEP, DELIVERIES_LISTED_MAX,
    ERASED_A_STEP, Erased, Erasure, Expiry, Page, Resolution, Roster, StoreError, StoreEvent,
    accept::ResolveRequest,
    stored::{Columns as _, StoredAlert, StoredDelivery},
};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::{
    PostgresStore,
    connection::{Change, Connection},
    counts, deliveries, stored_bytes,
};

const COLUMNS: &str = StoredAlert::COLUMNS;
// By alerts_by_id.
const ONE: &str =
    "SELECT a.seq, a.id, a.received_at, a.occurrences, a.content, a.warnings FROM alerts a
    JOIN spaces s ON s.no = a.space_no WHERE a.id = $1 AND s.id = $2";
// By the unique index on id.
const SPACE_NO: &str = "SELECT no FROM spaces WHERE id = $1";
const SINCE: &str = "SELECT first_alert_since($1)";

// By alerts_by_id.
const ONE_SEQ: &str =
    "SELECT seq FROM alerts WHERE id = $2 AND space_no = (SELECT no FROM spaces WHERE id = $1)";
// By alerts_by_dedup_key.
const SEQS_OF_KEY: &str =
    "SELECT seq FROM alerts WHERE space_no = (SELECT no FROM spaces WHERE id = $1)
    AND dedup_key = $2 AND dedup_key IS NOT NULL LIMIT $3";
// By deliveries_by_alert, then by primary key.
const PENDING_AT: &str = "SELECT DISTINCT c.destination FROM unnest($1::int8[]) AS g (seq)
    JOIN deliveries d ON d.alert_seq = g.seq JOIN connectors c ON c.no = d.connector_no WHERE d.state = 0";
// By deliveries_by_alert, then by primary keys.
const ERASE: &str =
    "WITH deliveries_gone AS (DELETE FROM deliveries d USING unnest($1::int8[]) AS g (seq)
        WHERE d.alert_seq = g.seq RETURNING d.seq, d.connector_no),
    pending_gone AS (DELETE FROM pending p USING deliveries_gone d WHERE p.connector_no = d.connector_no AND p.seq = d.seq),
    missed_gone AS (DELETE FROM missed m USING deliveries_gone d WHERE m.connector_no = d.connector_no AND m.state IN (3, 4, 5) AND m.seq = d.seq),
    attempts_gone AS (DELETE FROM attempts t USING deliveries_gone d WHERE t.delivery_seq = d.seq)
    DELETE FROM alerts a USING unnest($1::int8[]) AS g (seq) WHERE a.seq = g.seq";

#[async_trait]
impl Alerts for PostgresStore {
    async fn alert(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Option<AlertRecord>, StoreError> {
        self.record_of(space_id, id, expiry).await
    }

    async fn alerts(
        &self,
        space_id: SpaceId,
        query: AlertQuery,
        expiry: Expiry,
    ) -> Result<Page<AlertRecord>, StoreError> {
        self.read(
            async |connection| match space_no(connection, space_id).await? {
                Some(space_no) => page(connection, space_no, &query, expiry).await,
                None => Ok(Page::empty()),
            },
        )
        .await
    }

    async fn deliveries_of(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read(async |connection| {
            let Some((seq, _)) = stored(connection, space_id, id).await? else {
                return Ok(Vec::new());
            };
            let found = deliveries::of_alerts(connection, &[seq]).await?;
            let seqs: Vec<i64> = found.iter().map(|stored| stored.seq).collect();
            let mut attempts = deliveries::attempts(connection, &seqs).await?;
            let read = |stored: alert_connectors_store::stored::StoredDelivery| Delivery {
                attempts: attempts.remove(&stored.seq).unwrap_or_default(),
                ..stored.read(expiry)
            };
            Ok(found.into_iter().map(read).collect())
        })
        .await
    }

    async fn summary(
        &self,
        space_id: SpaceId,
        since: Timestamp,
    ) -> Result<AlertSummary, StoreError> {
        self.read(
            async |connection| match space_no(connection, space_id).await? {
                Some(space_no) => counts::summary(connection, space_no, since).await,
                None => Ok(AlertSummary::of(
                    AlertSummary::first_hour(since),
                    Vec::new(),
                )),
            },
        )
        .await
    }

    async fn erase(&self, space_id: SpaceId, erasure: Erasure) -> Result<Erased, StoreError> {
        let mut erased = 0;
        loop {
            let change = self.change().await?;
            // Before intake, which does not wait then for a step of upkeep.
            stored_bytes::hold(&change).await?;
            // A group of alerts writes to the tables that are emptied here.
            change.block_intake().await?;
            let seqs = to_erase(&change, space_id, &erasure).await?;
            let mut events = Vec::new();
            for row in change.rows(PENDING_AT, &[&seqs]).await? {
                events.push(StoreEvent::Changed(row.fingerprint(0)?));
            }
            stored_bytes::take(&change, &seqs).await?;
            change.run(ERASE, &[&seqs]).await?;
            let step = self.end(change, events, Erased(seqs.len())).await?;
            erased += step.0;
            if step.is_last() {
                return Ok(Erased(erased));
            }
        }
    }

    async fn resolve(
        &self,
        roster: Arc<Roster>,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Resolution, StoreError> {
        let mandate = self.mandate.clone();
        let request = ResolveRequest {
            roster,
            id,
            expiry,
            mandate,
        };
        let resolved = self.resolve_problem(request).await?;
        self.mandate.committed();
        Ok(resolved)
    }
}

/// The places of some alerts that are to be erased.
async fn to_erase(
    change: &Change,
    space_id: SpaceId,
    erasure: &Erasure,
) -> Result<Vec<i64>, StoreError> {
    let space = uuid(space_id.as_bytes());
    let rows = match erasure {
        Erasure::One(id) => {
            change
                .rows(ONE_SEQ, &[&space, &uuid(id.as_bytes())])
                .await?
        }
        Erasure::Problem(key) => {
            let key = key.as_bytes();
            change
                .rows(SEQS_OF_KEY, &[&space, &key, &i64::from(ERASED_A_STEP)])
                .await?
        }
    };
    rows.iter().map(|row| row.at(0)).collect()
}

/// An id as the driver takes it.
pub(crate) fn uuid(bytes: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*bytes)
}

/// The number of a space.
pub(crate) async fn space_no(
    connection: &Connection,
    id: SpaceId,
) -> Result<Option<i64>, StoreError> {
    let found = connection.row(SPACE_NO, &[&uuid(id.as_bytes())]).await?;
    found.map(|row| row.at(0)).transpose()
}

/// One alert with its deliveries in short.
pub(crate) async fn one(
    connection: &Connection,
    space_id: SpaceId,
    id: AlertId,
    expiry: Expiry,
) -> Result<Option<AlertRecord>, StoreError> {
    let Some(found) = stored(connection, space_id, id).await? else {
        return Ok(None);
    };
    let deliveries = deliveries::of_alerts(connection, &[found.0]).await?;
    let record = with_deliveries(vec![found], deliveries, expiry).pop();
    Ok(record.map(|(_, record)| record))
}

async fn stored(
    connection: &Connection,
    space_id: SpaceId,
    id: AlertId,
) -> Result<Option<(i64, AlertRecord)>, StoreError> {
    let found = connection
        .row(ONE, &[&uuid(id.as_bytes()), &uuid(space_id.as_bytes())])
        .await?;
    found.map(|row| StoredAlert::of(&row)?.read()).transpose()
}

/// Adds to each alert these of its deliveries.
fn with_deliveries(
    alerts: Vec<(i64, AlertRecord)>,
    found: Vec<StoredDelivery>,
    expiry: Expiry,
) -> Vec<(i64, AlertRecord)> {
    let mut deliveries: HashMap<AlertId, Vec<_>> = HashMap::new();
    for stored in found {
        let of_alert = deliveries.entry(stored.alert_id).or_default();
        of_alert.push(stored.summary(expiry));
    }
    let add = |(seq, mut record): (i64, AlertRecord)| {
        record.deliveries = deliveries.remove(&record.id).unwrap_or_default();
        (seq, record)
    };
    alerts.into_iter().map(add).collect()
}

/// Adds to each alert of a page its first deliveries, all read at once, and counts the others.
async fn with_first_deliveries(
    connection: &Connection,
    alerts: Vec<(i64, AlertRecord)>,
    expiry: Expiry,
) -> Result<Vec<AlertRecord>, StoreError> {
    let seqs: Vec<i64> = alerts.iter().map(|(seq, _)| *seq).collect();
    let found = deliveries::first_of_alerts(connection, &seqs).await?;
    let mut alerts = with_deliveries(alerts, found, expiry);
    let is_full =
        |(_, record): &&(i64, AlertRecord)| record.deliveries.len() >= DELIVERIES_LISTED_MAX;
    let full: Vec<i64> = alerts.iter().filter(is_full).map(|(seq, _)| *seq).collect();
    if !full.is_empty() {
        let counts = deliveries::counts(connection, &full).await?;
        for (seq, record) in &mut alerts {
            let count = counts.get(seq).copied().unwrap_or_default();
            record.deliveries_left_out = count.saturating_sub(record.deliveries.len());
        }
    }
    Ok(alerts.into_iter().map(|(_, record)| record).collect())
}

/// A page, newest first.
async fn page(
    connection: &Connection,
    space_no: i64,
    query: &AlertQuery,
    expiry: Expiry,
) -> Result<Page<AlertRecord>, StoreError> {
    let bound = async |time: Option<Timestamp>, step, otherwise| match time {
        Some(time) => {
            let time = time.checked_add(step).unwrap_or(Timestamp::MAX);
            let found = connection.row(SINCE, &[&time.as_millisecond()]).await?;
            found.map_or(Ok(otherwise), |row| row.at(0))
        }
        None => Ok(otherwise),
    };
    let until = bound(query.until, CLOCK_STEP, i64::MAX).await?;
    let first: i64 = bound(query.since, -CLOCK_STEP, 0).await?;
    let before = query.before().min(until);
    let mut listing = Listing::new(vec![
        Box::new(space_no),
        Box::new(before),
        Box::new(query.rows_max()),
        Box::new(first),
    ]);
    let sql = listing.sql(query);
    let values: Vec<&(dyn ToSql + Sync)> = listing
        .values
        .iter()
        .map(|value| &**value as &(dyn ToSql + Sync))
        .collect();
    let rows = connection.rows(&sql, &values).await?;
    let rows = rows.iter().map(|row| StoredAlert::of(row));
    let mut rows: Vec<StoredAlert> = rows.collect::<Result<_, _>>()?;
    let next = query.cut(&mut rows);
    let alerts = rows.into_iter().map(StoredAlert::read);
    let alerts: Vec<(i64, AlertRecord)> = alerts.collect::<Result<_, _>>()?;
    Ok(Page {
        items: with_first_deliveries(connection, alerts, expiry).await?,
        next,
    })
}

/// The query of a page, as it grows: one look into an index for each wanted value, each no deeper than the page.
struct Listing {
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Listing {
    fn new(values: Vec<Box<dyn ToSql + Sync + Send>>) -> Self {
        Self { values }
    }

    fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    fn sql(&mut self, query: &AlertQuery) -> String {
        let severities = match &query.severities[..] {
            [] => &Severity::ALL[..],
            some => some,
        };
        if query.dedup_keys.is_empty() && !query.alert_types.is_empty() {
            return self.by_types(query, severities);
        }
        let branches: Vec<String> = if !query.dedup_keys.is_empty() {
            let branch = |key: &String| {
                let key = self.value(key.clone().into_bytes());
                format!("dedup_key = {key} AND dedup_key IS NOT NULL")
            };
            query.dedup_keys.iter().map(branch).collect()
        } else if query.only_resolved() {
            vec![format!("status = {}", AlertStatus::Resolved as i16)]
        } else {
            let branch = |severity: &Severity| format!("severity = {}", severity.code());
            severities.iter().map(branch).collect()
        };
        let rest = self.rest(query);
        let looks: Vec<String> = branches
            .into_iter()
            .map(|branch| {
                format!(
                    "(SELECT {COLUMNS} FROM alerts WHERE space_no = $1 AND {branch} AND seq < $2 AND seq >= $4{rest}
                     ORDER BY seq DESC LIMIT $3)"
                )
            })
            .collect();
        newest(&looks)
    }

    /// Zone by zone of each type, newest first and no further than the page.
    fn by_types(&mut self, query: &AlertQuery, severities: &[Severity]) -> String {
        let statuses = match &query.statuses[..] {
            [] => &[AlertStatus::Active, AlertStatus::Resolved][..],
            some => some,
        };
        let severities: Vec<i16> = severities.iter().map(|one| *one as i16).collect();
        let statuses: Vec<i16> = statuses.iter().map(|one| *one as i16).collect();
        let bound =
            |time: Option<Timestamp>, otherwise| time.map_or(otherwise, Timestamp::as_millisecond);
        let (since, until) = (bound(query.since, i64::MIN), bound(query.until, i64::MAX));
        let rest = [
            self.value(severities),
            self.value(statuses),
            self.value(since),
            self.value(until),
        ]
        .join(", ");
        let looks: Vec<String> = query
            .alert_types
            .iter()
            .map(|name| {
                let name = self.value(name.as_str().to_owned());
                format!(
                    "(SELECT {COLUMNS} FROM alerts_of_type($1, {name}, $2, $4, $3, {rest}) AS found (seq) JOIN alerts USING (seq))"
                )
            })
            .collect();
        newest(&looks)
    }

    /// The conditions that the index does not answer.
    fn rest(&mut self, query: &AlertQuery) -> String {
        let mut rest = query.number_conditions();
        if !query.alert_types.is_empty() {
            let names: Vec<String> = query
                .alert_types
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect();
            rest.push_str(&format!(" AND alert_type = ANY ({})", self.value(names)));
        }
        rest
    }
}

/// The newest alerts among the results of several looks.
fn newest(looks: &[String]) -> String {
    let looks = looks.join(" UNION ALL ");
    format!("SELECT * FROM ({looks}) found ORDER BY seq DESC LIMIT $3")
}
