//! All routes, each group in a file of its own, and what every answer has in common.

mod accounts;
mod alerts;
mod api_keys;
mod audit;
mod auth;
mod browser;
mod connectors;
mod deliveries;
mod docs;
mod events;
mod fields;
mod gate;
mod health;
mod hooks;
mod ingest;
pub(crate) mod intake;
mod invitations;
mod members;
mod metrics;
mod metrics_text;
mod pauses;
pub(crate) mod schema;
pub(crate) mod sign_in_limit;
mod single_sign_on;
mod spaces;
mod usage;

use alert_connectors_model::AlertId;
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderName, HeaderValue, header};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use metrics::PREFIX as METRICS_PREFIX;

use crate::{
    ApiError, App, ErrorKind, answer_room::with_room, api_error::OverLimit, head,
    meters::method_name, unread::keep_rest,
};

/// What the service is for: connectors and alerts.
pub(crate) fn core() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(connectors::list, connectors::create))
        .routes(routes!(
            connectors::one,
            connectors::change,
            connectors::delete
        ))
        .routes(routes!(connectors::test_webhook))
        .routes(routes!(connectors::test))
        .routes(routes!(alerts::list, intake::post, alerts::erase_problem))
        .routes(routes!(intake::post_batch))
        .routes(routes!(intake::preview))
        .routes(routes!(ingest::post))
        .routes(routes!(ingest::preview))
        .routes(routes!(
            ingest::mapping,
            ingest::set_mapping,
            ingest::delete_mapping
        ))
        .routes(routes!(ingest::set_secret, ingest::delete_secret))
        .routes(routes!(alerts::summary))
        .routes(routes!(alerts::one, alerts::erase))
        .routes(routes!(alerts::resolve))
        .routes(routes!(deliveries::of_connector))
        .routes(routes!(deliveries::of_space))
        .routes(routes!(deliveries::healths))
        .routes(routes!(deliveries::health))
        .routes(routes!(deliveries::replay))
        .routes(routes!(deliveries::one))
        .routes(routes!(deliveries::message))
        .routes(routes!(deliveries::retry))
        .routes(routes!(pauses::list))
        .routes(routes!(usage::show))
        .routes(routes!(hooks::post))
        .routes(routes!(events::follow))
        .routes(routes!(audit::of_space))
        .routes(routes!(audit::of_all))
        .routes(routes!(deliveries::blocked))
}

/// What operators and their tools ask for.
pub(crate) fn operations() -> OpenApiRouter<App> {
    probes().merge(metrics()).merge(description())
}

fn probes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

fn metrics() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(metrics::show))
}

fn description() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::openapi))
        .routes(routes!(docs::show))
}

/// The users, keys, spaces and members that come with this service.
pub(crate) fn users() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(auth::sign_in))
        .routes(routes!(auth::sign_out))
        .routes(routes!(auth::begin_session, auth::end_session))
        .routes(routes!(auth::me))
        .routes(routes!(single_sign_on::methods))
        .routes(routes!(single_sign_on::start))
        .routes(routes!(single_sign_on::finish))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(spaces::list, spaces::create))
        .routes(routes!(spaces::rename, spaces::remove))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::change, accounts::remove))
        .routes(routes!(accounts::invite))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::change_password))
        .routes(routes!(members::list))
        .routes(routes!(members::set, members::remove))
}

/// Connectors and alerts, to be nested in an app that brings its own identity. It has no fallback and no operational routes, so it
/// leaves those to the app.
pub fn router(app: &App) -> Router {
    layered(core(), app, TENANTS)
}

/// Users, tokens, keys, spaces and members, likewise without a fallback.
pub fn users_router(app: &App) -> Router {
    layered(users(), app, TENANTS)
}

/// Probes, metrics and the description of the API, likewise without a fallback.
pub fn operations_router(app: &App) -> Router {
    layered(operations(), app, AnswerRules::default())
}

/// Metrics and probes, for a listener of their own.
pub fn metrics_router(app: &App) -> Router {
    let router = probes().merge(metrics()).split_for_parts().0;
    finished(router.fallback(no_route), app, AnswerRules::default())
}

/// Where `/metrics` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// Beside the API.
    Here,
    /// On a listener of its own.
    Elsewhere,
}

/// The whole API of the service, and pages beside it. Any other route is answered with an error, and a browser is led to
/// the console from where a person may arrive.
pub fn whole(app: &App, pages: Router<App>, where_metrics_are: Metrics) -> Router {
    let operations = match where_metrics_are {
        Metrics::Here => operations(),
        Metrics::Elsewhere => probes().merge(description()),
    };
    let of = |needs_room| AnswerRules {
        needs_room,
        leads_browsers: true,
    };
    let tenants = layered(core().merge(users()), app, of(true));
    let rest = operations.split_for_parts().0.merge(pages);
    tenants.merge(finished(rest.fallback(no_route), app, of(false)))
}

