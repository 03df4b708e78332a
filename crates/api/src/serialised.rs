//! Values of our own as JSON.

use serde::Serialize;

/// All bodies of the API are made of these.
const ALWAYS: &str = "strings, numbers, lists, and maps with string keys always serialise";

/// Serialises a body of the API.
pub(crate) fn serialised(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect(ALWAYS)
}

/// Serialises a part of a body to the end of a text.
pub(crate) fn write_json(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value).expect(ALWAYS);
}
