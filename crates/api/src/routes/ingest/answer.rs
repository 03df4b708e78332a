//! The answers that producers expect.

use alert_connectors_ingest::Source;
use alert_connectors_model::{AlertStatus, Loc, Warning};
use alert_connectors_store::ends_nothing_warning;
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;

use super::{super::schema, reading::Read};
use crate::accept::Stored;

/// The answer of a source once all is stored. PagerDuty's clients get 202 for what is stored, as PagerDuty answers.
pub(super) fn answer(source: Source, read: Read, stored: &[Stored]) -> Response {
    let status = match source {
        Source::PagerDuty if !read.alerts.is_empty() => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let body = match source {
        Source::PagerDuty => schema::IngestAnswer::PagerDuty(schema::PagerDutyEvent {
            status: "success",
            message: "Event processed",
            dedup_key: read.dedup_key,
        }),
        _ => schema::IngestAnswer::Counted(counted(read, stored)),
    };
    (status, Json(body)).into_response()
}

fn counted(read: Read, stored: &[Stored]) -> schema::Ingested {
    let mut answer = schema::Ingested {
        accepted: 0,
        resolved: 0,
        ignored: read.ignored,
        alerts: Vec::new(),
        warnings: Vec::new(),
    };
    let mut warnings = read.warnings;
    for (at, (prepared, stored)) in read.alerts.iter().zip(stored).enumerate() {
        let accepted = &stored.accepted;
        warnings.extend_from_slice(&prepared.warnings);
        if accepted.precedes_problem {
            warnings.push(ends_nothing_warning(&Loc::body().field("alerts").item(at)));
        }
        match prepared.alert.status {
            _ if !accepted.is_stored => answer.ignored += 1,
            AlertStatus::Active => answer.accepted += 1,
            AlertStatus::Resolved => answer.resolved += 1,
        }
        let id = accepted.is_stored.then_some(accepted.id);
        answer.alerts.extend(id);
    }
    answer.warnings = Warning::at_most(warnings, &Loc::body());
    answer
}
