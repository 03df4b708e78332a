//! Signing a browser in at the page of another service: it is sent there, and comes back with a code.
//!
//! What binds the two ways together is kept in a cookie of the browser, so any server of several can finish what another began.

use std::net::IpAddr;

use alert_connectors_model::{AuthMethod, Secret};
use axum::{
    extract::{Extension, RawQuery, State},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use jiff::SignedDuration;
use url::form_urlencoded;

use super::{
    auth::{NewSession, SESSION},
    schema,
};
use crate::{
    ApiError, App, Peer, SignInAttempt, SignInElsewhere, SignInError,
    identity::{JOURNEY_COOKIE, cookie, set_cookie, set_journey_cookie},
    new_token,
    query::Query,
    trail::SignInTry,
};

/// How long somebody may take to sign in there.
const JOURNEY: SignedDuration = SignedDuration::from_mins(10);
const START: &str = "/auth/oidc/start";
const SIGN_IN_PAGE: &str = "/console/sign-in";

/// The ways to sign in.
#[utoipa::path(
    get, path = "/auth/methods", operation_id = "listSignInMethods", tag = "identity", security(()),
    responses((status = 200, description = "The ways to sign in", body = schema::SignInMethods), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn methods(State(app): State<App>) -> Response {
    let single_sign_on = app.elsewhere.as_ref().map(|_| START);
    axum::Json(schema::SignInMethods {
        password: true,
        single_sign_on,
    })
    .into_response()
}

/// Send a browser to where people sign in. It comes back to the console.
#[utoipa::path(
    get, path = "/auth/oidc/start", operation_id = "beginSingleSignOn", tag = "identity", security(()),
    params(("to" = Option<String>, Query, description = "Where in the console to go on afterwards, such as /spaces/data/alerts")),
    responses((status = 303, description = "Where people sign in"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn start(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let elsewhere = elsewhere(&app)?;
    let mut query = Query::new(raw.as_deref(), &["to"]);
    let to = query.one("to", |to| Some(to.to_owned()), "a path of the console");
    query.finish()?;
    let journey = Journey::begin(&app, to);
    match elsewhere.page(&journey.attempt).await {
        Ok(page) => {
            let cookie = set_journey_cookie(&headers, &journey.kept(), JOURNEY);
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&page)).into_response())
        }
        Err(error) => Ok(failed(&app, &headers, &error, &journey.to)),
    }
}

/// Take back a browser that has signed in elsewhere: its session begins.
#[utoipa::path(
    get, path = "/auth/oidc/callback", operation_id = "finishSingleSignOn", tag = "identity", security(()),
    params(
        ("code" = Option<String>, Query, description = "The code that the other service gave"),
        ("state" = Option<String>, Query, description = "What this service gave the browser on its way"),
        ("error" = Option<String>, Query, description = "Why there is no code"),
    ),
    responses((status = 303, description = "The console, or its page for signing in with the reason"), (status = "default", response = schema::AnyProblem))
)]
pub(super) async fn finish(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let elsewhere = elsewhere(&app)?;
    // Services add parameters of their own, such as iss and session_state.
    let given = |name: &str| {
        let mut pairs = form_urlencoded::parse(raw.as_deref().unwrap_or_default().as_bytes());
        pairs.find_map(|(found, value)| (found == name).then(|| value.into_owned()))
    };
    let [code, state, error] = ["code", "state", "error"].map(given);
    let journey = cookie(&headers, JOURNEY_COOKIE).and_then(Journey::parse);
    let journey =
        journey.filter(|journey| state.as_deref() == Some(journey.attempt.state.expose()));
    let Some(journey) = journey else {
        return Ok(refused(&headers, "stale", "/"));
    };
    let Some(code) = code.filter(|_| error.is_none()) else {
        return Ok(refused(&headers, "denied", &journey.to));
    };
    let peer = peer.map(|Extension(peer)| peer);
    let ip_address = app.trusted_proxies.client(peer, &headers);
    match signed_in(&app, elsewhere, &journey, &code, ip_address).await {
        Ok(session) => {
            let cookies = AppendHeaders([
                (header::SET_COOKIE, forget_journey(&headers)),
                (
                    header::SET_COOKIE,
                    set_cookie(&headers, session.token.expose(), SESSION),
                ),
            ]);
            let place = format!("/console{}", journey.to);
            Ok((cookies, Redirect::to(&place)).into_response())
        }
        Err(error) => {
            let attempt = SignInTry {
                email: None,
                auth_method: AuthMethod::SingleSignOn,
                ip_address,
            };
            app.note_refused_sign_in(&attempt).await?;
            Ok(failed(&app, &headers, &error, &journey.to))
        }
    }
}

