//! Which stretches of the order hold an alert of a type.
//!
//! An index with an entry for each alert would make alerts of many types touch many pages of it, which is expensive; a
//! zone is noted once for each type that occurs in it. A list of a type walks its zones, newest first.

use std::collections::{BTreeSet, HashSet};

use alert_connectors_model::AlertType;
use alert_connectors_store::StoreError;

use crate::connection::{Change, Connection};

/// This many places in the order make a zone, here and in the schema's function that walks them.
pub(crate) const ZONE: i64 = 1_024;

pub(crate) const NOTE: &str = "INSERT INTO type_zones (space_no, alert_type, zone)
    SELECT * FROM unnest($1::int8[], $2::text[], $3::int8[]) ON CONFLICT DO NOTHING";
// By type_zones_by_zone, below the zone of the oldest alert.
const FORGET: &str = "DELETE FROM type_zones WHERE (space_no, alert_type, zone) IN (SELECT space_no, alert_type, zone FROM type_zones
    WHERE zone < coalesce((SELECT min(seq) FROM alerts), (SELECT next_alert FROM numbering)) / $1 ORDER BY zone LIMIT $2)";

/// Notes of zones that are forgotten in one round.
const NOTES_A_ROUND: i64 = 1_000;

/// A zone holds an alert of this space and type.
pub(crate) type ZoneEntry = (i64, AlertType, i64);

/// What was noted of the newest zone, so that it is noted once.
#[derive(Default)]
pub(crate) struct Noted {
    facts: HashSet<ZoneEntry>,
}

impl Noted {
    /// What a group adds, from the zones of its alerts.
    pub(crate) fn lacks(&self, facts: impl Iterator<Item = ZoneEntry>) -> BTreeSet<ZoneEntry> {
        facts.filter(|fact| !self.facts.contains(fact)).collect()
    }

    /// The facts are committed. The next alert will be in the zone `newest`, or in one after it.
    pub(crate) fn keep(&mut self, noted: BTreeSet<ZoneEntry>, newest: i64) {
        if !noted.is_empty() {
            self.facts.extend(noted);
            self.facts.retain(|(_, _, zone)| *zone >= newest);
        }
    }
}

/// Notes what a group adds.
pub(crate) async fn note(
    connection: &Connection,
    facts: &BTreeSet<ZoneEntry>,
) -> Result<(), StoreError> {
    if facts.is_empty() {
        return Ok(());
    }
    let spaces: Vec<i64> = facts.iter().map(|fact| fact.0).collect();
    let types: Vec<&str> = facts.iter().map(|fact| fact.1.as_str()).collect();
    let zones: Vec<i64> = facts.iter().map(|fact| fact.2).collect();
    let noted = connection.run(NOTE, &[&spaces, &types, &zones]).await;
    noted.map(drop)
}

/// Forgets some zones of which nothing is left.
pub(crate) async fn forget_old(step: &Change) -> Result<(), StoreError> {
    step.run(FORGET, &[&ZONE, &NOTES_A_ROUND]).await.map(drop)
}
