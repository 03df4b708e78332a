//! A user's own API keys.

use std::borrow::Cow;

use alert_connectors_model::{
    AuditAction, Fault, FaultKind, FieldReader, Json, KeyId, KeyScope, Loc, Secret, Slug,
    rfc3339_millis,
};
use alert_connectors_store::{ApiKey, AuditEntry, NewApiKey, Subject};
use axum::{
    body::Body,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::{fields::name, schema};
use crate::{
    ApiError, App, Caller, ErrorKind,
    body::{self, BODY_BYTES_MAX},
    entry::{SignedIn, permitted},
    new_token,
    page::page_of,
    path::PathId,
    token_hash,
};

impl From<ApiKey> for schema::ApiKey {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            space: key.space.map(|(_, slug)| slug.to_string()),
            scope: key.scope,
            created_at: rfc3339_millis(key.created_at),
            expires_at: key.expires_at.map(rfc3339_millis),
            last_used_at: key.last_used_at.map(rfc3339_millis),
        }
    }
}

impl schema::ApiKey {
    /// The key with its secret, which is shown once.
    fn shown(self, secret: &Secret) -> schema::NewApiKeyShown {
        schema::NewApiKeyShown {
            id: self.id,
            name: self.name,
            space: self.space,
            scope: self.scope,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            key: secret.expose().to_owned(),
        }
    }
}

