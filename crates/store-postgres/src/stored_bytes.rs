//! Measures alerts a little after they came or changed, and sums them up by space. What removes an alert takes it off again.

use alert_connectors_store::{StoreError, storage::MEASURED_A_STEP};

use crate::connection::Change;

// By primary key. Held by all who add to the stored bytes of a space or take from them, before they lock anything but identity: who removes
// an alert knows then whether it is measured. It says up to where the next step measures.
const HOLD: &str =
    "SELECT measured, least(counted, measured + $1) FROM counting WHERE one = 1 FOR UPDATE";
// By primary key.
const ADD: &str = "INSERT INTO stored_bytes AS b (space_no, bytes)
    SELECT a.space_no, sum(a.bytes)::int8 FROM alerts a JOIN spaces s ON s.no = a.space_no
    WHERE a.seq > $1 AND a.seq <= $2 GROUP BY 1
    ON CONFLICT (space_no) DO UPDATE SET bytes = b.bytes + excluded.bytes";
// By primary key.
const MEASURED: &str = "UPDATE counting SET measured = $1 WHERE one = 1";
// By primary key.
const GROWN: &str =
    "SELECT count(*) FROM (SELECT FROM alert_growth WHERE seq <= $1 LIMIT $2) these";
// By primary keys.
const GROW: &str = "WITH grown AS (DELETE FROM alert_growth g USING (SELECT seq FROM alert_growth WHERE seq <= $1 ORDER BY seq LIMIT $2) these
        WHERE g.seq = these.seq RETURNING g.seq, g.bytes),
    changed AS (UPDATE alerts a SET bytes = a.bytes + grown.bytes FROM grown WHERE a.seq = grown.seq RETURNING a.space_no, grown.bytes)
    INSERT INTO stored_bytes AS b (space_no, bytes)
    SELECT c.space_no, sum(c.bytes)::int8 FROM changed c JOIN spaces s ON s.no = c.space_no GROUP BY 1
    ON CONFLICT (space_no) DO UPDATE SET bytes = b.bytes + excluded.bytes";
// By primary key.
const TAKE: &str = "UPDATE stored_bytes b SET bytes = b.bytes - gone.bytes FROM (
    SELECT space_no, sum(bytes)::int8 AS bytes FROM alerts
    WHERE seq = ANY ($1) AND seq <= (SELECT measured FROM counting WHERE one = 1) GROUP BY 1) gone
    WHERE b.space_no = gone.space_no";
// All of a small table: a replica of the previous version removes a space without its sum.
const FORGET_SPACES: &str =
    "DELETE FROM stored_bytes b WHERE NOT EXISTS (SELECT FROM spaces s WHERE s.no = b.space_no)";

/// Measures some alerts that are counted, and some that grew; returns whether there may be more.
pub(crate) async fn measure(step: &Change) -> Result<bool, StoreError> {
    let (measured, next) = hold(step).await?;
    if next > measured {
        step.run(ADD, &[&measured, &next]).await?;
        step.run(MEASURED, &[&next]).await?;
    }
    step.run(FORGET_SPACES, &[]).await?;
    let grown = step.row(GROWN, &[&next, &MEASURED_A_STEP]).await?;
    let grown: i64 = grown.map_or(Ok(0), |row| row.at(0))?;
    if grown > 0 {
        // A group of alerts notes growth too, in an order of its own.
        step.block_intake().await?;
        step.run(GROW, &[&next, &MEASURED_A_STEP]).await?;
    }
    Ok(next - measured == MEASURED_A_STEP || grown == MEASURED_A_STEP)
}

/// Keeps others from what is measured until the end of the transaction. Returns the last alert that is measured, and the last one of
/// the next step.
pub(crate) async fn hold(change: &Change) -> Result<(i64, i64), StoreError> {
    let row = change.row(HOLD, &[&MEASURED_A_STEP]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.at(0)?, row.at(1)?)))
}

/// Takes what some alerts count for from what their spaces store. They are removed in the same transaction, which holds it.
pub(crate) async fn take(change: &Change, seqs: &[i64]) -> Result<(), StoreError> {
    change.run(TAKE, &[&seqs]).await.map(drop)
}
