//! The users of the service, for operators.

use alert_connectors_model::{
    AuditAction, Email, FaultKind, FieldReader, Json, User, UserId, rfc3339_millis,
};
use alert_connectors_store::{
    Disabled, Invited, InvitedUser, NewUser, RemovedUser, Subject, UserRecord,
};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};

use super::{api_keys::refuse_keys, fields, invitations::FreshInvitation, schema};
use crate::{
    ApiError, App, Caller, ErrorKind,
    body::{self, BODY_BYTES_MAX},
    entry::{SignedIn, operator, permitted},
    page::page_of,
    path::PathEmail,
};

/// What an operator may do here.
const MANAGE: &str = "manage users";

impl From<UserRecord> for schema::Account {
    fn from(record: UserRecord) -> Self {
        Self {
            id: record.user.id,
            email: record.user.email.to_string(),
            full_name: record.user.full_name,
            is_operator: record.is_operator,
            is_disabled: record.is_disabled,
            has_password: record.password_hash.is_some(),
            created_at: rfc3339_millis(record.created_at),
        }
    }
}

/// List all users, by e-mail. Only operators can do this.
#[utoipa::path(
    get, path = "/users", operation_id = "listUsers", tag = "identity",
    params(
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of users", body = schema::AccountPage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn list(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    operator(&caller, MANAGE)?;
    let users = app.store.users().await?;
    let users: Vec<schema::Account> = users.into_iter().map(schema::Account::from).collect();
    let page = page_of(raw.as_deref(), users, |user| user.email.clone())?;
    Ok(axum::Json(page.answer(schema::AccountPage::new)).into_response())
}

