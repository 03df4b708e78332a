//! The shapes of requests and answers. Most answers are serialised from the structs here (`answers!`). Requests are read by hand,
//! to say every fault at once, and alerts are written by hand, to copy nothing (`schemas!`); tests hold these to the description.
//!
//! In an answer, what has no value is `null`; a field that may be left out says so. What is said of a request's field is how it
//! is read, where that is more than its type.

mod alerts;
mod connectors;
mod deliveries;
mod users;

use alert_connectors_model as model;
pub(crate) use alerts::*;
pub(crate) use connectors::*;
pub(crate) use deliveries::*;
use serde_json::Value;
pub(crate) use users::*;
use utoipa::{ToResponse, ToSchema};

macro_rules! schemas {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })+) => {$(
        #[derive(ToSchema)]
        $(#[$meta])*
        #[expect(dead_code, reason = "it is read by the OpenAPI document alone")]
        pub(crate) struct $name { $($(#[$field_meta])* $field: $type,)* }
    )+};
}
use schemas;

macro_rules! answers {
    ($($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })+) => {$(
        #[derive(serde::Serialize, ToSchema)]
        $(#[$meta])*
        pub(crate) struct $name $(<$life>)? { $($(#[$field_meta])* pub(crate) $field: $type,)* }
    )+};
}
use answers;

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident),+ })+) => {$(
        #[derive(ToSchema)]
        $(#[$meta])*
        #[schema(rename_all = "snake_case")]
        #[expect(dead_code, reason = "it is read by the OpenAPI document alone")]
        pub(crate) enum $name { $($variant),+ }
    )+};
}
use words;

schemas! {
    /// One fault of a request.
    Fault {
        /// Where it is: `body`, `query` or `header`, then the names of fields and the places in lists, counted from 0.
        loc: Vec<Value>,
        /// What is wrong, in a sentence.
        msg: String,
        /// What kind of fault it is.
        r#type: FaultKind,
    }
}

answers! {
    /// An error, as problem details (RFC 9457).
    Problem<'p> {
        /// What kind of problem it is: `/problems/` and a word of a closed list, or `about:blank` where the status says it all.
        #[schema(format = "uri-reference")]
        r#type: String,
        /// The kind in words.
        #[schema(value_type = String)]
        title: &'static str,
        /// The status of the answer.
        #[schema(minimum = 400, maximum = 599)]
        status: u16,
        /// One sentence that says what to do.
        #[schema(value_type = String)]
        detail: &'p str,
        /// The faults of a request, all at once: at most 100. Left out where there are none.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        #[schema(value_type = Option<Vec<Fault>>, nullable = false, max_items = 100)]
        errors: &'p [model::Fault],
    }
    /// How the service is.
    Health {
        /// `live` or `ready`.
        #[schema(value_type = String)]
        status: &'static str,
    }
}

words! {
    /// What kind of fault it is.
    FaultKind {
        Missing, UnknownField, WrongType, Null, TooShort, TooLong, TooMany, NotOneOf, BadUrl, NotHttps, NotPublic, WrongPlatform,
        SlackWorkflow
    }
}

/// Every error is a problem.
#[derive(ToResponse)]
#[response(
    description = "A problem (RFC 9457)",
    content_type = "application/problem+json"
)]
pub(crate) struct AnyProblem(
    #[expect(dead_code, reason = "it is read by the OpenAPI document alone")] Problem<'static>,
);
