//! Passwords that people set themselves: the first one by an invitation, another one in place of the one that they know.

use std::borrow::Cow;

use alert_connectors_model::{
    AuditAction, AuthMethod, Fault, FaultKind, FieldReader, Json, Loc, Secret, rfc3339_millis,
};
use alert_connectors_store::{Actor, AuditEntry, Invitation, Subject};
use axum::{
    body::Body,
    extract::{Extension, State},
};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::{
    api_keys::refuse_keys,
    auth::{password_of, verified_user},
    schema,
};
use crate::{
    ApiError, App, ErrorKind, Password, Peer,
    body::{self, SIGN_IN_BYTES_MAX},
    body_budget::CallerKind,
    entry::{SignedIn, permitted},
    new_token, token_hash,
};

/// How long an invitation is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Where the console takes an invitation. The token stands behind the #, so that no log on the way holds it.
const PAGE: &str = "/console/invitation#";

/// An invitation that was made here: what is stored of it, and what is shown once.
pub(super) struct FreshInvitation {
    pub(super) kept: Invitation,
    token: Secret,
}

impl FreshInvitation {
    pub(super) fn new(app: &App) -> Self {
        let token = new_token("acinvite_", &*app.random);
        let now = app.clock.now();
        let kept = Invitation {
            hash: token_hash(token.expose()),
            expires_at: now.checked_add(GOOD_FOR).unwrap_or(Timestamp::MAX),
        };
        Self { kept, token }
    }

    pub(super) fn shown(&self, app: &App) -> schema::Invitation {
        let token = self.token.expose();
        schema::Invitation {
            token: token.to_owned(),
            url: app
                .public_url
                .as_ref()
                .map(|base| format!("{base}{PAGE}{token}")),
            expires_at: rfc3339_millis(self.kept.expires_at),
        }
    }
}

/// Set a password by an invitation, which ends with it. The user's sessions end.
#[utoipa::path(
    post, path = "/auth/invitation", operation_id = "acceptInvitation", tag = "identity",
    request_body(content = schema::AcceptedInvitation, description = "The token of the invitation, and the password"), security(()),
    responses((status = 204, description = "The password is set"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn accept(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    request: Body,
) -> Result<StatusCode, ApiError> {
    let (kind, most) = (CallerKind::Stranger, SIGN_IN_BYTES_MAX);
    let bytes = body::read_from(&app, kind, &headers, request, most).await?;
    let (token, password) = accepted(body::parse(&bytes)?)?;
    let hash = token_hash(token.expose());
    // Only a good one is worth the work of a hash.
    let user = app.store.invited(hash, app.clock.now()).await?;
    let user = user.ok_or_else(not_good)?;
    let password_hash = hashed(&app, password).await?;
    let peer = peer.map(|Extension(peer)| peer);
    let actor = Actor {
        email: Some(user.email.to_string()),
        auth_method: AuthMethod::Invitation,
        name: None,
        ip_address: app.trusted_proxies.client(peer, &headers),
    };
    let now = app.clock.now();
    let subject = Subject::new(user.id, user.email.as_str());
    let done = AuditEntry::new(now, actor, AuditAction::PasswordChanged, subject);
    let store = app.store.on_behalf(app.leaving(Some(done)));
    if !store.accept_invitation(hash, password_hash, now).await? {
        return Err(not_good());
    }
    app.access_lost.send_replace(());
    Ok(StatusCode::NO_CONTENT)
}

/// Set another password for oneself. All one's sessions end, this one too; keys stay.
#[utoipa::path(
    put, path = "/auth/password", operation_id = "changePassword", tag = "identity",
    request_body(content = schema::PasswordChange, description = "The password that is good now, and the new one"),
    responses((status = 204, description = "The new one is good from now on"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn change_password(
    State(app): State<App>,
    mut signed_in: SignedIn,
    headers: HeaderMap,
    request: Body,
) -> Result<StatusCode, ApiError> {
    refuse_keys(&signed_in.0)?;
    let bytes = body::read(&app, &headers, request, SIGN_IN_BYTES_MAX).await?;
    let (current, new) = passwords(body::parse(&bytes)?)?;
    // The body may have been long on its way.
    signed_in.again(&app, &headers).await?;
    let email = signed_in.0.user.email.clone();
    let tried = app
        .sign_in_limit
        .begin(&email, signed_in.0.ip_address)
        .map_err(|wait| {
            let detail = "Too many wrong passwords for this e-mail; wait a few minutes.";
            ApiError::too_many(detail, wait)
        })?;
    if verified_user(&app, &email, current).await?.is_none() {
        return Err(wrong_password());
    }
    app.sign_in_limit.succeeded(&tried);
    let hash = hashed(&app, new).await?;
    let changed = permitted!(&app, &headers, signed_in, {
        let caller = &signed_in.0;
        let subject = Subject::new(caller.user.id, email.as_str());
        let done = caller.audit_entry(&app, AuditAction::PasswordChanged, subject);
        caller
            .store(&app, done)
            .set_password(&email, hash.clone())
            .await
    });
    changed?;
    app.access_lost.send_replace(());
    Ok(StatusCode::NO_CONTENT)
}

async fn hashed(app: &App, password: Password) -> Result<String, ApiError> {
    let detail = "Too many passwords are checked now; repeat the request in a second.";
    let hash = app.passwords.hash_in_turn(password).await;
    hash.ok_or_else(|| ApiError::unavailable(detail))
}

fn not_good() -> ApiError {
    let detail = "This invitation is not valid: it was used or replaced, or it has expired. Ask the person who invited you for another.";
    ApiError::new(ErrorKind::NotFound, detail)
}

fn wrong_password() -> ApiError {
    ApiError::invalid(vec![Fault::new(
        Loc::body().field("current_password"),
        FaultKind::NotOneOf,
        "current_password is not your password.",
    )])
}

fn accepted(json: Json<'_>) -> Result<(Secret, Password), ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let token = reader.required_text("token").map(Cow::into_owned);
    let password = chosen(&mut reader, "password");
    reader.refuse_unknown(&[]);
    let accepted = token.map(Secret::new).zip(password);
    reader.finish(accepted).map_err(ApiError::invalid)
}

fn passwords(json: Json<'_>) -> Result<(Password, Password), ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let current = password_of(&mut reader, "current_password");
    let new = chosen(&mut reader, "new_password");
    reader.refuse_unknown(&[]);
    reader.finish(current.zip(new)).map_err(ApiError::invalid)
}

/// A password that somebody chooses.
fn chosen(reader: &mut FieldReader<'_>, name: &'static str) -> Option<Password> {
    let text = reader.required_text(name)?;
    let kind = if text.len() > Password::BYTES_MAX {
        FaultKind::TooLong
    } else {
        FaultKind::TooShort
    };
    Password::chosen(Secret::new(text.into_owned()))
        .map_err(|what| reader.fault(name, kind, what))
        .ok()
}
