//! Signing in and out.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use alert_connectors_model::{
    AuditAction, AuthMethod, Email, FaultKind, FieldReader, Json, Secret, User, rfc3339_millis,
};
use alert_connectors_store::{Mandate, NewToken, Store, StoreError, Subject, UserRecord};
use axum::{
    body::Body,
    extract::{Extension, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};

use super::{schema, spaces::enterable};
use crate::{
    ApiError, App, Caller, ErrorKind, IdentityError, Password, Peer,
    body::{self, SIGN_IN_BYTES_MAX},
    body_budget::CallerKind,
    entry::{SignedIn, TRIES_MAX},
    identity::{caller_token, forget_cookie, is_foreign, set_cookie},
    new_token, token_hash,
    trail::SignInTry,
};

/// How long a session lasts.
pub(super) const SESSION: SignedDuration = SignedDuration::from_hours(12);

/// Sign in with e-mail and password.
#[utoipa::path(
    post, path = "/auth/token", operation_id = "signIn", tag = "identity", request_body(content = schema::SignIn, description = "The user's e-mail address and password"), security(()),
    responses((status = 200, description = "A session token", body = schema::Token<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    let session = NewSession::begin(&app, peer, &headers, request).await?;
    let body = schema::Token {
        access_token: session.token.expose(),
        token_type: "bearer",
        expires_at: rfc3339_millis(session.expires_at),
        user: &session.user,
    };
    Ok(axum::Json(body).into_response())
}

/// Sign in a browser with e-mail and password: the session token is kept in a cookie that no script can read.
#[utoipa::path(
    post, path = "/auth/session", operation_id = "beginSession", tag = "identity", request_body(content = schema::SignIn, description = "The user's e-mail address and password"), security(()),
    responses((status = 204, description = "The cookie is set", headers(("set-cookie" = String, description = "The session token"))), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn begin_session(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    if is_foreign(&headers) {
        return Err(IdentityError::ForeignOrigin.into());
    }
    let session = NewSession::begin(&app, peer, &headers, request).await?;
    let cookie = set_cookie(&headers, session.token.expose(), SESSION);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Sign out a browser: its token is dead at once, everywhere, and its cookie is gone.
#[utoipa::path(
    delete, path = "/auth/session", operation_id = "endSession", tag = "identity",
    responses((status = 204, description = "The token is revoked"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn end_session(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    end(&app, &caller, &headers).await?;
    let cookie = forget_cookie(&headers);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// A session that has just begun.
pub(super) struct NewSession {
    pub(super) token: Secret,
    expires_at: Timestamp,
    user: User,
}

impl NewSession {
    /// Begins a session for the e-mail and the password of a body.
    async fn begin(
        app: &App,
        peer: Option<Extension<Peer>>,
        headers: &HeaderMap,
        request: Body,
    ) -> Result<Self, ApiError> {
        let bytes = body::read_from(
            app,
            CallerKind::Stranger,
            headers,
            request,
            SIGN_IN_BYTES_MAX,
        )
        .await?;
        let (email, password) = credentials(body::parse(&bytes)?)?;
        let client = app
            .trusted_proxies
            .client(peer.map(|Extension(peer)| peer), headers);
        let email = Email::parse(&email).ok();
        let attempt = SignInTry {
            email: email.as_ref(),
            auth_method: AuthMethod::Password,
            ip_address: client,
        };
        // No user has an invalid address.
        let Some(email) = &email else {
            app.note_refused_sign_in(&attempt).await?;
            return Err(refused());
        };
        let tried = match app.sign_in_limit.begin(email, client) {
            Ok(tried) => tried,
            Err(wait) => {
                app.note_refused_sign_in(&attempt).await?;
                let detail = "Too many failed sign-ins for this e-mail from this address; wait a few minutes.";
                return Err(ApiError::too_many(detail, wait));
            }
        };
        let record = match verified_user(app, email, password).await {
            Ok(Some(record)) => record,
            Ok(None) => {
                app.note_refused_sign_in(&attempt).await?;
                return Err(refused());
            }
            Err(problem) => {
                app.sign_in_limit.not_checked(&tried);
                return Err(problem);
            }
        };
        app.sign_in_limit.succeeded(&tried);
        let (session, new) = Self::made(app, &record.user);
        admit(app, new, &record, &attempt).await?;
        Ok(session)
    }

    /// Begins a session for a user whom another service vouches for. Nothing if there is no such user any more, or a disabled one.
    pub(super) async fn of_user(
        app: &App,
        email: &Email,
        ip_address: Option<IpAddr>,
    ) -> Result<Option<Self>, StoreError> {
        let attempt = SignInTry {
            email: Some(email),
            auth_method: AuthMethod::SingleSignOn,
            ip_address,
        };
        for _ in 0..TRIES_MAX {
            let Some(found) = app.store.session_of(email).await? else {
                return Ok(None);
            };
            let (session, new) = Self::made(app, &found.user);
            let store = admitting(app, found.version, &attempt);
            match store.add_token(new, app.clock.now()).await {
                Err(StoreError::Stale) => {}
                added => return added.map(|()| Some(session)),
            }
        }
        Err(StoreError::Stale)
    }

    /// A session with a new token, and what is stored of it.
    fn made(app: &App, user: &User) -> (Self, NewToken) {
        let now = app.clock.now();
        let expires_at = now.checked_add(SESSION).unwrap_or(now);
        let token = new_token("acs_", &*app.random);
        let new = NewToken {
            hash: token_hash(token.expose()),
            user_id: user.id,
            expires_at,
        };
        let session = Self {
            token,
            expires_at,
            user: user.clone(),
        };
        (session, new)
    }
}

/// The user, if the e-mail and the password are right; an unknown e-mail takes as long as a wrong password.
pub(super) async fn verified_user(
    app: &App,
    email: &Email,
    password: Password,
) -> Result<Option<UserRecord>, ApiError> {
    let record = app.store.user(email).await?;
    let record = record.filter(|record| !record.is_disabled);
    let hash = record
        .as_ref()
        .and_then(|record| record.password_hash.clone());
    let verified = app.passwords.verify(password, hash).await;
    let detail = "Too many sign-ins are under way; repeat the request in a second.";
    let right = verified.ok_or_else(|| ApiError::unavailable(detail))?;
    Ok(record.filter(|_| right))
}

/// Stores a token if the user has not changed since the check: a password that was replaced meanwhile opens nothing.
async fn admit(
    app: &App,
    token: NewToken,
    verified: &UserRecord,
    attempt: &SignInTry<'_>,
) -> Result<(), ApiError> {
    for _ in 0..TRIES_MAX {
        let version = app.store.version().await?;
        let found = app.store.user(&verified.user.email).await?;
        let is_same = |record: &UserRecord| {
            !record.is_disabled && record.password_hash == verified.password_hash
        };
        if !found.is_some_and(|record| is_same(&record)) {
            return Err(refused());
        }
        let store = admitting(app, version, attempt);
        match store.add_token(token.clone(), app.clock.now()).await {
            Err(StoreError::Stale) => {}
            added => return Ok(added?),
        }
    }
    Err(StoreError::Stale.into())
}

/// The store for a session that begins, at a version of identity.
fn admitting(app: &App, version: i64, attempt: &SignInTry<'_>) -> Arc<dyn Store> {
    let entry = app.sign_in_entry(AuditAction::SignedIn, attempt);
    app.store.on_behalf(Mandate {
        identity_version: Some(version),
        ..app.leaving(Some(entry))
    })
}

fn refused() -> ApiError {
    ApiError::new(ErrorKind::Unauthenticated, "E-mail or password is wrong.")
}

fn credentials(json: Json<'_>) -> Result<(String, Password), ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let email = reader.required_text("email").map(Cow::into_owned);
    let password = password_of(&mut reader, "password");
    reader.refuse_unknown(&[]);
    reader
        .finish(email.zip(password))
        .map_err(ApiError::invalid)
}

/// A password that somebody knows.
pub(super) fn password_of(reader: &mut FieldReader<'_>, name: &'static str) -> Option<Password> {
    let text = reader.required_text(name)?;
    Password::new(Secret::new(text.into_owned()))
        .map_err(|msg| reader.fault(name, FaultKind::TooLong, msg))
        .ok()
}

/// Sign out: the token is dead at once, everywhere.
#[utoipa::path(
    post, path = "/auth/logout", operation_id = "signOut", tag = "identity",
    responses((status = 204, description = "The token is revoked"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn sign_out(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    end(&app, &caller, &headers).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<(), ApiError> {
    if caller.key.is_some() {
        let detail = "An API key has no session; end it with DELETE /api-keys/{id}.";
        return Err(ApiError::new(ErrorKind::Forbidden, detail));
    }
    let ended = match caller_token(headers) {
        Ok(token) => {
            let subject = Subject::named(caller.user.email.as_str());
            let done = caller.audit_entry(app, AuditAction::SignedOut, subject);
            let store = app.store.on_behalf(app.leaving(Some(done)));
            store.end_token(token_hash(token)).await?
        }
        // A platform that brings its own identity may know the caller by something else.
        Err(_other) => false,
    };
    if !ended {
        let detail = "This session did not begin here; end it where you signed in.";
        return Err(ApiError::new(ErrorKind::Forbidden, detail));
    }
    app.access_lost.send_replace(());
    Ok(())
}

/// Who the caller is, and which spaces are open.
#[utoipa::path(
    get, path = "/auth/me", operation_id = "getMe", tag = "identity",
    responses((status = 200, description = "The caller", body = schema::Me<'static>), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn me(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
) -> Result<Response, ApiError> {
    let spaces = enterable(&app, &caller).await?;
    Ok(axum::Json(schema::Me {
        user: &caller.user,
        spaces,
    })
    .into_response())
}
