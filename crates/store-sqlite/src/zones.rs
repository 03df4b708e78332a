//! Which stretches of the order hold something of a space, a type or a connector.
//!
//! An index with an entry for each alert would make every alert touch a page of its own in it, which is expensive; a
//! zone is noted once, however much falls into it. A list walks the zones of what it looks for, newest first, and reads
//! each by primary key.

use std::collections::{HashMap, HashSet};

use alert_connectors_model::{AlertType, Severity};
use rusqlite::{Connection, OptionalExtension, ToSql, params};

/// This many places in the order make a zone.
pub(crate) const ZONE: i64 = 256;

const NOTE_SEVERITY: &str =
    "INSERT OR IGNORE INTO severity_zones (space_no, severity, zone) VALUES (?1, ?2, ?3)";
const NOTE_TYPE: &str =
    "INSERT OR IGNORE INTO type_zones (space_no, alert_type, zone) VALUES (?1, ?2, ?3)";
const NOTE_CONNECTOR: &str =
    "INSERT OR IGNORE INTO connector_zones (connector_no, zone) VALUES (?1, ?2)";
// By severity_zones_by_key.
const OF_SEVERITY: &str =
    "SELECT zone FROM severity_zones WHERE space_no = ?1 AND severity = ?2 AND zone <= ?3
    ORDER BY zone DESC LIMIT 1";
// By severity_zones_by_key.
const NEXT_OF_SEVERITY: &str =
    "SELECT min(zone) FROM severity_zones WHERE space_no = ?1 AND severity = ?2 AND zone >= ?3";
// By type_zones_by_key.
const OF_TYPE: &str =
    "SELECT zone FROM type_zones WHERE space_no = ?1 AND alert_type = ?2 AND zone <= ?3
    ORDER BY zone DESC LIMIT 1";
// By connector_zones_by_key.
const OF_CONNECTOR: &str = "SELECT zone FROM connector_zones WHERE connector_no = ?1 AND zone <= ?2
    ORDER BY zone DESC LIMIT 1";
// By severity_zones_by_zone.
const FORGET_SEVERITIES: &str = "DELETE FROM severity_zones WHERE rowid IN (SELECT rowid FROM severity_zones WHERE zone < ?1 LIMIT ?2)";
// By type_zones_by_zone.
const FORGET_TYPES: &str =
    "DELETE FROM type_zones WHERE rowid IN (SELECT rowid FROM type_zones WHERE zone < ?1 LIMIT ?2)";
// By connector_zones_by_zone.
const FORGET_CONNECTORS: &str = "DELETE FROM connector_zones WHERE rowid IN (SELECT rowid FROM connector_zones WHERE zone < ?1 LIMIT ?2)";

/// What was noted of the newest zones, so that it is noted once.
#[derive(Default)]
pub(crate) struct Zones {
    alerts: i64,
    severities: HashSet<(i64, Severity)>,
    types: HashMap<i64, Vec<AlertType>>,
    deliveries: i64,
    connectors: HashSet<i64>,
}

impl Zones {
    /// Forgets what was noted, since it may have been rolled back.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Notes an alert that is stored.
    pub(crate) fn alert(
        &mut self,
        connection: &Connection,
        seq: i64,
        space_no: i64,
        severity: Severity,
        alert_type: &AlertType,
    ) -> rusqlite::Result<()> {
        let zone = seq / ZONE;
        if zone != self.alerts {
            self.alerts = zone;
            self.severities.clear();
            self.types.clear();
        }
        if self.severities.insert((space_no, severity)) {
            note_severity(connection, seq, space_no, severity)?;
        }
        // A space has few types, so a search of the list is fast.
        let known = self.types.entry(space_no).or_default();
        if !known.contains(alert_type) {
            connection.prepare_cached(NOTE_TYPE)?.execute(params![
                space_no,
                alert_type.as_str(),
                zone
            ])?;
            known.push(alert_type.clone());
        }
        Ok(())
    }

    /// A delivery is stored.
    pub(crate) fn delivery(
        &mut self,
        connection: &Connection,
        seq: i64,
        connector_no: i64,
    ) -> rusqlite::Result<()> {
        let zone = seq / ZONE;
        if zone != self.deliveries {
            self.deliveries = zone;
            self.connectors.clear();
        }
        if self.connectors.insert(connector_no) {
            connection
                .prepare_cached(NOTE_CONNECTOR)?
                .execute([connector_no, zone])?;
        }
        Ok(())
    }
}

