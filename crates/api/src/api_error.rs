//! Errors as RFC 9457 problem details: one list of kinds, each with its status, and a sentence that a person can act on.

use std::{fmt, time::Duration};

use alert_connectors_delivery::TestError;
use alert_connectors_model::{Fault, JsonError, cause_chain};
use alert_connectors_store::StoreError;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::{IdentityError, routes::schema::Problem, serialised::serialised};

/// The closed list of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The head of the request can mean more than one thing. It has no type of its own (RFC 9457, 4.2.1).
    BadRequest,
    /// The head of the request is too large. It has no type of its own.
    LargeHead,
    /// The body is no JSON.
    MalformedJson,
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The resource does not exist.
    NotFound,
    /// The route takes other methods.
    MethodNotAllowed,
    /// The request conflicts with the current state.
    Conflict,
    /// The idempotency key was used with another body.
    IdempotencyConflict,
    /// The body is too large.
    TooLarge,
    /// The body is not declared as JSON, or is encoded in an unsupported way.
    UnsupportedMediaType,
    /// The content has faults.
    Invalid,
    /// There were too many requests.
    TooManyRequests,
    /// The server is at fault.
    Internal,
    /// The service can't answer now.
    Unavailable,
}

impl ErrorKind {
    /// All of them, with the last part of their `type`, their title and their status.
    pub const ALL: [(Self, &'static str, &'static str, StatusCode); 15] = [
        (
            Self::BadRequest,
            "about:blank",
            "Bad Request",
            StatusCode::BAD_REQUEST,
        ),
        (
            Self::LargeHead,
            "about:blank",
            "Request Header Fields Too Large",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ),
        (
            Self::MalformedJson,
            "malformed-json",
            "The body is not valid JSON",
            StatusCode::BAD_REQUEST,
        ),
        (
            Self::Unauthenticated,
            "unauthenticated",
            "Not authenticated",
            StatusCode::UNAUTHORIZED,
        ),
        (
            Self::Forbidden,
            "forbidden",
            "Not allowed",
            StatusCode::FORBIDDEN,
        ),
        (
            Self::NotFound,
            "not-found",
            "Not found",
            StatusCode::NOT_FOUND,
        ),
        (
            Self::MethodNotAllowed,
            "method-not-allowed",
            "Method not allowed",
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (Self::Conflict, "conflict", "Conflict", StatusCode::CONFLICT),
        (
            Self::IdempotencyConflict,
            "idempotency-conflict",
            "Idempotency key reused",
            StatusCode::CONFLICT,
        ),
        (
            Self::TooLarge,
            "too-large",
            "The body is too large",
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            Self::UnsupportedMediaType,
            "unsupported-media-type",
            "Unsupported media type",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            Self::Invalid,
            "invalid",
            "The request has faults",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            Self::TooManyRequests,
            "too-many-requests",
            "Too many requests",
            StatusCode::TOO_MANY_REQUESTS,
        ),
        (
            Self::Internal,
            "internal",
            "Internal error",
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
        (
            Self::Unavailable,
            "unavailable",
            "Unavailable",
            StatusCode::SERVICE_UNAVAILABLE,
        ),
    ];

    fn row(self) -> (Self, &'static str, &'static str, StatusCode) {
        Self::ALL
            .into_iter()
            .find(|row| row.0 == self)
            .unwrap_or(Self::ALL[14])
    }
}

/// An answer lists at most this many faults; further ones are only counted.
pub(crate) const FAULTS_MAX: usize = 100;

/// An error as the client sees it.
#[derive(Debug, Clone)]
pub struct ApiError {
    kind: ErrorKind,
    detail: String,
    errors: Vec<Fault>,
    retry_after: Option<Duration>,
    is_over_limit: bool,
}

/// Stands in the extensions of an answer 503 that is due to a limit of the caller, where the service can answer well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverLimit;

impl ApiError {
    /// An error of a kind. `detail` says what to do about it.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            is_over_limit: false,
        }
    }

