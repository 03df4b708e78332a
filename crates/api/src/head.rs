//! Checks the head of a request: one that is ambiguous, or can't be read, is refused with an error like any other.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Version, header};

use crate::{ApiError, ErrorKind};

/// What the server below the routes found wrong with the head of a request. It stands among the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadFault {
    /// The head has a `Content-Length` and a `Transfer-Encoding`.
    FramedTwice,
    /// What came is no HTTP/1.1.
    Unreadable,
    /// The head has too many headers, or too many bytes.
    TooLarge,
}

impl HeadFault {
    fn problem(self) -> ApiError {
        let (kind, detail) = match self {
            Self::FramedTwice => (
                ErrorKind::BadRequest,
                "The request has a Content-Length and a Transfer-Encoding; send one of them.",
            ),
            Self::Unreadable => (
                ErrorKind::BadRequest,
                "The head of the request can't be read; send HTTP of version 1.1.",
            ),
            Self::TooLarge => (
                ErrorKind::LargeHead,
                "The head of the request is too large; send at most 100 headers, and 16 KiB in all.",
            ),
        };
        ApiError::new(kind, detail)
    }
}

/// The answer to a request whose head can't be trusted. Nothing more is read from its connection.
pub(crate) fn refusal(request: &Request) -> Option<Response> {
    let found = request.extensions().get::<HeadFault>();
    let problem = found.map(|fault| fault.problem());
    let mut response = problem.or_else(|| host_fault(request))?.into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    Some(response)
}

/// A request names one host. One that names none or several may mean another one to a proxy than to us.
fn host_fault(request: &Request) -> Option<ApiError> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let detail = match hosts {
        1 => return None,
        // HTTP/2, which a host may speak, names it in the place of the path.
        0 if request.version() > Version::HTTP_11 && request.uri().authority().is_some() => {
            return None;
        }
        0 => "The request names no host; send the header Host.",
        _ => "The request names several hosts; send the header Host once.",
    };
    Some(ApiError::new(ErrorKind::BadRequest, detail))
}
