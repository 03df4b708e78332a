//! Records the outcomes of attempts: usually one statement, and one round trip, for all that ended at about the same
//! moment.

use std::collections::{BTreeSet, HashMap, HashSet};

use alert_connectors_model::{Attempt, EndReason};
use alert_connectors_store::{Disposition, Form, Outcome, Recorded, Report, StoreError};
use futures_util::future::try_join_all;
use tokio::try_join;
use uuid::Uuid;

use crate::{connection::Connection, destination_health};

// By primary keys, in the order of the given rows, which is that of their keys. What a previous holder reports late
// changes nothing here: a lease's number is never given twice, and a lease is found by its destination.
const RECORD: &str = "WITH given AS (SELECT * FROM (SELECT unnest($1::int8[]) AS seq, unnest($2::int2[]) AS state,
        unnest($3::int2[]) AS reason, unnest($4::int8[]) AS at, unnest($5::bool[]) AS plain, unnest($6::int8[]) AS lease,
        unnest($8::uuid[]) AS id, unnest($9::int8[]) AS started_at, unnest($10::int4[]) AS duration_ms,
        unnest($11::int2[]) AS outcome, unnest($12::int4[]) AS status_code, unnest($13::text[]) AS error,
        unnest($14::int4[]) AS digest_size) g
        WHERE g.lease IS NULL OR g.lease IN (SELECT l.number FROM leases l WHERE l.destination = ANY ($7::bytea[]))),
    changed AS (UPDATE deliveries d SET state = g.state, reason = g.reason,
        attempts = d.attempts + CASE WHEN g.id IS NULL THEN 0 ELSE 1 END,
        plain = CASE WHEN g.state = 0 THEN g.plain ELSE d.plain END,
        next_attempt_at = CASE WHEN g.state = 0 THEN g.at END, ended_at = CASE WHEN g.state > 0 THEN g.at END,
        ended_by = CASE WHEN g.state > 0 THEN g.id END, started_at = g.started_at, duration_ms = g.duration_ms,
        outcome = g.outcome, status_code = g.status_code, error = g.error, digest_size = g.digest_size
        FROM given g WHERE d.seq = g.seq AND d.state = 0
        RETURNING d.connector_no, d.seq, d.state, g.id, g.started_at, g.duration_ms, g.outcome, g.status_code, g.error, g.digest_size),
    ended AS (DELETE FROM pending p USING changed c WHERE c.state > 0 AND p.connector_no = c.connector_no AND p.seq = c.seq),
    noted AS (INSERT INTO missed (connector_no, state, seq) SELECT connector_no, state, seq FROM changed WHERE state >= 3),
    kept AS (INSERT INTO attempts (delivery_seq, id, started_at, duration_ms, outcome, status_code, error, digest_size)
        SELECT seq, id, started_at, duration_ms, outcome, status_code, error, digest_size FROM changed WHERE state = 0
        AND id IS NOT NULL ON CONFLICT DO NOTHING)
    SELECT array_agg(seq) FROM changed";
// By primary key: the attempts of deliveries that had ended before, or whose lease another server holds.
const KEEP: &str = "WITH there AS (SELECT d.seq, d.ended_by, g.id, g.started_at, g.duration_ms, g.outcome, g.status_code, g.error, g.digest_size
        FROM unnest($1::int8[], $2::uuid[], $3::int8[], $4::int4[], $5::int2[], $6::int4[], $7::text[], $8::int4[])
        AS g (seq, id, started_at, duration_ms, outcome, status_code, error, digest_size) JOIN deliveries d ON d.seq = g.seq),
    kept AS (INSERT INTO attempts (delivery_seq, id, started_at, duration_ms, outcome, status_code, error, digest_size)
        SELECT seq, id, started_at, duration_ms, outcome, status_code, error, digest_size FROM there
        WHERE id IS NOT NULL AND id IS DISTINCT FROM ended_by ON CONFLICT DO NOTHING)
    SELECT seq FROM there";