    /// The faults of a request: all of them, or the first hundred.
    pub fn invalid(mut errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [one] => one.msg.clone(),
            many if many.len() <= FAULTS_MAX => format!(
                "The request has {} faults; errors lists them all.",
                many.len()
            ),
            many => format!(
                "The request has {} faults; errors lists the first {FAULTS_MAX}.",
                many.len()
            ),
        };
        errors.truncate(FAULTS_MAX);
        Self {
            errors,
            ..Self::new(ErrorKind::Invalid, detail)
        }
    }

    /// Both errors, where both list faults of the request; else this one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.kind, other.kind) {
            (ErrorKind::Invalid, ErrorKind::Invalid) => {
                Self::invalid(self.errors.into_iter().chain(other.errors).collect())
            }
            _ => self,
        }
    }

    /// There is no such thing.
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, format!("There is no such {what}."))
    }

    /// Not now.
    pub fn unavailable(detail: &str) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(ErrorKind::Unavailable, detail)
        }
    }

    /// Too often.
    pub fn too_many(detail: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(ErrorKind::TooManyRequests, detail)
        }
    }

    /// The same to a producer that may drop what was answered 429, but repeats what was answered 503.
    pub(crate) fn asking_to_repeat(self) -> Self {
        match self.kind {
            ErrorKind::TooManyRequests => Self {
                kind: ErrorKind::Unavailable,
                is_over_limit: true,
                ..self
            },
            _ => self,
        }
    }

    /// The server is at fault. The cause goes to the log, and the client learns nothing of it.
    pub fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = cause_chain(cause), "a request failed");
        Self::new(
            ErrorKind::Internal,
            "Something went wrong here. The operator finds it by X-Request-Id.",
        )
    }

    /// Which kind it is.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The problem details, for an answer of its own or inside another one.
    pub(crate) fn body(&self) -> Problem<'_> {
        let (_, name, title, status) = self.kind.row();
        let status = status.as_u16();
        Problem {
            r#type: match name {
                "about:blank" => name.to_owned(),
                name => format!("/problems/{name}"),
            },
            title,
            status,
            detail: &self.detail,
            errors: &self.errors,
        }
    }
}

impl std::error::Error for ApiError {}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, _, title, _) = self.kind.row();
        write!(f, "{title}: {}", self.detail)?;
        if self.errors.len() > 1 {
            for fault in &self.errors {
                write!(f, " {}", fault.msg)?;
            }
        }
        Ok(())
    }
}

impl From<TestError> for ApiError {
    fn from(error: TestError) -> Self {
        match error {
            TestError::TooMany { retry_after } => Self::too_many(
                "At most 5 tests of one webhook in 10 seconds; wait a little.",
                retry_after,
            ),
            TestError::HeldElsewhere => Self::unavailable(
                "Another replica is sending to this webhook and did not finish in time; try again.",
            ),
            TestError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => {
                Self::unavailable("There is no room to store this now; repeat the request later.")
            }
            StoreError::Stale => {
                Self::unavailable("Permissions change too fast; repeat the request.")
            }
            StoreError::Unavailable(_) | StoreError::Stopped => {
                tracing::warn!(error = cause_chain(&error), "the store does not answer");
                Self::unavailable(
                    "The store does not answer now. Repeat it later, with the same Idempotency-Key.",
                )
            }
            StoreError::Unreadable { .. } | StoreError::Sealed(_) | StoreError::Fatal(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<IdentityError> for ApiError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Unauthenticated => Self::new(
                ErrorKind::Unauthenticated,
                "Send a valid session token or API key as Authorization: Bearer TOKEN.",
            ),
            IdentityError::Expired => Self::new(
                ErrorKind::Unauthenticated,
                "The session token or API key has expired; sign in again, or make another key.",
            ),
            IdentityError::ForeignOrigin => Self::new(
                ErrorKind::Forbidden,
                "A session cookie is good only for requests of the service's own pages; send Authorization: Bearer TOKEN.",
            ),
            IdentityError::Unavailable(error) => {
                tracing::warn!(error = cause_chain(&error), "identity can't be checked");
                Self::unavailable("Who calls can't be checked now. Repeat the request later.")
            }
        }
    }
}

impl From<JsonError> for ApiError {
    fn from(error: JsonError) -> Self {
        if error.is_too_much {
            let detail = format!("The body has {}; send it in parts.", error.reason);
            return Self::new(ErrorKind::TooLarge, detail);
        }
        let detail = format!("The body is not valid JSON: {error}.");
        Self::new(ErrorKind::MalformedJson, detail)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (_, _, _, status) = self.kind.row();
        let json = serialised(&self.body());
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.kind == ErrorKind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(wait.as_secs().max(1)),
            );
        }
        if self.is_over_limit {
            response.extensions_mut().insert(OverLimit);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_faults_the_first_are_listed_and_all_are_counted() {
        let fault = |at| {
            let loc = alert_connectors_model::Loc::query(format!("q{at}"));
            Fault::new(loc, alert_connectors_model::FaultKind::UnknownField, "x")
        };
        let problem = ApiError::invalid((0..32_000).map(fault).collect());
        assert_eq!(problem.errors.len(), FAULTS_MAX);
        assert!(problem.detail.contains("32000"), "{}", problem.detail);
    }

    #[test]
    fn every_kind_has_its_row() {
        for (kind, name, _, status) in ErrorKind::ALL {
            let problem = ApiError::new(kind, "x");
            assert!(problem.body().r#type.ends_with(name));
            assert_eq!(problem.into_response().status(), status);
        }
    }
}
