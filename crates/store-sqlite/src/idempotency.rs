//! Requests that are repeated with the same key: their answers are kept for a day.

use alert_connectors_store::{
    Acceptance, Accepted, Expiry, Idempotency,
    stored::{self, answer_json},
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{alerts, error::Failure};

// By primary key.
const IDEMPOTENCY: &str = "SELECT body_hash, answer, created_at FROM idempotency
    WHERE space_no = ?1 AND route = ?2 AND key = ?3 AND created_at > ?4";
const REMEMBER: &str =
    "INSERT OR REPLACE INTO idempotency (space_no, route, key, body_hash, created_at, answer)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
// By idempotency_by_age; a few at a time, beside each new one.
const FORGET_KEYS: &str = "DELETE FROM idempotency WHERE (space_no, route, key) IN
    (SELECT space_no, route, key FROM idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT 4)";

/// The answer to a request whose key was used before.
pub(crate) fn repeated(
    connection: &Connection,
    space_no: i64,
    idempotency: &Idempotency,
    expiry: Expiry,
) -> Result<Option<Acceptance>, Failure> {
    let found: Option<(Vec<u8>, String, i64)> = connection
        .prepare_cached(IDEMPOTENCY)?
        .query_row(
            params![
                space_no,
                idempotency.route as i64,
                idempotency.key,
                expiry.now.as_millisecond() - Idempotency::KEPT_MS
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((body_hash, answer, created_at)) = found else {
        return Ok(None);
    };
    if body_hash != idempotency.body_hash {
        return Ok(Some(Acceptance::KeyReused));
    }
    let answer = stored::answer(&answer, &idempotency.key)?;
    let mut accepted = Vec::with_capacity(answer.len());
    for kept in answer {
        let record = alerts::one(connection, space_no, kept.id, expiry)?;
        accepted.push(kept.again(record, created_at));
    }
    Ok(Some(Acceptance::Repeated(accepted)))
}

/// Keeps the answer to a request under its key.
pub(crate) fn remember(
    connection: &Connection,
    space_no: i64,
    idempotency: &Idempotency,
    now: i64,
    accepted: &[Accepted],
) -> rusqlite::Result<()> {
    let answer = answer_json(accepted);
    connection
        .prepare_cached(FORGET_KEYS)?
        .execute([now - Idempotency::KEPT_MS])?;
    connection.prepare_cached(REMEMBER)?.execute(params![
        space_no,
        idempotency.route as i64,
        idempotency.key,
        &idempotency.body_hash[..],
        now,
        answer,
    ])?;
    Ok(())
}