// By primary key; 3 is `failed` as a state, and `message_refused` as a reason.
const REVIVE: &str = "WITH these AS (SELECT d.* FROM unnest($1::int8[], $2::bytea[], $3::int8[]) AS g (seq, destination, lease)
        JOIN deliveries d ON d.seq = g.seq WHERE d.state = 3 AND d.reason = 3 AND (g.lease IS NULL
            OR EXISTS (SELECT FROM leases l WHERE l.destination = g.destination AND l.number = g.lease)) FOR UPDATE OF d),
    kept AS (INSERT INTO attempts (delivery_seq, id, started_at, duration_ms, outcome, status_code, error, digest_size)
        SELECT seq, ended_by, started_at, duration_ms, outcome, status_code, error, digest_size FROM these
        WHERE ended_by IS NOT NULL ON CONFLICT DO NOTHING),
    revived AS (UPDATE deliveries d SET state = 0, reason = NULL, ended_at = NULL, ended_by = NULL, plain = false
        FROM these WHERE d.seq = these.seq
        RETURNING d.connector_no, d.seq, coalesce(d.requeued_at, d.created_at) AS queued_at),
    noted AS (DELETE FROM missed m USING revived r WHERE m.connector_no = r.connector_no AND m.state = 3 AND m.seq = r.seq)
    INSERT INTO pending (connector_no, seq, queued_at) SELECT connector_no, seq, queued_at FROM revived";

/// Every statement of a group.
pub(crate) fn statements() -> Vec<&'static str> {
    vec![
        RECORD,
        KEEP,
        REVIVE,
        destination_health::WRITE,
        destination_health::ANNOUNCED,
    ]
}

type Given<'r> = (&'r Report, &'r Outcome);

/// Records reports in one transaction, and then the attempts of late outcomes; an answer for each outcome, in order.
pub(crate) async fn reports(
    connection: &Connection,
    reports: &[&Report],
) -> Result<Vec<Recorded>, StoreError> {
    let outcomes: Vec<Given<'_>> = reports
        .iter()
        .flat_map(|report| report.outcomes.iter().map(|outcome| (*report, outcome)))
        .collect();
    let rounds = rounds(&outcomes);
    let is_plain = reports
        .iter()
        .all(|report| report.health.is_none() && report.revived.is_empty());
    let done = match &rounds[..] {
        // A statement is a transaction.
        [only] if is_plain => vec![change(connection, only).await?],
        _ => {
            let mut changes = Vec::with_capacity(rounds.len());
            for round in &rounds {
                changes.push(change(connection, round));
            }
            let (_begun, done, _revived, _stand, _committed) = try_join!(
                biased;
                connection.command("BEGIN"),
                try_join_all(changes),
                revive(connection, reports),
                destination_health::write_all(connection, reports),
                connection.command("COMMIT"),
            )?;
            done
        }
    };
    let mut answers: Vec<_> = outcomes.iter().map(|_| Recorded::Gone).collect();
    let mut late = Vec::new();
    for (round, done) in rounds.iter().zip(&done) {
        for (at, given) in round {
            if done.contains(&given.1.seq) {
                answers[*at] = Recorded::Done;
            } else {
                late.push((*at, *given));
            }
        }
    }
    if !late.is_empty() {
        let there = keep(connection, &late).await?;
        for (at, (_, outcome)) in late {
            if there.contains(&outcome.seq) {
                answers[at] = Recorded::Superseded;
            }
        }
    }
    Ok(answers)
}

/// Outcomes with their places, in rounds in which each delivery has one outcome: a statement can change a row only once.
fn rounds<'r>(outcomes: &[Given<'r>]) -> Vec<Vec<(usize, Given<'r>)>> {
    let (mut rounds, mut seen): (Vec<Vec<_>>, HashMap<i64, usize>) = (Vec::new(), HashMap::new());
    for (at, given) in outcomes.iter().enumerate() {
        let round = seen.entry(given.1.seq).or_default();
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push((at, *given));
        *round += 1;
    }
    for round in &mut rounds {
        round.sort_unstable_by_key(|(_, (_, outcome))| outcome.seq);
    }
    rounds
}

