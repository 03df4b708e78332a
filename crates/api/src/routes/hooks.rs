//! Takes what tools post to an incoming webhook of Slack or Teams, and answers as the platform does. The key stands in the address,
//! since such tools can be given nothing else.

use std::sync::Arc;

use alert_connectors_ingest::{HookOptions, HookRefusal, HookShape, read_hook};
use alert_connectors_model::{
    Alert, AlertStatus, AlertType, KeyScope, ParsedAlert, Severity, Slug, is_slip_of,
};
use alert_connectors_store::PreparedAlert;
use alert_connectors_traces::RequestTrace;
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{gate::Gate, intake::off_if_large, schema};
use crate::{
    ApiError, App, ErrorKind, Freshness,
    accept::{Grant, PostRequest, Poster as _},
    body::{self, BODY_BYTES_MAX, Received},
    path::PathKey,
    query::Query,
};

/// The type of alerts for which the address names no other.
const ALERT_TYPE: &str = "webhook";
/// The field of a form that holds the message (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
const FORM_FIELD: &str = "payload";

/// Post what a tool sends to an incoming webhook of Slack or of Teams. It becomes one alert of the space that the key is narrowed to.
///
/// The key is an API key that may only send, to one space. The body is a message of Slack's (text, blocks or attachments, as JSON or as
/// the form field `payload`), a `MessageCard`, or an Adaptive Card, bare or in a message.
#[utoipa::path(
    post, path = "/hooks/{key}", operation_id = "postToHook", tag = "alerts",
    params(
        ("key" = String, Path, description = "The API key"),
        ("type" = Option<String>, Query, description = "The type of the alerts, webhook if left out"),
        ("severity" = Option<Severity>, Query, description = "Their severity; by words and colours if left out"),
    ),
    request_body(content = serde_json::Value, description = "The message"),
    responses(
        (status = 200, description = "It is on disk: `ok` to a message of Slack's, `1` to a MessageCard", body = String, content_type = "text/plain"),
        (status = 202, description = "It is on disk: an Adaptive Card"),
        (status = 400, description = "What the platform would refuse, in its words", body = String, content_type = "text/plain"),
        (status = "default", response = schema::AnyProblem),
    )
)]
pub(super) async fn post(
    State(app): State<App>,
    PathKey(key): PathKey,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let hook = Hook::of(&app, &key).await?;
    let gate = Gate::new(&app, &hook.headers, hook.space.as_str());
    let grant = gate.enter().await.map_err(as_unknown)?;
    let read = read(&app, raw.as_deref(), &headers, request).await;
    let (read, _room) = gate.authorised_for_errors(read).await.map_err(as_unknown)?;
    let (alert, shape) = match read {
        Ok(read) => read,
        Err(HookRefusal(words)) => {
            gate.grant().await.map_err(as_unknown)?;
            return Ok((StatusCode::BAD_REQUEST, words).into_response());
        }
    };
    store(&app, &gate, grant, &alert, &headers)
        .await
        .map_err(as_unknown)?;
    Ok(match shape {
        HookShape::Slack => "ok".into_response(),
        HookShape::MessageCard => "1".into_response(),
        HookShape::Message | HookShape::AdaptiveCard => StatusCode::ACCEPTED.into_response(),
    })
}

/// Stores a post. An end that ends no problem is stored as news, so that the channel shows what the tool has posted.
async fn store(
    app: &App,
    gate: &Gate<'_>,
    grant: Grant,
    alert: &PreparedAlert,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let trace = app.begin_trace(headers);
    let space = Arc::clone(&grant.roster.space);
    let store = async || {
        let stored = app
            .accept_unrecorded(gate, grant.clone(), posting(alert, trace))
            .await?;
        if !stored.alerts.iter().any(|one| one.accepted.is_stored) {
            let news = news_of(alert);
            app.accept_unrecorded(gate, grant.clone(), posting(&news, trace))
                .await?;
        }
        Ok(())
    };
    let stored = store().await;
    if let Some(trace) = trace {
        app.record_request(trace, &space, 1, stored.as_ref().err());
    }
    stored
}

const fn posting(alert: &PreparedAlert, trace: Option<RequestTrace>) -> PostRequest<'_> {
    PostRequest {
        alerts: std::slice::from_ref(alert),
        idempotency: None,
        leaves_out_idle_ends: true,
        listed_max: 0,
        trace,
    }
}

