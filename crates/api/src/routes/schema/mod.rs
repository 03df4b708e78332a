//! The shapes of requests and answers. Answers are serialised from the structs here (`answers!`) and from those of the model.
//! Requests are read by hand, to say every fault at once, and the lists of alerts are written by hand, to copy nothing
//! (`schemas!`); tests hold these to the description.
//!
//! In an answer, what has no value is `null`; a field that may be left out says so. What is said of a request's field is how it
//! is read, where that is more than its type.

mod alerts;
mod audit;
mod connectors;
mod deliveries;
mod usage;
mod users;

use alert_connectors_model::{self as model, Fault};
pub(crate) use alerts::*;
pub(crate) use audit::*;
pub(crate) use connectors::*;
pub(crate) use deliveries::*;
pub(crate) use usage::*;
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

/// Pages of lists, made of what a handler collected.
macro_rules! pages {
    ($($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? of $item:ty;)+) => {$(
        answers! {
            $(#[$meta])*
            $name $(<$life>)? {
                /// The items.
                #[schema(max_items = 200)]
                items: Vec<$item>,
                /// The cursor of the next page; null at the end.
                #[schema(required)]
                next_cursor: Option<String>,
            }
        }
        impl $(<$life>)? $name $(<$life>)? {
            pub(crate) const fn new(items: Vec<$item>, next_cursor: Option<String>) -> Self {
                Self { items, next_cursor }
            }
        }
    )+};
}
use pages;

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

/// Every error is a problem.
#[derive(ToResponse)]
#[response(
    description = "A problem (RFC 9457)",
    content_type = "application/problem+json"
)]
pub(crate) struct AnyProblem(
    #[expect(dead_code, reason = "it is read by the OpenAPI document alone")] Problem<'static>,
);
