//! Why a file is not valid TOML.

/// The line and the reason, and not the text itself: it may hold a secret.
pub(crate) fn toml_fault(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(0, |before| before.matches('\n').count()) + 1;
    format!("line {line} is not valid TOML: {}", error.message())
}
