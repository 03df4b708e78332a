//! The members of a space.

use alert_connectors_model::{
    AuditAction, Email, FaultKind, FieldReader, Json, Role, SpaceId, rfc3339_millis,
};
use alert_connectors_store::{Invited, InvitedUser, Member, MemberChange, Subject};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{
    accounts::{full_name, new_user, user_email},
    api_keys::refuse_keys,
    invitations::FreshInvitation,
    schema,
};
use crate::{
    ApiError, App, ErrorKind,
    body::{self, BODY_BYTES_MAX},
    entry::{Admin, Entry, Viewer, permitted},
    page::page_of,
    path::PathEmail,
};

impl From<Member> for schema::Member {
    fn from(member: Member) -> Self {
        Self {
            user: member.user,
            role: member.role,
            added_at: rfc3339_millis(member.added_at),
            invitation: None,
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

/// Make someone a member, or give a member another role. Someone who is no user yet becomes one, and sets a password with the
/// invitation of the answer.
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
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let (role, full_name) = new_role(body::parse(&bytes)?)?;
    if app.store.user(&email).await?.is_none() {
        let guest = Guest {
            email,
            full_name,
            role,
        };
        return invite(&app, &headers, entry, guest).await;
    }
    let now = app.clock.now();
    let changed = permitted!(&app, &headers, entry, {
        let space = entry.space().id;
        let before = role_before(&app, space, &email).await?;
        let done = entry
            .audit_entry(&app, AuditAction::MemberSet, Subject::named(email.as_str()))
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

/// Somebody who is no user yet.
struct Guest {
    email: Email,
    full_name: Option<String>,
    role: Role,
}

/// Makes a user who is a member of the space from the start.
async fn invite(
    app: &App,
    headers: &HeaderMap,
    mut entry: Entry,
    guest: Guest,
) -> Result<Response, ApiError> {
    refuse_keys(entry.caller())?;
    // What stands before the @ names them until they are known by more.
    let local = guest.email.as_str().split('@').next().unwrap_or_default();
    let name = guest.full_name.unwrap_or_else(|| local.to_owned());
    let user = new_user(app, guest.email, name, false);
    let (role, invited) = (guest.role, FreshInvitation::new(app));
    let added = permitted!(app, headers, entry, {
        let subject = Subject::new(user.user.id, user.user.email.as_str());
        let done = entry
            .audit_entry(app, AuditAction::UserCreated, subject)
            .changing("role", None, Some(json!(role)));
        let new = InvitedUser {
            user: user.clone(),
            invitation: invited.kept,
            membership: Some((entry.space().id, role)),
        };
        entry.store(app, done).invite(new).await
    });
    match added? {
        Invited::Added => {
            let member = schema::Member {
                user: user.user,
                role,
                added_at: rfc3339_millis(user.created_at),
                invitation: Some(invited.shown(app)),
            };
            Ok((StatusCode::CREATED, axum::Json(member)).into_response())
        }
        Invited::EmailTaken => Err(ApiError::new(
            ErrorKind::Conflict,
            "Someone has just made this user; repeat the request.",
        )),
        Invited::NoSpace => Err(ApiError::not_found("space")),
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
            .audit_entry(
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

/// The role, and the name of someone who may be no user yet.
fn new_role(json: Json<'_>) -> Result<(Role, Option<String>), ApiError> {
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
    let name = reader.optional_text("full_name");
    let name = name.and_then(|text| full_name(&mut reader, &text));
    reader.refuse_unknown(&[]);
    let role = role.map(|role| (role, name));
    reader.finish(role).map_err(ApiError::invalid)
}
