//! Reading alerts back, page by page, and resolving one.

use std::sync::Arc;

use alert_connectors_model::{AlertId, Delivery, Severity, SpaceId};
use alert_connectors_store::{
    AlertQuery, AlertRecord, AlertSummary, Alerts, CLOCK_STEP, ERASED_A_STEP, Erased, Erasure,
    Expiry, Page, Resolution, Roster, StoreError, StoreEvent,
    accept::ResolveRequest,
    stored::{Columns, StoredAlert},
};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, ToSql, params, types::Value};

use crate::{
    SqliteStore, counts, deliveries,
    error::Failure,
    order::first_since,
    row::{row, rows},
    zones::ZoneQuery,
};

const COLUMNS: &str = StoredAlert::COLUMNS;
// By alerts_by_id.
const ONE: &str = "SELECT seq, id, received_at, occurrences, content, warnings FROM alerts
    WHERE id = ?1 AND space_no = ?2";
// By the unique index on id.
const SPACE_NO: &str = "SELECT no FROM spaces WHERE id = ?1";

// By primary key.
const ALERT_FROM: &str = "SELECT seq, received_at FROM alerts WHERE seq >= ?1 ORDER BY seq LIMIT 1";
// By primary key.
const NEWEST_ALERT: &str = "SELECT coalesce(max(seq), 0) FROM alerts";

/// What removes an alert with all that belongs to it, in this order: by the primary key of attempts, by `deliveries_by_alert`, by
/// primary key.
pub(crate) const REMOVE: [&str; 4] = [
    "UPDATE stored_bytes SET bytes = bytes - (SELECT bytes FROM alerts WHERE seq = ?1)
        WHERE space_no = (SELECT space_no FROM alerts WHERE seq = ?1) AND ?1 <= (SELECT measured FROM counting WHERE one = 1)",
    "DELETE FROM attempts WHERE delivery_seq IN (SELECT seq FROM deliveries WHERE alert_seq = ?1)",
    "DELETE FROM deliveries WHERE alert_seq = ?1",
    "DELETE FROM alerts WHERE seq = ?1",
];
// By alerts_by_id.
const ONE_SEQ: &str = "SELECT seq FROM alerts WHERE id = ?2 AND space_no = ?1";
// By alerts_by_dedup_key.
const SEQS_OF_KEY: &str = "SELECT seq FROM alerts WHERE space_no = ?1 AND dedup_key = ?2 AND dedup_key IS NOT NULL LIMIT ?3";
// By deliveries_by_alert, then by primary key.
const PENDING_AT: &str =
    "SELECT DISTINCT c.destination FROM deliveries d JOIN connectors c ON c.no = d.connector_no
    WHERE d.alert_seq = ?1 AND d.state = 0";