/// Notes the severity that an alert has now.
pub(crate) fn note_severity(
    connection: &Connection,
    seq: i64,
    space_no: i64,
    severity: Severity,
) -> rusqlite::Result<()> {
    connection.prepare_cached(NOTE_SEVERITY)?.execute(params![
        space_no,
        severity.code(),
        seq / ZONE
    ])?;
    Ok(())
}

/// The first zone from a given one on that holds an alert of a space, or held one.
pub(crate) fn next_of_space(
    connection: &Connection,
    space_no: i64,
    from: i64,
) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached(NEXT_OF_SEVERITY)?;
    let mut next: Option<i64> = None;
    for severity in Severity::ALL {
        let found: Option<i64> =
            statement.query_row(params![space_no, severity.code(), from], |row| row.get(0))?;
        next = match (next, found) {
            (Some(next), Some(found)) => Some(next.min(found)),
            (next, found) => next.or(found),
        };
    }
    Ok(next)
}

/// What a list looks for.
pub(crate) enum ZoneQuery<'w> {
    /// Alerts of a space, of any of these severities.
    Severities(i64, &'w [Severity]),
    /// Alerts of a space, of any of these types.
    Types(i64, &'w [AlertType]),
    /// Deliveries of any of these connectors.
    Connectors(&'w [i64]),
}

impl ZoneQuery<'_> {
    /// The newest zone up to a given one that holds something of it.
    fn newest(&self, connection: &Connection, up_to: i64) -> rusqlite::Result<Option<i64>> {
        let look = |sql, parameters: &[&dyn ToSql]| {
            let mut statement = connection.prepare_cached(sql)?;
            statement
                .query_row(parameters, |row| row.get::<_, i64>(0))
                .optional()
        };
        let mut newest = None;
        match self {
            Self::Severities(space_no, severities) => {
                for severity in *severities {
                    let found = look(OF_SEVERITY, &[space_no, &severity.code(), &up_to])?;
                    newest = newest.max(found);
                }
            }
            Self::Types(space_no, types) => {
                for alert_type in *types {
                    let found = look(OF_TYPE, &[space_no, &alert_type.as_str(), &up_to])?;
                    newest = newest.max(found);
                }
            }
            Self::Connectors(connectors) => {
                for connector_no in *connectors {
                    newest = newest.max(look(OF_CONNECTOR, &[connector_no, &up_to])?);
                    if newest == Some(up_to) {
                        break;
                    }
                }
            }
        }
        Ok(newest)
    }

    /// Walks the zones of it, newest first, from below the place `before` down to the place `first`. `read` gets the
    /// first and the last place to look at, both included, and returns whether to go on.
    pub(crate) fn walk<E: From<rusqlite::Error>>(
        &self,
        connection: &Connection,
        before: i64,
        first: i64,
        mut read: impl FnMut(i64, i64) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut up_to = before.saturating_sub(1).div_euclid(ZONE);
        while let Some(zone) = self.newest(connection, up_to)? {
            let (least, most) = (zone * ZONE, zone * ZONE + ZONE - 1);
            let go_on = most >= first && read(least.max(first), most.min(before - 1))?;
            if !go_on || zone == 0 {
                return Ok(());
            }
            up_to = zone - 1;
        }
        Ok(())
    }
}

/// Forgets some zones below those of the oldest alert and the oldest delivery; returns how many.
pub(crate) fn forget_old(
    connection: &Connection,
    oldest_alert: i64,
    oldest_delivery: i64,
    at_most: i64,
) -> rusqlite::Result<usize> {
    let (alerts, deliveries) = (oldest_alert / ZONE, oldest_delivery / ZONE);
    let mut forgotten = 0;
    for (sql, zone) in [
        (FORGET_SEVERITIES, alerts),
        (FORGET_TYPES, alerts),
        (FORGET_CONNECTORS, deliveries),
    ] {
        forgotten += connection.prepare_cached(sql)?.execute([zone, at_most])?;
    }
    Ok(forgotten)
}
