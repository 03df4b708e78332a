//! The spaces that a caller may enter, and creating new ones.

use alert_connectors_model::{
    AuditAction, FaultKind, FieldReader, Json, Role, Slug, Space, SpaceId, rfc3339_millis,
};
use alert_connectors_store::{SpaceChange, Subject};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};

use super::{fields::name, schema};
use crate::{
    ApiError, App, Caller, ErrorKind,
    body::{self, BODY_BYTES_MAX},
    entry::{Admin, SignedIn, operator, permitted},
    page::page_of,
};

impl schema::Space {
    fn of(space: Space, role: Role) -> Self {
        let created_at = rfc3339_millis(space.created_at);
        Self {
            id: space.id,
            slug: space.slug,
            name: space.name,
            role,
            created_at,
        }
    }
}

/// The spaces that a caller may enter.
pub(super) async fn enterable(app: &App, caller: &Caller) -> Result<Vec<schema::Space>, ApiError> {
    let mut open = Vec::new();
    for space in app.store.spaces().await? {
        let role = app.identity.role(caller, &space).await?;
        if let Some(role) = role {
            open.push(schema::Space::of(space, role));
        }
    }
    Ok(open)
}

/// List the spaces that one may enter, by slug.
#[utoipa::path(
    get, path = "/spaces", operation_id = "listSpaces", tag = "identity",
    params(
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of spaces", body = schema::SpacePage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn list(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let spaces = enterable(&app, &caller).await?;
    let page = page_of(raw.as_deref(), spaces, |space| space.slug.to_string())?;
    Ok(axum::Json(page.answer(schema::SpacePage::new)).into_response())
}

const CREATE: &str = "create spaces";
const RENAME: &str = "rename spaces";
const REMOVE: &str = "remove spaces";

/// Create a space. Only operators can do this, and the creator becomes its admin.
#[utoipa::path(
    post, path = "/spaces", operation_id = "createSpace", tag = "identity", request_body(content = schema::NewSpace, description = "The space to make"),
    responses((status = 201, description = "The space, with its creator as admin", body = schema::Space), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn create(
    State(app): State<App>,
    mut signed_in: SignedIn,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    operator(&signed_in.0, CREATE)?;
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let (slug, name) = new_space(body::parse(&bytes)?)?;
    let now = app.clock.now();
    let space = Space {
        id: SpaceId::new(now, &*app.random),
        slug,
        name,
        created_at: now,
    };
    let added = permitted!(&app, &headers, signed_in, {
        let caller = &signed_in.0;
        operator(caller, CREATE)?;
        let admin = Some(caller.user.clone());
        let done = caller
            .audit_entry(
                &app,
                AuditAction::SpaceCreated,
                Subject::new(space.id, &*space.name),
            )
            .within(space.id, space.slug.clone());
        caller
            .store(&app, done)
            .add_space(space.clone(), admin)
            .await
    });
    match added? {
        SpaceChange::Done => Ok((
            StatusCode::CREATED,
            axum::Json(schema::Space::of(space, Role::Admin)),
        )
            .into_response()),
        SpaceChange::SlugTaken | SpaceChange::Absent => Err(ApiError::new(
            ErrorKind::Conflict,
            "There is a space with this slug already.",
        )),
    }
}

/// Give a space another name. Only operators can do this.
#[utoipa::path(
    patch, path = "/spaces/{slug}", operation_id = "renameSpace", tag = "identity",
    params(("slug" = String, Path, description = "The space")),
    request_body(content = schema::SpaceName, description = "The new name"),
    responses((status = 200, description = "The space with its new name", body = schema::Space), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn rename(
    State(app): State<App>,
    Admin(mut entry): Admin,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    operator(entry.caller(), RENAME)?;
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let name = new_name(body::parse(&bytes)?)?;
    let renamed = permitted!(&app, &headers, entry, {
        operator(entry.caller(), RENAME)?;
        let space = entry.space();
        let done = entry
            .audit_entry(
                &app,
                AuditAction::SpaceRenamed,
                Subject::new(space.id, &*space.name),
            )
            .changing("name", Some((*space.name).into()), Some((*name).into()));
        let done = (!done.changes.is_empty()).then_some(done);
        entry
            .store(&app, done)
            .rename_space(&space.slug, name.clone())
            .await
    });
    match renamed? {
        SpaceChange::Done => {
            let space = Space {
                name,
                ..(**entry.space()).clone()
            };
            Ok(axum::Json(schema::Space::of(space, entry.role)).into_response())
        }
        SpaceChange::SlugTaken | SpaceChange::Absent => Err(ApiError::not_found("space")),
    }
}

/// Remove a space with everything in it: connectors, alerts, history and memberships. Only operators can do this.
#[utoipa::path(
    delete, path = "/spaces/{slug}", operation_id = "removeSpace", tag = "identity",
    params(("slug" = String, Path, description = "The space")),
    responses((status = 204, description = "The space is gone"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn remove(
    State(app): State<App>,
    Admin(mut entry): Admin,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    operator(entry.caller(), REMOVE)?;
    let removed = permitted!(&app, &headers, entry, {
        operator(entry.caller(), REMOVE)?;
        let space = entry.space();
        let subject = Subject::new(space.id, &*space.name);
        let done = entry.audit_entry(&app, AuditAction::SpaceRemoved, subject);
        entry.store(&app, done).remove_space(&space.slug).await
    });
    match removed? {
        SpaceChange::Done => {
            app.access_lost.send_replace(());
            Ok(StatusCode::NO_CONTENT)
        }
        SpaceChange::SlugTaken | SpaceChange::Absent => Err(ApiError::not_found("space")),
    }
}

fn new_name(json: Json<'_>) -> Result<String, ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let name = name(&mut reader);
    reader.refuse_unknown(&[]);
    reader.finish(name).map_err(ApiError::invalid)
}

fn new_space(json: Json<'_>) -> Result<(Slug, String), ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let slug = reader.required_text("slug");
    let slug = slug.and_then(|text| {
        let slug = Slug::parse(&text);
        if slug.is_none() {
            reader.fault("slug", FaultKind::NotOneOf, Slug::RULE);
        }
        slug
    });
    let name = name(&mut reader);
    reader.refuse_unknown(&[]);
    reader.finish(slug.zip(name)).map_err(ApiError::invalid)
}
