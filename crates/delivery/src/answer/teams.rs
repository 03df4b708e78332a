//! Answers of Teams: Office 365 connectors, which hide failures behind 200, and workflows, whose error codes tell more
//! than their statuses (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>,
//! <https://learn.microsoft.com/power-automate/triggers-troubleshoot>).

use std::time::Duration;

use alert_connectors_store::Form;
use serde_json::Value;

use super::{Answer, BUSY, GONE, Reason, Verdict, by_status, status_reason, transient, unexpected};

/// How long to wait where a connector says that it was throttled.
const CONNECTOR_THROTTLE: Duration = Duration::from_secs(30);
/// How long to wait after a workflow's 429 that does not say.
const WORKFLOW_THROTTLE: Duration = Duration::from_mins(1);
/// A 404 that names no cause is a fault of routing at first.
const ROUTING_TRIES: u32 = 5;
const RETIRED: &str =
    "Office 365 connectors were retired; make a Workflows webhook and enter its URL";
const REFUSED: &str = "Teams does not take this message";

/// An Office 365 connector: success is exactly the body `1`.
pub(super) fn of_connector(answer: &Answer<'_>) -> Verdict {
    if let Some(verdict) = connector_text(answer) {
        return verdict;
    }
    match answer.status {
        200 if answer.body.text() == "1" => Verdict::Delivered,
        200..=299 => transient(answer, unexpected(answer, BUSY)),
        404 | 410 => Verdict::DestinationRefused(status_reason(answer, GONE)),
        400 | 408 | 409 | 412 | 413 | 425 | 429 | 300..=399 | 500..=599 => {
            by_status(answer, CONNECTOR_THROTTLE)
        }
        _ => Verdict::DestinationRefused(status_reason(answer, RETIRED)),
    }
}

/// The texts that connectors are known for, with 200 as well as with 400.
fn connector_text(answer: &Answer<'_>) -> Option<Verdict> {
    if !matches!(answer.status, 200 | 400) {
        return None;
    }
    let said = answer.body.text();
    if let Some((_, after)) = said.split_once("Microsoft Teams endpoint returned HTTP error ") {
        let digits: String = after
            .chars()
            .take_while(char::is_ascii_digit)
            .take(3)
            .collect();
        return Some(wrapped(digits.parse().unwrap_or(500), answer));
    }
    if said.contains("Error contacting Microsoft Teams endpoint") {
        let reason = Reason::new("Error contacting Microsoft Teams endpoint", BUSY);
        return Some(transient(answer, reason));
    }
    let refusals = [
        "Summary or Text is required.",
        "Bad payload received by generic incoming webhook.",
    ];
    let refusal = refusals.into_iter().find(|refusal| said.contains(refusal));
    let parse_error = said
        .starts_with("Newtonsoft.Json.")
        .then_some("Newtonsoft.Json error");
    refusal
        .or(parse_error)
        .map(|word| Verdict::MessageRefused(Reason::new(word, REFUSED)))
}

/// The status that a connector hides in its text.
fn wrapped(status: u16, answer: &Answer<'_>) -> Verdict {
    let what = format!("Microsoft Teams endpoint returned HTTP error {status}");
    match (status, answer.form) {
        (429, _) => Verdict::Throttled {
            wait: answer
                .retry_after
                .unwrap_or(CONNECTOR_THROTTLE)
                .max(CONNECTOR_THROTTLE),
            reason: Reason::new(what, "the channel asks to wait"),
        },
        (413, _) | (400, Form::Full) => Verdict::MessageRefused(Reason::new(what, REFUSED)),
        (400, Form::Plain) => Verdict::DestinationRefused(Reason::new(
            what,
            "the channel may be gone; check it in Teams",
        )),
        (403, _) => Verdict::DestinationRefused(Reason::new(
            what,
            "a policy of the channel or tenant forbids it",
        )),
        (404, _) => Verdict::DestinationRefused(Reason::new(what, "the channel or team is gone")),
        _ => transient(answer, Reason::new(what, BUSY)),
    }
}