/// An end as a message like any other, since the tool means it to be read.
fn news_of(end: &PreparedAlert) -> PreparedAlert {
    PreparedAlert::of(ParsedAlert {
        alert: Alert {
            status: AlertStatus::Active,
            dedup_key: None,
            ..Alert::clone(&end.alert)
        },
        has_own_time: end.has_own_time,
        warnings: end.warnings.to_vec(),
    })
}

/// The right that the key in an address gives.
struct Hook {
    /// The key as the header of any other route.
    headers: HeaderMap,
    space: Slug,
}

impl Hook {
    /// Only a key that may do nothing but send to one space is good in an address, which many people may see.
    async fn of(app: &App, key: &str) -> Result<Self, ApiError> {
        let mut headers = HeaderMap::new();
        let mut bearer =
            HeaderValue::try_from(format!("Bearer {key}")).map_err(|_odd| unknown())?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
        let caller = match app.identity.caller(&headers, Freshness::Cached).await {
            Ok(caller) => Ok(caller),
            // A refusal that rests on memory is checked before it is given.
            Err(_refused) => app.identity.caller(&headers, Freshness::Now).await,
        };
        let caller = caller.map_err(|error| as_unknown(error.into()))?;
        let limits = caller.key.filter(|key| key.scope == KeyScope::Send);
        match limits.and_then(|key| key.space) {
            Some((_, space)) => Ok(Self { headers, space }),
            None => Err(unknown()),
        }
    }
}

/// Nobody learns from an answer whether there is such a key.
fn as_unknown(error: ApiError) -> ApiError {
    match error.kind() {
        ErrorKind::Unauthenticated | ErrorKind::Forbidden | ErrorKind::NotFound => unknown(),
        _ => error.asking_to_repeat(),
    }
}

fn unknown() -> ApiError {
    let detail =
        "There is no such hook. Its address ends with an API key that may only send, to one space.";
    ApiError::new(ErrorKind::NotFound, detail)
}

/// A post as an alert, or why the platform would refuse it; and the memory that its body takes.
type Read = (Result<(PreparedAlert, HookShape), HookRefusal>, Received);

async fn read(
    app: &App,
    query: Option<&str>,
    headers: &HeaderMap,
    request: Body,
) -> Result<Read, ApiError> {
    let query = own_parameters(query.unwrap_or_default());
    let mut query = Query::new(Some(&query), &PARAMETERS);
    let alert_type = query.one(
        "type",
        AlertType::parse,
        "1 to 64 characters of a-z 0-9 _ . -",
    );
    let severity = query.one(
        "severity",
        Severity::parse,
        "one of critical, high, medium, low",
    );
    query.finish()?;
    let body = body::read(app, &as_json(headers), request, BODY_BYTES_MAX).await?;
    let body = match form_field(&body) {
        Some(json) => body.replaced_by(json)?,
        None => body,
    };
    let now = app.clock.now();
    let read = off_if_large(&body, move |bytes| {
        let options = HookOptions {
            alert_type: alert_type.as_ref().map_or(ALERT_TYPE, AlertType::as_str),
            severity,
        };
        let mended = body::mended(bytes);
        let read = match body::parse(&mended) {
            Ok(json) => read_hook(json, options, now),
            Err(_malformed) => Err(HookRefusal::INVALID),
        };
        Ok(read.map(|(alert, shape)| (PreparedAlert::of(alert), shape)))
    })
    .await?;
    Ok((read, body))
}

/// The parameters that a hook takes.
const PARAMETERS: [&str; 2] = ["type", "severity"];

/// Keeps the parameters of a hook, and near misses of their names, which are typos in its address and get a fault. All others are left
/// out: a tool that is set up for a Teams workflow appends the parameters of a workflow.
fn own_parameters(query: &str) -> String {
    let all = url::form_urlencoded::parse(query.as_bytes());
    let own = all.filter(|(name, _)| {
        let is_meant = |parameter: &&str| *parameter == name || is_slip_of(name, parameter);
        PARAMETERS.iter().any(is_meant)
    });
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(own)
        .finish()
}

/// The headers of a body that is read as JSON, whatever the tool says that it is: many say nothing, or that it is a form.
fn as_json(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    headers
}

/// The message in a form, if the body is one: JSON begins with none of the letters of a field's name. A form without a message is empty.
fn form_field(body: &Bytes) -> Option<Bytes> {
    let first = body::without_mark(body).trim_ascii_start().first()?;
    if !first.is_ascii_alphabetic() || !body.contains(&b'=') {
        return None;
    }
    let mut fields = url::form_urlencoded::parse(body);
    let payload = fields.find(|(name, _)| name == FORM_FIELD);
    Some(payload.map_or_else(Bytes::new, |(_, json)| Bytes::from(json.into_owned())))
}