#[async_trait]
impl Alerts for SqliteStore {
    async fn alert(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Option<AlertRecord>, StoreError> {
        self.read(move |connection| match space_no(connection, space_id)? {
            Some(space_no) => one(connection, space_no, id, expiry),
            None => Ok(None),
        })
        .await
    }

    async fn alerts(
        &self,
        space_id: SpaceId,
        query: AlertQuery,
        expiry: Expiry,
    ) -> Result<Page<AlertRecord>, StoreError> {
        self.read(move |connection| match space_no(connection, space_id)? {
            Some(space_no) => page(connection, space_no, &query, expiry),
            None => Ok(Page::empty()),
        })
        .await
    }

    async fn deliveries_of(
        &self,
        space_id: SpaceId,
        id: AlertId,
        expiry: Expiry,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read(move |connection| {
            let Some(space_no) = space_no(connection, space_id)? else {
                return Ok(Vec::new());
            };
            let Some((seq, _)) = stored(connection, space_no, id)? else {
                return Ok(Vec::new());
            };
            let mut found = Vec::new();
            for stored in deliveries::of_alert(connection, seq)? {
                let attempts = deliveries::attempts(connection, stored.seq)?;
                found.push(Delivery {
                    attempts,
                    ..stored.read(expiry)
                });
            }
            Ok(found)
        })
        .await
    }

    async fn summary(
        &self,
        space_id: SpaceId,
        since: Timestamp,
    ) -> Result<AlertSummary, StoreError> {
        self.read(move |connection| match space_no(connection, space_id)? {
            Some(space_no) => counts::summary(connection, space_no, since),
            None => Ok(AlertSummary::of(
                AlertSummary::first_hour(since),
                Vec::new(),
            )),
        })
        .await
    }

    async fn erase(&self, space_id: SpaceId, erasure: Erasure) -> Result<Erased, StoreError> {
        let mut erased = 0;
        loop {
            let erasure = erasure.clone();
            let step = self
                .audited(move |connection, events| erase(connection, space_id, &erasure, events))
                .await?;
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
        let request = ResolveRequest {
            roster,
            id,
            expiry,
            mandate: self.mandate.clone(),
        };
        let resolved = self.shared.writer.resolve_problem(request).await?;
        self.mandate.committed();
        Ok(resolved)
    }
}

/// Erases some alerts. The destinations of what was pending are told, so that the engine reads it no more.
fn erase(
    connection: &Connection,
    space_id: SpaceId,
    erasure: &Erasure,
    events: &mut Vec<StoreEvent>,
) -> Result<Erased, Failure> {
    let Some(space_no) = space_no(connection, space_id)? else {
        return Ok(Erased(0));
    };
    let seq = |row: &dyn Columns| row.number(0);
    let seqs = match erasure {
        Erasure::One(id) => rows(
            connection,
            ONE_SEQ,
            params![space_no, &id.as_bytes()[..]],
            seq,
        )?,
        Erasure::Problem(key) => rows(
            connection,
            SEQS_OF_KEY,
            params![space_no, key, ERASED_A_STEP],
            seq,
        )?,
    };
    for seq in &seqs {
        let told = rows(connection, PENDING_AT, [seq], |row| row.fingerprint(0))?;
        events.extend(told.into_iter().map(StoreEvent::Changed));
        for sql in REMOVE {
            connection.prepare_cached(sql)?.execute([seq])?;
        }
    }
    Ok(Erased(seqs.len()))
}

/// The number of a space.
pub(crate) fn space_no(connection: &Connection, id: SpaceId) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached(SPACE_NO)?;
    statement
        .query_row([&id.as_bytes()[..]], |row| row.get(0))
        .optional()
        .map_err(Failure::from)
}

/// One alert with its deliveries in short.
pub(crate) fn one(
    connection: &Connection,
    space_no: i64,
    id: AlertId,
    expiry: Expiry,
) -> Result<Option<AlertRecord>, Failure> {
    let Some((seq, mut record)) = stored(connection, space_no, id)? else {
        return Ok(None);
    };
    record.deliveries = deliveries::summaries(connection, seq, expiry)?;
    Ok(Some(record))
}

fn stored(
    connection: &Connection,
    space_no: i64,
    id: AlertId,
) -> Result<Option<(i64, AlertRecord)>, Failure> {
    let parameters = params![&id.as_bytes()[..], space_no];
    row(connection, ONE, parameters, |row| {
        StoredAlert::of(row)?.read()
    })
}

/// A page, newest first.
fn page(
    connection: &Connection,
    space_no: i64,
    query: &AlertQuery,
    expiry: Expiry,
) -> Result<Page<AlertRecord>, Failure> {
    let mut rows = Vec::new();
    if query.dedup_keys.is_empty() && !(query.only_resolved() && query.alert_types.is_empty()) {
        by_zones(connection, space_no, query, &mut rows)?;
    } else {
        by_index(connection, space_no, query, &mut rows)?;
    }
    let next = query.cut(&mut rows);
    let mut items = Vec::with_capacity(rows.len());
    for raw in rows {
        let (seq, mut record) = raw.read()?;
        (record.deliveries, record.deliveries_left_out) =
            deliveries::first_summaries(connection, seq, expiry)?;
        items.push(record);
    }
    Ok(Page { items, next })
}

/// Problems by key, and resolved alerts: one look into an index for each wanted value, each no deeper than the page.
fn by_index(
    connection: &Connection,
    space_no: i64,
    query: &AlertQuery,
    rows: &mut Vec<StoredAlert>,
) -> Result<(), Failure> {
    let mut listing = Listing::new(space_no, query);
    let sql = listing.sql(query);
    listing.read(connection, &sql, rows)
}

/// All other queries: zone by zone, until the page is full.
fn by_zones(
    connection: &Connection,
    space_no: i64,
    query: &AlertQuery,
    rows: &mut Vec<StoredAlert>,
) -> Result<(), Failure> {
    let wanted = if !query.alert_types.is_empty() {
        ZoneQuery::Types(space_no, &query.alert_types)
    } else if query.severities.is_empty() {
        ZoneQuery::Severities(space_no, &Severity::ALL)
    } else {
        ZoneQuery::Severities(space_no, &query.severities)
    };
    let bound = |time: Option<Timestamp>, step| match time {
        Some(time) => {
            let time = time.checked_add(step).unwrap_or(Timestamp::MAX);
            first_since(connection, ALERT_FROM, NEWEST_ALERT, time)
        }
        None => Ok(i64::MAX),
    };
    let until = bound(query.until, CLOCK_STEP)?;
    let first = match query.since {
        Some(_) => bound(query.since, -CLOCK_STEP)?,
        None => 0,
    };
    let before = query.before().min(until);
    let mut read = |least: i64, most: i64| {
        let mut listing = Listing::new(space_no, query);
        let sql = listing.zone_sql(query, least, most);
        listing.read(connection, &sql, rows)?;
        Ok::<_, Failure>(rows.len() <= query.limit)
    };
    wanted.walk(connection, before, first, &mut read)
}

/// The query of a page, as it grows.
struct Listing {
    values: Vec<Value>,
}

impl Listing {
    fn new(space_no: i64, query: &AlertQuery) -> Self {
        let (before, limit) = (query.before(), query.rows_max());
        Self {
            values: vec![space_no.into(), before.into(), limit.into()],
        }
    }

    fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn sql(&mut self, query: &AlertQuery) -> String {
        let branches = if query.dedup_keys.is_empty() {
            vec!["status = 1".to_owned()]
        } else {
            let branch = |key: &String| {
                let key = self.value(key.clone());
                format!("dedup_key = {key} AND dedup_key IS NOT NULL")
            };
            query.dedup_keys.iter().map(branch).collect()
        };
        let rest = self.rest(query);
        let looks: Vec<String> = branches
            .into_iter()
            .map(|branch| {
                format!(
                    "SELECT * FROM (SELECT {COLUMNS} FROM alerts WHERE space_no = ?1 AND {branch} AND seq < ?2{rest}
                     ORDER BY seq DESC LIMIT ?3)"
                )
            })
            .collect();
        format!("{} ORDER BY seq DESC LIMIT ?3", looks.join(" UNION ALL "))
    }

    /// One zone, by primary key.
    fn zone_sql(&mut self, query: &AlertQuery, least: i64, most: i64) -> String {
        let (least, most) = (self.value(least), self.value(most));
        let rest = self.rest(query);
        format!(
            "SELECT {COLUMNS} FROM alerts WHERE seq BETWEEN {least} AND {most} AND seq < ?2 AND space_no = ?1{rest}
             ORDER BY seq DESC LIMIT ?3"
        )
    }

    fn read(
        &self,
        connection: &Connection,
        sql: &str,
        found: &mut Vec<StoredAlert>,
    ) -> Result<(), Failure> {
        let values: Vec<&dyn ToSql> = self
            .values
            .iter()
            .map(|value| value as &dyn ToSql)
            .collect();
        found.extend(rows(connection, sql, values.as_slice(), StoredAlert::of)?);
        Ok(())
    }

    /// The conditions that the index or the zone does not answer.
    fn rest(&mut self, query: &AlertQuery) -> String {
        let mut rest = query.number_conditions();
        if !query.alert_types.is_empty() {
            let names: Vec<_> = query
                .alert_types
                .iter()
                .map(|name| self.value(name.as_str().to_owned()))
                .collect();
            rest.push_str(&format!(" AND alert_type IN ({})", names.join(", ")));
        }
        rest
    }
}