/// A workflow: any 2xx says only that it was taken.
pub(super) fn of_workflow(answer: &Answer<'_>) -> Verdict {
    if let Some(verdict) = by_code(answer) {
        return verdict;
    }
    match answer.status {
        200..=299 => Verdict::Accepted,
        401 | 403 => Verdict::DestinationRefused(status_reason(answer, SIGNATURE)),
        404 if answer.body.is_empty() || answer.attempts >= ROUTING_TRIES => {
            Verdict::DestinationRefused(status_reason(answer, GONE))
        }
        404 => transient(answer, status_reason(answer, BUSY)),
        410 => Verdict::DestinationRefused(status_reason(answer, GONE)),
        415 => Verdict::MessageRefused(status_reason(answer, REFUSED)),
        _ => by_status(answer, WORKFLOW_THROTTLE),
    }
}

/// Another server that takes cards: every 2xx is success unless its body is a known failure.
pub(super) fn of_another(answer: &Answer<'_>) -> Verdict {
    if let Some(verdict) = by_code(answer).or_else(|| connector_text(answer)) {
        return verdict;
    }
    match answer.status {
        202 => Verdict::Accepted,
        200..=299 => Verdict::Delivered,
        _ => of_workflow(answer),
    }
}

#[derive(Clone, Copy)]
enum Class {
    Message,
    Destination,
    Throttled,
    Transient,
}

const SIGNATURE: &str = "the URL's signature is not accepted; copy the URL again from the workflow";
const SWITCHED_OFF: &str =
    "the workflow is turned off or deleted; turn it on, or make a new one and enter its URL";
const ANYONE: &str = "set \"Who can trigger the flow?\" to Anyone, and enter the new URL";
const QUERY_LOST: &str = "the URL lost its query; copy the whole URL again from the workflow";

const CODES: [(&str, Class, &str); 17] = [
    (
        "WorkflowTriggerIsNotEnabled",
        Class::Destination,
        SWITCHED_OFF,
    ),
    ("WorkflowNotFound", Class::Destination, SWITCHED_OFF),
    ("WorkflowTriggerNotFound", Class::Destination, SWITCHED_OFF),
    (
        "WorkflowTriggerVersionNotFound",
        Class::Destination,
        SWITCHED_OFF,
    ),
    (
        "TriggerInputSchemaMismatch",
        Class::Message,
        "the workflow expects another message; use Microsoft's template",
    ),
    ("InvalidRequestContent", Class::Message, REFUSED),
    ("MissingApiVersionParameter", Class::Destination, QUERY_LOST),
    ("InvalidApiVersionParameter", Class::Destination, QUERY_LOST),
    (
        "DirectApiRequestHasMoreThanOneAuthorization",
        Class::Destination,
        "a proxy adds an Authorization header",
    ),
    ("DirectApiAuthorizationRequired", Class::Destination, ANYONE),
    (
        "DirectApiInvalidAuthorizationScheme",
        Class::Destination,
        ANYONE,
    ),
    (
        "DirectApiInvalidAuthorizationSignature",
        Class::Destination,
        SIGNATURE,
    ),
    ("AuthorizationFailed", Class::Destination, SIGNATURE),
    (
        "WorkflowRequestsThrottled",
        Class::Throttled,
        "the workflow asks to wait",
    ),
    ("NoResponse", Class::Transient, BUSY),
    ("GatewayTimeout", Class::Transient, BUSY),
    ("InternalServerError", Class::Transient, BUSY),
];

/// The error code of the body, or of the status line where there is no body; it comes before the status.
fn by_code(answer: &Answer<'_>) -> Option<Verdict> {
    if answer.status < 400 {
        return None;
    }
    let body: Option<Value> = serde_json::from_str(answer.body.text()).ok();
    let in_body = body
        .as_ref()
        .and_then(|body| body.pointer("/error/code"))
        .and_then(Value::as_str);
    let in_line = answer.body.is_empty().then_some(answer.phrase);
    let said = in_body.or(in_line)?;
    let (word, class, advice) = *CODES.iter().find(|row| row.0 == said)?;
    let reason = Reason::new(word, advice);
    Some(match class {
        Class::Message => Verdict::MessageRefused(reason),
        Class::Destination => Verdict::DestinationRefused(reason),
        Class::Transient => transient(answer, reason),
        Class::Throttled => Verdict::Throttled {
            wait: answer.retry_after.unwrap_or(WORKFLOW_THROTTLE),
            reason,
        },
    })
}
