//! What a space sets for a source: how alerts of its bodies are changed, and what signs them.

use alert_connectors_ingest::{Mapping, Source};
use alert_connectors_model::{AuditAction, Fault, FaultKind, FieldReader, Json, Loc, Secret};
use alert_connectors_store::{SourceSecret, Subject};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{super::schema, producer::no_source};
use crate::{
    ApiError, App, body,
    entry::{Editor, Entry, Viewer, permitted},
    path::PathSource,
};

/// The largest document of a mapping, in bytes.
const MAPPING_BYTES_MAX: usize = 32 * 1_024;
/// The largest body that sets a secret, in bytes.
const SECRET_BODY_BYTES_MAX: usize = 16 * 1_024;
/// The longest secret, in characters.
const SECRET_CHARS_MAX: usize = 1_024;

/// Show the rules by which the space changes the alerts of a source.
#[utoipa::path(
    get, path = "/spaces/{slug}/ingest/{source}/mapping", operation_id = "getIngestMapping", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("source" = String, Path, description = "The source")),
    responses((status = 200, description = "The mapping, as it was set; one without rules if none was", body = schema::IngestMapping), (status = "default", response = schema::AnyProblem))
)]
pub(in super::super) async fn mapping(
    Viewer(entry): Viewer,
    PathSource(source): PathSource,
) -> Result<Response, ApiError> {
    let source = source_of(&source)?;
    let settings = entry.roster.source(source.name());
    let document = settings.and_then(|settings| settings.mapping.as_deref());
    let document = document.unwrap_or(r#"{"rules":[]}"#).to_owned();
    Ok(([(http::header::CONTENT_TYPE, "application/json")], document).into_response())
}

/// Set the rules by which the space changes the alerts of a source.
///
/// For each alert, the rules whose conditions all hold apply in their order; later ones see what earlier ones changed.
#[utoipa::path(
    put, path = "/spaces/{slug}/ingest/{source}/mapping", operation_id = "setIngestMapping", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("source" = String, Path, description = "The source")),
    request_body(content = schema::IngestMapping, description = "The rules, in place of those that were set before"),
    responses((status = 204, description = "It holds from now on"), (status = "default", response = schema::AnyProblem))
)]
pub(in super::super) async fn set_mapping(
    State(app): State<App>,
    Editor(entry): Editor,
    PathSource(source): PathSource,
    headers: HeaderMap,
    request: Body,
) -> Result<StatusCode, ApiError> {
    let source = source_of(&source)?;
    let bytes = body::read(&app, &headers, request, MAPPING_BYTES_MAX).await?;
    Mapping::parse(body::parse(&bytes)?).map_err(ApiError::invalid)?;
    let document = String::from_utf8_lossy(body::without_mark(&bytes)).into_owned();
    change_mapping(&app, &headers, entry, source, Some(document)).await
}

/// Remove the mapping of a source. Its alerts come as they are read.
#[utoipa::path(
    delete, path = "/spaces/{slug}/ingest/{source}/mapping", operation_id = "deleteIngestMapping", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("source" = String, Path, description = "The source")),
    responses((status = 204, description = "There is none"), (status = "default", response = schema::AnyProblem))
)]
pub(in super::super) async fn delete_mapping(
    State(app): State<App>,
    Editor(entry): Editor,
    PathSource(source): PathSource,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let source = source_of(&source)?;
    change_mapping(&app, &headers, entry, source, None).await
}

/// Set the secret that signs the bodies of a source. From now on each must be signed with it, and the signature is enough to post.
#[utoipa::path(
    put, path = "/spaces/{slug}/ingest/{source}/secret", operation_id = "setIngestSecret", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("source" = String, Path, description = "The source: grafana, openmetadata or dbt")),
    request_body(content = schema::IngestSecret, description = "The secret, in place of the one that was set before"),
    responses((status = 204, description = "It holds from now on"), (status = "default", response = schema::AnyProblem))
)]
pub(in super::super) async fn set_secret(
    State(app): State<App>,
    Editor(entry): Editor,
    PathSource(source): PathSource,
    headers: HeaderMap,
    request: Body,
) -> Result<StatusCode, ApiError> {
    let source = source_of(&source)?;
    let bytes = body::read(&app, &headers, request, SECRET_BODY_BYTES_MAX).await?;
    let secret = secret_of(source, body::parse(&bytes)?).map_err(ApiError::invalid)?;
    change_secret(&app, &headers, entry, source, Some(secret)).await
}

