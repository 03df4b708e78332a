//! Requests that are repeated with the same key: their answers are kept for a day.

use alert_connectors_store::{
    Idempotency,
    accept::KeptAnswer,
    stored::{time, unreadable},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::Failure;

// By primary key.
const KEPT: &str = "SELECT body_hash, answer, created_at FROM idempotency
    WHERE space_no = ?1 AND route = ?2 AND key = ?3 AND created_at > ?4";
const KEEP: &str =
    "INSERT OR REPLACE INTO idempotency (space_no, route, key, body_hash, created_at, answer)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
// By idempotency_by_age; a few at a time, beside each new one.
const FORGET: &str = "DELETE FROM idempotency WHERE (space_no, route, key) IN
    (SELECT space_no, route, key FROM idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT 4)";

/// What is kept under a key.
pub(crate) fn kept_answer(
    connection: &Connection,
    space_no: i64,
    idempotency: &Idempotency,
    now: Timestamp,
) -> Result<Option<KeptAnswer>, Failure> {
    let Idempotency { route, key, .. } = idempotency;
    let after = now.as_millisecond() - Idempotency::KEPT_MS;
    let found: Option<(Vec<u8>, String, i64)> = connection
        .prepare_cached(KEPT)?
        .query_row(params![space_no, *route as i64, key, after], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((body_hash, json, created_at)) = found else {
        return Ok(None);
    };
    let unreadable = |_length| unreadable("idempotency", "body_hash", key);
    Ok(Some(KeptAnswer {
        body_hash: <[u8; 32]>::try_from(body_hash).map_err(unreadable)?,
        json,
        created_at: time(created_at),
    }))
}

/// Keeps an answer under a key, and forgets a few that are too old.
pub(crate) fn keep_answer(
    connection: &Connection,
    space_no: i64,
    idempotency: &Idempotency,
    answer: &KeptAnswer,
) -> Result<(), Failure> {
    let created_at = answer.created_at.as_millisecond();
    connection
        .prepare_cached(FORGET)?
        .execute([created_at - Idempotency::KEPT_MS])?;
    connection.prepare_cached(KEEP)?.execute(params![
        space_no,
        idempotency.route as i64,
        idempotency.key,
        &answer.body_hash[..],
        created_at,
        answer.json,
    ])?;
    Ok(())
}
