//! How many alerts came in each hour: counting them a little after they came, and summing them up.

use alert_connectors_store::{
    AlertSummary, StoreError,
    summary::{COUNTED_A_STEP, HOUR_MS, kind_count},
};
use jiff::Timestamp;

use crate::connection::{Change, Connection, Parameters};

// By primary key.
const STEP: &str = "SELECT coalesce(max(seq), 0), count(*) FROM (SELECT seq FROM alerts
    WHERE seq > (SELECT counted FROM counting WHERE one = 1) ORDER BY seq LIMIT $1) these";
// By primary key.
const COUNT: &str = "INSERT INTO alert_counts AS c (space_no, hour, alert_type, severity, count)
    SELECT space_no, received_at / $2, alert_type, severity, count(*) FROM alerts
    WHERE seq > (SELECT counted FROM counting WHERE one = 1) AND seq <= $1 GROUP BY 1, 2, 3, 4
    ON CONFLICT (space_no, hour, alert_type, severity) DO UPDATE SET count = c.count + excluded.count";
// By primary key.
const COUNTED: &str = "UPDATE counting SET counted = $1 WHERE one = 1";
// By alert_counts_by_hour.
const FORGET: &str = "DELETE FROM alert_counts WHERE (space_no, hour, alert_type, severity) IN
    (SELECT space_no, hour, alert_type, severity FROM alert_counts WHERE hour < $1 LIMIT 500)";
// By primary key: what is counted, and the few alerts that are not yet.
const SUMMARY: &str = "SELECT alert_type, severity, sum(count)::int8, (sum(sum(count)) OVER ())::int8 FROM (
    SELECT alert_type, severity, count FROM alert_counts WHERE space_no = $1 AND hour >= $2 UNION ALL
    SELECT alert_type, severity, 1 FROM (SELECT * FROM alerts
        WHERE seq > (SELECT counted FROM counting WHERE one = 1) ORDER BY seq LIMIT $4) latest
    WHERE space_no = $1 AND received_at >= $2 * $3) counts
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $5";

/// Counts some alerts that are not counted yet; returns whether there may be more.
pub(crate) async fn step(change: &Change, now: Timestamp) -> Result<bool, StoreError> {
    let Some(row) = change.row(STEP, &[&COUNTED_A_STEP]).await? else {
        return Ok(false);
    };
    let (last, found): (i64, i64) = (row.at(0)?, row.at(1)?);
    if found > 0 {
        change.run(COUNT, &[&last, &HOUR_MS]).await?;
        change.run(COUNTED, &[&last]).await?;
    }
    let forgotten = AlertSummary::forgotten_before(now);
    change.run(FORGET, &[&forgotten]).await?;
    Ok(found == COUNTED_A_STEP)
}

/// How many alerts of a space came since a time.
pub(crate) async fn summary(
    connection: &Connection,
    space_no: i64,
    since: Timestamp,
) -> Result<AlertSummary, StoreError> {
    let first_hour = AlertSummary::first_hour(since);
    let parameters: Parameters<'_> = &[
        &space_no,
        &first_hour,
        &HOUR_MS,
        &COUNTED_A_STEP,
        &AlertSummary::KINDS_MAX,
    ];
    let rows = connection.rows(SUMMARY, parameters).await?;
    let kinds = rows.iter().map(|row| kind_count(row));
    Ok(AlertSummary::of(
        first_hour,
        kinds.collect::<Result<_, _>>()?,
    ))
}