/// List one's own keys, by name.
#[utoipa::path(
    get, path = "/api-keys", operation_id = "listApiKeys", tag = "identity",
    params(
        ("limit" = Option<u16>, Query, description = "1 to 200, 50 if left out", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "The next_cursor of the page before"),
    ),
    responses((status = 200, description = "A page of keys", body = schema::ApiKeyPage), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn list(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let keys = app.store.keys(caller.user.id).await?;
    // A key that is narrowed to one space sees nothing of the others.
    let only = caller.key.and_then(|key| key.space);
    let is_shown = |key: &ApiKey| only.is_none() || key.space == only;
    let keys = keys.into_iter().filter(is_shown);
    let keys: Vec<schema::ApiKey> = keys.map(schema::ApiKey::from).collect();
    let page = page_of(raw.as_deref(), keys, |key| {
        format!("{}\n{}", key.name, key.id)
    })?;
    Ok(axum::Json(page.answer(schema::ApiKeyPage::new)).into_response())
}

/// Make a key. The key itself is shown this once.
#[utoipa::path(
    post, path = "/api-keys", operation_id = "createApiKey", tag = "identity", request_body(content = schema::NewApiKey, description = "The key to make"),
    responses((status = 201, description = "The key, which is shown this once", body = schema::NewApiKeyShown), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn create(
    State(app): State<App>,
    mut signed_in: SignedIn,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, ApiError> {
    refuse_keys(&signed_in.0)?;
    let bytes = body::read(&app, &headers, request, BODY_BYTES_MAX).await?;
    let wanted = wanted(body::parse(&bytes)?, app.clock.now())?;
    let now = app.clock.now();
    let secret = new_token("ack_", &*app.random);
    let mut key = ApiKey {
        id: KeyId::new(now, &*app.random),
        name: wanted.name,
        space: None,
        scope: wanted.scope,
        created_at: now,
        expires_at: wanted.expires_at,
        last_used_at: None,
    };
    let added = permitted!(&app, &headers, signed_in, {
        if let Some(slug) = &wanted.space {
            key.space = Some(open_space(&app, &signed_in.0, slug).await?);
        }
        let new = NewApiKey {
            hash: token_hash(secret.expose()),
            user_id: signed_in.0.user.id,
            key: key.clone(),
        };
        let done = created_entry(&app, &signed_in.0, &key);
        signed_in.0.store(&app, done).add_key(new).await
    });
    if !added? {
        return Err(ApiError::new(
            ErrorKind::Conflict,
            "You have 100 keys, which is the maximum; delete one first.",
        ));
    }
    let body = schema::ApiKey::from(key).shown(&secret);
    Ok((StatusCode::CREATED, axum::Json(body)).into_response())
}

/// Revoke a key. It is dead at once, everywhere.
#[utoipa::path(
    delete, path = "/api-keys/{id}", operation_id = "revokeApiKey", tag = "identity",
    params(("id" = String, Path, description = "The key")),
    responses((status = 204, description = "The key was revoked"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn revoke(
    State(app): State<App>,
    mut signed_in: SignedIn,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    refuse_keys(&signed_in.0)?;
    let absent = || ApiError::not_found("key of yours");
    let id: KeyId = id.parse().map_err(|_malformed| absent())?;
    let revoked = permitted!(&app, &headers, signed_in, {
        let caller = &signed_in.0;
        let keys = app.store.keys(caller.user.id).await?;
        let key = keys.into_iter().find(|key| key.id == id);
        let done = key.map(|key| {
            let subject = Subject::new(key.id, &*key.name);
            let done = caller.audit_entry(&app, AuditAction::ApiKeyRevoked, subject);
            of_its_space(done, &key)
        });
        caller
            .store(&app, done)
            .revoke_key(caller.user.id, id)
            .await
    });
    if revoked? {
        app.access_lost.send_replace(());
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(absent())
    }
}

/// The entry about a key that is made.
fn created_entry(app: &App, caller: &Caller, key: &ApiKey) -> AuditEntry {
    let subject = Subject::new(key.id, &*key.name);
    let done = caller
        .audit_entry(app, AuditAction::ApiKeyCreated, subject)
        .changing("scope", None, Some(json!(key.scope)))
        .changing(
            "expires_at",
            None,
            key.expires_at.map(|at| rfc3339_millis(at).into()),
        );
    of_its_space(done, key)
}

/// A key that is narrowed to a space is also that space's matter.
fn of_its_space(done: AuditEntry, key: &ApiKey) -> AuditEntry {
    match &key.space {
        Some((id, slug)) => done.within(*id, slug.clone()),
        None => done,
    }
}

pub(super) fn refuse_keys(caller: &Caller) -> Result<(), ApiError> {
    match caller.key {
        Some(_) => Err(ApiError::new(
            ErrorKind::Forbidden,
            "An API key can't manage keys, passwords or users; sign in instead.",
        )),
        None => Ok(()),
    }
}

/// A space that the caller may narrow a key to.
async fn open_space(
    app: &App,
    caller: &Caller,
    slug: &str,
) -> Result<(alert_connectors_model::SpaceId, Slug), ApiError> {
    let fault = || {
        let msg = "There is no space with this slug that you may enter.";
        ApiError::invalid(vec![Fault::new(
            Loc::body().field("space"),
            FaultKind::NotOneOf,
            msg,
        )])
    };
    let slug = Slug::parse(slug).ok_or_else(fault)?;
    let space = app.store.space(&slug).await?.ok_or_else(fault)?;
    let role = app.identity.role(caller, &space).await?;
    role.map(|_| (space.id, slug)).ok_or_else(fault)
}

struct KeyRequest {
    name: String,
    space: Option<String>,
    scope: KeyScope,
    expires_at: Option<Timestamp>,
}

fn wanted(json: Json<'_>, now: Timestamp) -> Result<KeyRequest, ApiError> {
    let mut reader = FieldReader::of_body(json).map_err(ApiError::invalid)?;
    let name = name(&mut reader);
    let space = reader.optional_text("space").map(Cow::into_owned);
    let scope = reader.optional_text("scope");
    let scope = scope.and_then(|text| {
        let scope = KeyScope::parse(&text);
        if scope.is_none() {
            reader.fault("scope", FaultKind::NotOneOf, "scope must be all or send.");
        }
        scope
    });
    let expires_at = reader.optional_text("expires_at");
    let expires_at = expires_at.and_then(|text| {
        let time = text.parse::<Timestamp>().ok().filter(|time| *time > now);
        if time.is_none() {
            let msg =
                "expires_at must be an RFC 3339 time in the future, such as 2030-01-01T00:00:00Z.";
            reader.fault("expires_at", FaultKind::NotOneOf, msg);
        }
        time
    });
    reader.refuse_unknown(&[]);
    let request = name.map(|name| KeyRequest {
        name,
        space,
        scope: scope.unwrap_or(KeyScope::All),
        expires_at,
    });
    reader.finish(request).map_err(ApiError::invalid)
}
