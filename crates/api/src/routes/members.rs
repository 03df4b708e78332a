//! The members of a space.

use alert_connectors_model::{
    AuditAction, Email, FaultKind, FieldReader, Json, Role, SpaceId, rfc3339_millis,
};
use alert_connectors_store::{Member, MemberChange, Subject};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::schema;
use crate::{
    ApiError, App, ErrorKind,
    body::{self, BODY_BYTES_MAX},
    entry::{Admin, Viewer, permitted},
    page::page_of,
    path::PathEmail,
};

impl From<Member> for schema::Member {
    fn from(member: Member) -> Self {
        Self {
            user: member.user,
            role: member.role,
            added_at: rfc3339_millis(member.added_at),
        }
    }
}

/// List the members of a space, by e-mail.
#[utoipa::path(
    get, path = "/spaces/{slug}/members", operation_id = "listMembers", tag = "identity",
    params(
        ("slug" = String, Path, description = "The space"),
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of members", body = schema::MemberPage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn list(
    State(app): State<App>,
    Viewer(entry): Viewer,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let members = app.store.members(entry.space().id).await?;
    let members: Vec<schema::Member> = members.into_iter().map(schema::Member::from).collect();
    let page = page_of(raw.as_deref(), members, |member| {
        member.user.email.to_string()
    })?;
    Ok(axum::Json(page.answer(schema::MemberPage::new)).into_response())
}

/// Make someone a member, or give a member another role.
#[utoipa::path(
    put, path = "/spaces/{slug}/members/{email}", operation_id = "setMember", tag = "identity",
    params(("slug" = String, Path, description = "The space"), ("email" = String, Path, description = "The user")),
    request_body(content = schema::MemberRole, description = "The role"),
    responses(
        (status = 200, description = "The member with the new role", body = schema::Member),
        (status = 201, description = "The new member", body = schema::Member),
        (status = "default", response = schema::AnyProblem),
    )
)]
pub(super) async fn set(
    State(app): State<App>,
    Admin(mut entry): Admin,
    PathEmail(email): PathEmail,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let email = user_email(&email)?;
    if app.store.user(&email).await?.is_none() {
        return Err(ApiError::not_found("user"));
    }
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let role = new_role(body::parse(&bytes)?)?;
    let now = app.clock.now();
    let changed = permitted!(&app, &headers, entry, {
        let space = entry.space().id;
        let before = role_before(&app, space, &email).await?;
        let done = entry
            .does(&app, AuditAction::MemberSet, Subject::named(email.as_str()))
            .changing("role", before.map(|role| json!(role)), Some(json!(role)));
        let done = (!done.changes.is_empty()).then_some(done);
        entry
            .store(&app, done)
            .set_member(space, &email, role, now)
            .await
    });
    match changed? {
        MemberChange::Added(member) => Ok((
            StatusCode::CREATED,
            axum::Json(schema::Member::from(member)),
        )
            .into_response()),
        MemberChange::Changed(member) => {
            Ok(axum::Json(schema::Member::from(member)).into_response())
        }
        change => Err(refused(&change)),
    }
}

/// Remove a member.
#[utoipa::path(
    delete, path = "/spaces/{slug}/members/{email}", operation_id = "removeMember", tag = "identity",
    params(("slug" = String, Path, description = "The space"), ("email" = String, Path, description = "The user")),
    responses((status = 204, description = "The member is gone"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn remove(
    State(app): State<App>,
    Admin(mut entry): Admin,
    PathEmail(email): PathEmail,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let email = user_email(&email)?;
    let changed = permitted!(&app, &headers, entry, {
        let space = entry.space().id;
        let before = role_before(&app, space, &email).await?;
        let done = entry
            .does(
                &app,
                AuditAction::MemberRemoved,
                Subject::named(email.as_str()),
            )
            .changing("role", before.map(|role| json!(role)), None);
        entry.store(&app, done).remove_member(space, &email).await
    });
    match changed? {
        MemberChange::Removed => {
            app.access_lost.send_replace(());
            Ok(StatusCode::NO_CONTENT)
        }
        change => Err(refused(&change)),
    }
}

/// The role that a user has in a space. It is still the same when the change is made: the change checks the version of identity.
async fn role_before(app: &App, space: SpaceId, email: &Email) -> Result<Option<Role>, ApiError> {
    let members = app.store.members(space).await?;
    let member = members.iter().find(|member| member.user.email == *email);
    Ok(member.map(|member| member.role))
}

fn refused(change: &MemberChange) -> ApiError {
    match change {
        MemberChange::LastAdmin => {
            let detail = "The space would have no admin left; make someone else admin first.";
            ApiError::new(ErrorKind::Conflict, detail)
        }
        MemberChange::NoSpace => ApiError::not_found("space"),
        MemberChange::Absent
        | MemberChange::Added(_)
        | MemberChange::Changed(_)
        | MemberChange::Removed => ApiError::not_found("member of this space"),
    }
}

fn user_email(text: &str) -> Result<Email, ApiError> {
    Email::parse(text).map_err(|_malformed| ApiError::not_found("user"))
}

fn new_role(json: Json<'_>) -> Result<Role, ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let role = reader.required_text("role");
    let role = role.and_then(|text| {
        let role = Role::parse(&text);
        if role.is_none() {
            let msg = "role must be one of viewer, editor, admin.";
            reader.fault("role", FaultKind::NotOneOf, msg);
        }
        role
    });
    reader.refuse_unknown(&[]);
    reader.finish(role).map_err(ApiError::invalid)
}