/// Make a user, who sets a password with the invitation of the answer. Only operators can do this.
#[utoipa::path(
    post, path = "/users", operation_id = "createUser", tag = "identity",
    request_body(content = schema::NewAccount, description = "The user to make"),
    responses((status = 201, description = "The user with the invitation, which is shown this once", body = schema::InvitedAccount), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn create(
    State(app): State<App>,
    mut signed_in: SignedIn,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    manager(&signed_in.0)?;
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let (email, full_name, is_operator) = new_account(body::parse(&bytes)?)?;
    let (user, invited) = (
        new_user(&app, email, full_name, is_operator),
        FreshInvitation::new(&app),
    );
    let added = permitted!(&app, &headers, signed_in, {
        let caller = &signed_in.0;
        manager(caller)?;
        let subject = Subject::new(user.user.id, user.user.email.as_str());
        let done = caller
            .audit_entry(&app, AuditAction::UserCreated, subject)
            .changing("is_operator", None, is_operator.then(|| true.into()));
        let new = InvitedUser {
            user: user.clone(),
            invitation: invited.kept,
            membership: None,
        };
        caller.store(&app, done).invite(new).await
    });
    match added? {
        Invited::Added => {
            let answer = schema::InvitedAccount {
                user: UserRecord::of_new(user).into(),
                invitation: invited.shown(&app),
            };
            Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
        }
        Invited::EmailTaken | Invited::NoSpace => Err(ApiError::new(
            ErrorKind::Conflict,
            "There is a user with this e-mail address already.",
        )),
    }
}

/// A user who has no password yet.
pub(super) fn new_user(app: &App, email: Email, full_name: String, is_operator: bool) -> NewUser {
    let now = app.clock.now();
    NewUser {
        user: User {
            id: UserId::new(now, &*app.random),
            email,
            full_name,
        },
        password_hash: None,
        is_operator,
        created_at: now,
    }
}

/// Lock a user out, which ends all tokens and keys at once, or let the user in again. Only operators can do this, and not to
/// themselves.
#[utoipa::path(
    patch, path = "/users/{email}", operation_id = "updateUser", tag = "identity",
    params(("email" = String, Path, description = "The user")),
    request_body(content = schema::AccountChange, description = "What is to change"),
    responses((status = 200, description = "The user as it is now", body = schema::Account), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn change(
    State(app): State<App>,
    mut signed_in: SignedIn,
    PathEmail(email): PathEmail,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    manager(&signed_in.0)?;
    let email = user_email(&email)?;
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let is_disabled = account_change(body::parse(&bytes)?)?;
    let (disabled, action) = if is_disabled {
        (Disabled::Yes, AuditAction::UserDisabled)
    } else {
        (Disabled::No, AuditAction::UserEnabled)
    };
    let changed = permitted!(&app, &headers, signed_in, {
        let caller = &signed_in.0;
        manager(caller)?;
        refuse_oneself(&caller.user, &email)?;
        let current = app.store.user(&email).await?.ok_or_else(no_user)?;
        let done = caller.audit_entry(&app, action, Subject::new(current.user.id, email.as_str()));
        let done = (current.is_disabled != is_disabled).then_some(done);
        caller
            .store(&app, done)
            .set_disabled(&email, disabled)
            .await
    });
    if !changed? {
        return Err(no_user());
    }
    app.access_lost.send_replace(());
    let record = app.store.user(&email).await?.ok_or_else(no_user)?;
    Ok(axum::Json(schema::Account::from(record)).into_response())
}

/// Remove a user: memberships, tokens and keys go, and what the user made stays under the user's name. Only operators can do this,
/// and not to themselves.
#[utoipa::path(
    delete, path = "/users/{email}", operation_id = "removeUser", tag = "identity",
    params(("email" = String, Path, description = "The user")),
    responses((status = 204, description = "The user is gone"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn remove(
    State(app): State<App>,
    mut signed_in: SignedIn,
    PathEmail(email): PathEmail,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    manager(&signed_in.0)?;
    let email = user_email(&email)?;
    let removed = permitted!(&app, &headers, signed_in, {
        let caller = &signed_in.0;
        manager(caller)?;
        refuse_oneself(&caller.user, &email)?;
        let subject = Subject::named(email.as_str());
        let done = caller.audit_entry(&app, AuditAction::UserRemoved, subject);
        caller.store(&app, done).remove_user(&email).await
    });
    match removed? {
        RemovedUser::Removed => {
            app.access_lost.send_replace(());
            Ok(StatusCode::NO_CONTENT)
        }
        RemovedUser::Absent => Err(no_user()),
        RemovedUser::LastAdmin(spaces) => {
            let spaces: Vec<String> = spaces.iter().take(10).map(ToString::to_string).collect();
            let detail = format!(
                "These spaces would have no admin left: {}. Make someone else admin first.",
                spaces.join(", ")
            );
            Err(ApiError::new(ErrorKind::Conflict, detail))
        }
    }
}

/// Invite a user again: the earlier invitation is no longer valid. The user's password stays valid until the user sets another with
/// the new invitation. Only operators can do this.
#[utoipa::path(
    post, path = "/users/{email}/invitation", operation_id = "inviteUser", tag = "identity",
    params(("email" = String, Path, description = "The user")),
    responses((status = 201, description = "The invitation, which is shown this once", body = schema::Invitation), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn invite(
    State(app): State<App>,
    mut signed_in: SignedIn,
    PathEmail(email): PathEmail,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    manager(&signed_in.0)?;
    let email = user_email(&email)?;
    let invited = FreshInvitation::new(&app);
    let is_there = permitted!(&app, &headers, signed_in, {
        let caller = &signed_in.0;
        manager(caller)?;
        let subject = Subject::named(email.as_str());
        let done = caller.audit_entry(&app, AuditAction::UserInvited, subject);
        caller
            .store(&app, done)
            .invite_again(&email, invited.kept)
            .await
    });
    if is_there? {
        return Ok((StatusCode::CREATED, axum::Json(invited.shown(&app))).into_response());
    }
    Err(ApiError::not_found("user who may sign in"))
}

/// Lets only operators on who have signed in: with an invitation, a key would become a session.
fn manager(caller: &Caller) -> Result<(), ApiError> {
    operator(caller, MANAGE)?;
    refuse_keys(caller)
}

fn no_user() -> ApiError {
    ApiError::not_found("user")
}

pub(super) fn user_email(text: &str) -> Result<Email, ApiError> {
    Email::parse(text).map_err(|_malformed| no_user())
}

/// So at least one operator stays.
fn refuse_oneself(caller: &User, email: &Email) -> Result<(), ApiError> {
    if caller.email != *email {
        return Ok(());
    }
    let detail = "You can't lock out or remove yourself; ask another operator.";
    Err(ApiError::new(ErrorKind::Conflict, detail))
}

fn new_account(json: Json<'_>) -> Result<(Email, String, bool), ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let email = reader.required_text("email");
    let email = email.and_then(|text| {
        Email::parse(&text)
            .map_err(|what| reader.fault("email", FaultKind::NotOneOf, what))
            .ok()
    });
    let name = reader.required_text("full_name");
    let name = name.and_then(|text| full_name(&mut reader, &text));
    let is_operator = fields::flag(&mut reader, "is_operator").unwrap_or_default();
    reader.refuse_unknown(&[]);
    let account = email.zip(name);
    let account = account.map(|(email, name)| (email, name, is_operator));
    reader.finish(account).map_err(ApiError::invalid)
}

/// A name for people.
pub(super) fn full_name(reader: &mut FieldReader<'_>, text: &str) -> Option<String> {
    fields::display_name_of(reader, "full_name", text)
}

fn account_change(json: Json<'_>) -> Result<bool, ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let is_disabled = fields::flag(&mut reader, "is_disabled");
    reader.require("is_disabled");
    reader.refuse_unknown(&[]);
    reader.finish(is_disabled).map_err(ApiError::invalid)
}
