//! Values of our own as JSON.

use serde::Serialize;

/// Serialises a body of the API. All of them are made of strings, numbers, lists and maps with string keys, which always serialise.
pub(crate) fn serialised(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("strings, numbers and lists always serialise")
}