async fn no_route() -> ApiError {
    ApiError::not_found("route")
}

/// What the answers of a group of routes have in common, beside what every answer has.
#[derive(Debug, Clone, Copy, Default)]
struct AnswerRules {
    /// Their memory is bounded. What operators and strangers ask for needs no room: it is short, or kept once for all.
    needs_room: bool,
    /// Browsers are led to the console.
    leads_browsers: bool,
}

impl AnswerRules {
    fn place_for(self, request: &Request) -> Option<String> {
        if self.leads_browsers {
            browser::place_for(request)
        } else {
            None
        }
    }
}

/// The answers to those who work in spaces, in an app that has pages of its own.
const TENANTS: AnswerRules = AnswerRules {
    needs_room: true,
    leads_browsers: false,
};

fn layered(routes: OpenApiRouter<App>, app: &App, rules: AnswerRules) -> Router {
    finished(routes.split_for_parts().0, app, rules)
}

/// One layer does all that every request needs: each layer costs some allocations a request.
fn finished(router: Router<App>, app: &App, rules: AnswerRules) -> Router {
    router
        .method_not_allowed_fallback(async || {
            ApiError::new(
                ErrorKind::MethodNotAllowed,
                "The header Allow lists the methods of this route.",
            )
        })
        .layer(middleware::from_fn_with_state((app.clone(), rules), named))
        .with_state(app.clone())
}

/// Headers of every answer, unless its route sets them. An answer may hold secrets, and only `/docs` is a page.
const USUAL_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives every answer a request id, which the log names too.
async fn named(
    State((app, rules)): State<(App, AnswerRules)>,
    request: Request,
    next: Next,
) -> Response {
    let id = AlertId::new(app.clock.now(), &*app.random).to_string();
    // Copied only if it will be logged.
    let route = tracing::enabled!(tracing::Level::DEBUG)
        .then(|| format!("{} {}", request.method(), logged(request.uri().path())));
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let method = method_name(request.method());
    let mut response = match head::refusal(&request) {
        Some(refusal) => refusal,
        None => match rules.place_for(&request) {
            Some(place) => Redirect::to(&place).into_response(),
            None => answered_whole(request, next).await,
        },
    };
    if rules.needs_room {
        response = with_room(&app, response);
    }
    let status = response.status();
    let is_unavailable = status == http::StatusCode::SERVICE_UNAVAILABLE
        && response.extensions().get::<OverLimit>().is_none();
    app.meters.answered(method, matched, status, is_unavailable);
    if let Some(route) = route {
        tracing::debug!(request.id = id, route, status = status.as_u16(), "answered");
    }
    log_error(&app, &id, status, is_unavailable);
    if status == http::StatusCode::INTERNAL_SERVER_ERROR {
        let detail =
            format!("Something went wrong here. The operator finds it by the request id {id}.");
        response = ApiError::new(ErrorKind::Internal, detail).into_response();
    }
    // With what its route sets and the server adds, so that the map grows once.
    response.headers_mut().reserve(USUAL_HEADERS.len() + 4);
    for (name, value) in USUAL_HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(date) = app.date.at(app.clock.now()) {
        response.headers_mut().entry(header::DATE).or_insert(date);
    }
    response
}

/// A path as a log may show it: the address of a hook ends with a key.
fn logged(path: &str) -> &str {
    match path.find("/hooks/") {
        Some(at) => path.get(..at + "/hooks/".len()).unwrap_or_default(),
        None => path,
    }
}

/// Logs an answer that is the service's fault. Of those that ask to try again there may be thousands, so they are counted.
fn log_error(app: &App, id: &str, status: http::StatusCode, is_unavailable: bool) {
    if status == http::StatusCode::SERVICE_UNAVAILABLE {
        if is_unavailable && let Some(count) = app.unavailable.count() {
            tracing::warn!(request.id = id, count, "requests were answered with 503");
        }
    } else if status.is_server_error() {
        tracing::warn!(
            request.id = id,
            status = status.as_u16(),
            "a request was answered with an error"
        );
    }
}

/// Answers once the body has been read or passed over, or says that the connection closes.
async fn answered_whole(request: Request, next: Next) -> Response {
    let (request, rest) = keep_rest(request);
    let mut response = next.run(request).await;
    if let Some(rest) = rest
        && !rest.pass_over().await
    {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
