//! Reading the audit trail: that of a space for its admins, all of it for operators.

use alert_connectors_model::{AuditAction, Email, rfc3339_millis};
use alert_connectors_store::{AuditQuery, AuditRecord};
use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};

use super::schema;
use crate::{
    ApiError, App,
    cursor::encode,
    entry::{Admin, SignedIn, operator},
    query::Query,
};

/// List what was done in a space, newest first. Only admins of the space can do this.
#[utoipa::path(
    get, path = "/spaces/{slug}/audit", operation_id = "listSpaceAudit", tag = "identity",
    params(
        ("slug" = String, Path, description = "The space"),
        ("action" = Option<Vec<AuditAction>>, Query, description = "What was done; repeated, it means \"or\""),
        ("actor" = Option<String>, Query, description = "The e-mail address of who did it"),
        ("since" = Option<String>, Query, description = "Done at or after this RFC 3339 time"),
        ("until" = Option<String>, Query, description = "Done before this RFC 3339 time"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of the trail", body = schema::AuditPage<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn of_space(
    State(app): State<App>,
    Admin(entry): Admin,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let query = AuditQuery {
        space: Some(entry.space().id),
        ..wanted(raw.as_deref())?
    };
    page(&app, query).await
}

/// List what was done in all spaces and to the service, newest first. Only operators can do this.
#[utoipa::path(
    get, path = "/audit", operation_id = "listAudit", tag = "identity",
    params(
        ("action" = Option<Vec<AuditAction>>, Query, description = "What was done; repeated, it means \"or\""),
        ("actor" = Option<String>, Query, description = "The e-mail address of who did it"),
        ("since" = Option<String>, Query, description = "Done at or after this RFC 3339 time"),
        ("until" = Option<String>, Query, description = "Done before this RFC 3339 time"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of the trail", body = schema::AuditPage<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn of_all(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    operator(&caller, "read the whole audit trail")?;
    page(&app, wanted(raw.as_deref())?).await
}

fn wanted(raw: Option<&str>) -> Result<AuditQuery, ApiError> {
    let mut query = Query::new(
        raw,
        &["action", "actor", "since", "until", "limit", "cursor"],
    );
    let words = AuditAction::ALL.map(AuditAction::as_str).join(", ");
    let wanted = AuditQuery {
        space: None,
        actions: query.filter("action", AuditAction::parse, &format!("one of {words}")),
        actor: query
            .one("actor", |text| Email::parse(text).ok(), "an e-mail address")
            .map(|email| email.to_string()),
        since: query.since(),
        until: query.until(),
        limit: query.limit(),
        before: query.cursor(),
    };
    query.finish()?;
    Ok(wanted)
}

async fn page(app: &App, query: AuditQuery) -> Result<Response, ApiError> {
    let found = app.store.audit_entries(query).await?;
    let items = found.items.iter().map(schema::AuditEntry::of).collect();
    let next_cursor = found.next.map(|no| encode(&no.to_string()));
    Ok(axum::Json(schema::AuditPage::new(items, next_cursor)).into_response())
}

impl<'e> schema::AuditEntry<'e> {
    fn of(AuditRecord { no, entry }: &'e AuditRecord) -> Self {
        Self {
            id: *no,
            at: rfc3339_millis(entry.at),
            action: entry.action,
            actor: schema::AuditActor {
                email: entry.actor.email.as_deref(),
                auth_method: entry.actor.auth_method,
                name: entry.actor.name.as_deref(),
                ip_address: entry.actor.ip_address.map(|address| address.to_string()),
            },
            space: entry.space.as_ref().map(|(_, slug)| slug.to_string()),
            subject: schema::AuditSubject {
                id: entry.subject.id.as_deref(),
                name: &entry.subject.name,
            },
            changes: entry
                .changes
                .iter()
                .map(|change| schema::AuditChange {
                    field: &change.field,
                    before: change.before.as_ref(),
                    after: change.after.as_ref(),
                })
                .collect(),
        }
    }
}