async fn signed_in(
    app: &App,
    elsewhere: &dyn SignInElsewhere,
    journey: &Journey,
    code: &str,
    ip_address: Option<IpAddr>,
) -> Result<NewSession, SignInError> {
    let user = elsewhere.user(&journey.attempt, code).await?;
    let session = NewSession::of_user(app, &user.email, ip_address).await?;
    session.ok_or(SignInError::NoUser)
}

fn elsewhere(app: &App) -> Result<&dyn SignInElsewhere, ApiError> {
    let configured = app.elsewhere.as_deref();
    configured.ok_or_else(|| ApiError::not_found("single sign-on on this server"))
}

/// Leads the browser to the page for signing in, which says why nobody is signed in.
fn failed(app: &App, headers: &HeaderMap, error: &SignInError, to: &str) -> Response {
    if let Some(count) = app.failed_sign_ins.count() {
        tracing::warn!(
            count,
            error = error as &dyn std::error::Error,
            "a sign-in at the issuer failed"
        );
    }
    let reason = match error {
        SignInError::Unavailable(_) | SignInError::Busy | SignInError::Store(_) => "unavailable",
        SignInError::Refused(_) => "refused",
        SignInError::NoUser => "no-user",
    };
    refused(headers, reason, to)
}

fn refused(headers: &HeaderMap, reason: &str, to: &str) -> Response {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("failed", reason)
        .append_pair("to", to)
        .finish();
    let cookie = [(header::SET_COOKIE, forget_journey(headers))];
    (cookie, Redirect::to(&format!("{SIGN_IN_PAGE}?{query}"))).into_response()
}

fn forget_journey(headers: &HeaderMap) -> http::HeaderValue {
    set_journey_cookie(headers, "", SignedDuration::ZERO)
}

/// A browser on its way to sign in.
struct Journey {
    attempt: SignInAttempt,
    /// Where in the console to go on.
    to: String,
}

impl Journey {
    fn begin(app: &App, to: Option<String>) -> Self {
        let word = || new_token("", &*app.random);
        let is_inside = |to: &String| {
            let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic());
            is_plain && to.starts_with('/') && !to.contains("/..")
        };
        Self {
            attempt: SignInAttempt {
                state: word(),
                nonce: word(),
                verifier: word(),
            },
            to: to.filter(is_inside).unwrap_or_else(|| "/".to_owned()),
        }
    }

    /// As the browser keeps it.
    fn kept(&self) -> String {
        let SignInAttempt {
            state,
            nonce,
            verifier,
        } = &self.attempt;
        let to = BASE64_URL_SAFE_NO_PAD.encode(&self.to);
        [state, nonce, verifier].map(Secret::expose).join(".") + "." + &to
    }

    fn parse(kept: &str) -> Option<Self> {
        let parts: Vec<&str> = kept.split('.').collect();
        let [state, nonce, verifier, to] = <[&str; 4]>::try_from(parts).ok()?;
        let to = BASE64_URL_SAFE_NO_PAD.decode(to).ok()?;
        let [state, nonce, verifier] = [state, nonce, verifier].map(Secret::new);
        Some(Self {
            attempt: SignInAttempt {
                state,
                nonce,
                verifier,
            },
            to: String::from_utf8(to).ok()?,
        })
    }
}
