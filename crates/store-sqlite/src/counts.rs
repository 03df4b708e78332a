//! How many alerts came in each hour: counting them a little after they came, and summing them up.

use alert_connectors_store::{
    AlertSummary,
    summary::{COUNTED_A_STEP, HOUR_MS, kind_count},
};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::{error::Failure, row::rows};

// By primary key.
const STEP: &str = "SELECT coalesce(max(seq), 0), count(*) FROM (SELECT seq FROM alerts
    WHERE seq > (SELECT counted FROM counting WHERE one = 1) ORDER BY seq LIMIT ?1)";
// By primary key.
const COUNT: &str = "INSERT INTO alert_counts (space_no, hour, alert_type, severity, count)
    SELECT space_no, received_at / ?2, alert_type, severity, count(*) FROM alerts
    WHERE seq > (SELECT counted FROM counting WHERE one = 1) AND seq <= ?1 GROUP BY 1, 2, 3, 4
    ON CONFLICT (space_no, hour, alert_type, severity) DO UPDATE SET count = count + excluded.count";
// By primary key.
const COUNTED: &str = "UPDATE counting SET counted = ?1 WHERE one = 1";
// By alert_counts_by_hour.
const FORGET: &str = "DELETE FROM alert_counts WHERE (space_no, hour, alert_type, severity) IN
    (SELECT space_no, hour, alert_type, severity FROM alert_counts WHERE hour < ?1 LIMIT 500)";
// By primary key: what is counted, and the few alerts that are not yet.
const SUMMARY: &str = "SELECT alert_type, severity, sum(count), sum(sum(count)) OVER () FROM (
    SELECT alert_type, severity, count FROM alert_counts WHERE space_no = ?1 AND hour >= ?2 UNION ALL
    SELECT alert_type, severity, 1 FROM (SELECT * FROM alerts
        WHERE seq > (SELECT counted FROM counting WHERE one = 1) ORDER BY seq LIMIT ?4)
    WHERE space_no = ?1 AND received_at >= ?2 * ?3)
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ?5";

/// Counts some alerts that are not counted yet; returns whether there may be more.
pub(crate) fn step(connection: &Connection, now: Timestamp) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached(STEP)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (last, found) = statement.query_row([COUNTED_A_STEP], read)?;
    if found > 0 {
        connection.prepare_cached(COUNT)?.execute([last, HOUR_MS])?;
        connection.prepare_cached(COUNTED)?.execute([last])?;
    }
    let forgotten = AlertSummary::forgotten_before(now);
    connection.prepare_cached(FORGET)?.execute([forgotten])?;
    Ok(found == COUNTED_A_STEP)
}

/// How many alerts of a space came since a time.
pub(crate) fn summary(
    connection: &Connection,
    space_no: i64,
    since: Timestamp,
) -> Result<AlertSummary, Failure> {
    let first_hour = AlertSummary::first_hour(since);
    let parameters = params![
        space_no,
        first_hour,
        HOUR_MS,
        COUNTED_A_STEP,
        AlertSummary::KINDS_MAX
    ];
    let kinds = rows(connection, SUMMARY, parameters, kind_count)?;
    Ok(AlertSummary::of(first_hour, kinds))
}