/// Remove the secret of a source. Its bodies are authorised by a token or a key again.
#[utoipa::path(
    delete, path = "/spaces/{slug}/ingest/{source}/secret", operation_id = "deleteIngestSecret", tag = "alerts",
    params(("slug" = String, Path, description = "The space"), ("source" = String, Path, description = "The source")),
    responses((status = 204, description = "There is none"), (status = "default", response = schema::AnyProblem))
)]
pub(in super::super) async fn delete_secret(
    State(app): State<App>,
    Editor(entry): Editor,
    PathSource(source): PathSource,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let source = source_of(&source)?;
    change_secret(&app, &headers, entry, source, None).await
}

async fn change_mapping(
    app: &App,
    headers: &HeaderMap,
    mut entry: Entry,
    source: Source,
    mapping: Option<String>,
) -> Result<StatusCode, ApiError> {
    let changed = permitted!(app, headers, entry, {
        let space = entry.space().id;
        let before = entry.roster.sources.iter();
        let before = before.clone().find(|one| one.source == source.name());
        let before = before.and_then(|one| one.mapping.clone());
        let done = entry
            .audit_entry(app, AuditAction::MappingSet, Subject::named(source.name()))
            .changing(
                "mapping",
                before.map(Value::from),
                mapping.clone().map(Value::from),
            );
        let done = (!done.changes.is_empty()).then_some(done);
        entry
            .store(app, done)
            .set_mapping(space, source.name(), mapping.clone())
            .await
    });
    done(changed?)
}

async fn change_secret(
    app: &App,
    headers: &HeaderMap,
    mut entry: Entry,
    source: Source,
    secret: Option<Secret>,
) -> Result<StatusCode, ApiError> {
    let changed = permitted!(app, headers, entry, {
        let (action, subject) = (AuditAction::SecretSet, Subject::named(source.name()));
        let settings = entry.roster.sources.iter();
        let settings = settings.clone().find(|one| one.source == source.name());
        let had_one = settings.is_some_and(|one| !matches!(one.secret, SourceSecret::None));
        let now = if secret.is_some() { "set" } else { "removed" };
        let done =
            entry
                .audit_entry(app, action, subject)
                .changing("secret", None, Some(now.into()));
        let done = (had_one || secret.is_some()).then_some(done);
        let space = entry.space().id;
        entry
            .store(app, done)
            .set_source_secret(space, source.name(), secret.clone())
            .await
    });
    done(changed?)
}

fn source_of(name: &str) -> Result<Source, ApiError> {
    Source::parse(name).ok_or_else(no_source)
}

fn secret_of(source: Source, json: Json<'_>) -> Result<Secret, Vec<Fault>> {
    if !source.can_sign() {
        let msg = format!(
            "{} does not sign what it sends; grafana, openmetadata and dbt do.",
            source.name()
        );
        let loc = Loc::body().field("secret");
        return Err(vec![Fault::new(loc, FaultKind::NotOneOf, msg)]);
    }
    let mut reader = FieldReader::of_body(json)?;
    let secret = reader.required_text("secret");
    reader.refuse_unknown(&[]);
    let chars = secret.as_deref().map_or(1, |text| text.chars().count());
    if chars == 0 {
        reader.fault("secret", FaultKind::TooShort, "secret must not be empty.");
    } else if chars > SECRET_CHARS_MAX {
        let msg = format!("secret has at most {SECRET_CHARS_MAX} characters; this has {chars}.");
        reader.fault("secret", FaultKind::TooLong, msg);
    }
    reader.finish(secret.map(|secret| Secret::new(&*secret)))
}

fn done(is_space_there: bool) -> Result<StatusCode, ApiError> {
    if is_space_there {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found("space"))
    }
}