async fn change(
    connection: &Connection,
    round: &[(usize, Given<'_>)],
) -> Result<HashSet<i64>, StoreError> {
    let Columns {
        seqs,
        states,
        reasons,
        times,
        plain,
        leases,
        destinations,
        attempts,
    } = Columns::of(round);
    let changed = connection
        .row(
            RECORD,
            &[
                &seqs,
                &states,
                &reasons,
                &times,
                &plain,
                &leases,
                &destinations,
                &attempts.ids,
                &attempts.started,
                &attempts.durations,
                &attempts.outcomes,
                &attempts.statuses,
                &attempts.errors,
                &attempts.sizes,
            ],
        )
        .await?;
    let seqs: Option<Vec<i64>> = changed.map_or(Ok(None), |row| row.at(0))?;
    Ok(seqs.unwrap_or_default().into_iter().collect())
}

/// A round of outcomes as columns.
struct Columns<'r> {
    seqs: Vec<i64>,
    states: Vec<i16>,
    reasons: Vec<Option<i16>>,
    times: Vec<i64>,
    plain: Vec<bool>,
    leases: Vec<Option<i64>>,
    /// Each once.
    destinations: Vec<&'r [u8]>,
    attempts: Attempts,
}

impl<'r> Columns<'r> {
    fn of(round: &[(usize, Given<'r>)]) -> Self {
        let given = || round.iter().map(|(_, given)| *given);
        let outcomes = || given().map(|(_, outcome)| outcome);
        let steps = || outcomes().map(|outcome| DispositionColumns::of(outcome.disposition));
        let destinations: BTreeSet<_> = given()
            .map(|(report, _)| &report.destination.0[..])
            .collect();
        Self {
            seqs: outcomes().map(|outcome| outcome.seq).collect(),
            states: steps().map(|step| step.state).collect(),
            reasons: steps().map(|step| step.reason).collect(),
            times: steps().map(|step| step.at).collect(),
            plain: steps().map(|step| step.plain).collect(),
            leases: given().map(|(report, _)| report.fence.lease()).collect(),
            destinations: destinations.into_iter().collect(),
            attempts: Attempts::of(outcomes()),
        }
    }
}

/// What becomes of a delivery, as columns.
struct DispositionColumns {
    state: i16,
    reason: Option<i16>,
    at: i64,
    plain: bool,
}

impl DispositionColumns {
    fn of(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Retry { form, at } => Self {
                state: 0,
                reason: None,
                at: at.as_millisecond(),
                plain: form == Form::Plain,
            },
            Disposition::End { state, reason, at } => Self {
                state: state.code().into(),
                reason: reason.map(EndReason::code).map(i16::from),
                at: at.as_millisecond(),
                plain: false,
            },
        }
    }
}

/// Attempts as columns; those of outcomes without one are empty.
#[derive(Default)]
struct Attempts {
    ids: Vec<Option<Uuid>>,
    started: Vec<i64>,
    durations: Vec<i32>,
    outcomes: Vec<i16>,
    statuses: Vec<Option<i32>>,
    errors: Vec<Option<String>>,
    sizes: Vec<i32>,
}

impl Attempts {
    fn of<'r>(outcomes: impl Iterator<Item = &'r Outcome>) -> Self {
        let mut columns = Self::default();
        let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        for outcome in outcomes {
            let attempt = outcome.attempt.as_deref();
            let id = attempt.map(|attempt| Uuid::from_bytes(*attempt.id.as_bytes()));
            columns.ids.push(id);
            let number = |of: fn(&Attempt) -> i64| attempt.map_or(0, of);
            columns
                .started
                .push(number(|one| one.started_at.as_millisecond()));
            columns
                .durations
                .push(attempt.map_or(0, |one| small(one.duration_ms)));
            columns
                .outcomes
                .push(attempt.map_or(0, |one| one.outcome.code().into()));
            columns
                .statuses
                .push(attempt.and_then(|one| one.status_code).map(i32::from));
            // PostgreSQL's text can't hold the character zero, which a channel may answer with.
            let error = attempt.and_then(|one| one.error.as_deref());
            columns
                .errors
                .push(error.map(|text| text.replace('\0', "")));
            columns
                .sizes
                .push(attempt.map_or(0, |one| small(one.digest_size)));
        }
        columns
    }
}

/// Keeps the attempts of outcomes that come late; returns which deliveries exist.
async fn keep(
    connection: &Connection,
    late: &[(usize, Given<'_>)],
) -> Result<HashSet<i64>, StoreError> {
    let Columns { seqs, attempts, .. } = Columns::of(late);
    let rows = connection
        .rows(
            KEEP,
            &[
                &seqs,
                &attempts.ids,
                &attempts.started,
                &attempts.durations,
                &attempts.outcomes,
                &attempts.statuses,
                &attempts.errors,
                &attempts.sizes,
            ],
        )
        .await?;
    rows.iter().map(|row| row.at(0)).collect()
}

async fn revive(connection: &Connection, reports: &[&Report]) -> Result<(), StoreError> {
    let mut revived: Vec<(i64, &[u8], Option<i64>)> = reports
        .iter()
        .flat_map(|report| {
            let seqs = report.revived.iter();
            seqs.map(|seq| (*seq, &report.destination.0[..], report.fence.lease()))
        })
        .collect();
    if revived.is_empty() {
        return Ok(());
    }
    revived.sort_unstable();
    revived.dedup_by_key(|(seq, _, _)| *seq);
    let seqs: Vec<i64> = revived.iter().map(|one| one.0).collect();
    let destinations: Vec<&[u8]> = revived.iter().map(|one| one.1).collect();
    let leases: Vec<Option<i64>> = revived.iter().map(|one| one.2).collect();
    connection
        .run(REVIVE, &[&seqs, &destinations, &leases])
        .await
        .map(drop)
}
