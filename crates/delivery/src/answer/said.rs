//! What a channel said in words that no table knows: cut, and without anything that looks like a URL or a token.

use serde_json::Value;

/// A longer text helps no reader.
const CHARS_MAX: usize = 120;
/// A longer word could be a token.
const WORD_CHARS_MAX: usize = 24;
/// Parts of the webhook's URL that are at least this long are not repeated.
const SECRET_CHARS_MIN: usize = 3;
/// A word that is at least this long and stands within such a part is not repeated either.
const PIECE_CHARS_MIN: usize = 6;
/// A longer number could be a token.
const DIGITS_MAX: usize = 6;

/// The words of a body that may be shown, if there are any. `target` is the path and query of the webhook's URL, of which
/// nothing is repeated.
pub(super) fn said(text: &str, target: &str) -> Option<String> {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let message = match &json {
        Some(json) => message_of(json)?,
        None => text.lines().next()?,
    };
    let target = target.to_ascii_lowercase();
    let secrets: Vec<&str> = target
        .split(['/', '?', '&', '=', '.', '%'])
        .filter(|part| part.len() >= SECRET_CHARS_MIN)
        .collect();
    let mut words = Vec::new();
    let mut left = CHARS_MAX;
    for word in message.split_whitespace() {
        let shown = if may_be_shown(word, &secrets) {
            word
        } else {
            "…"
        };
        let chars = shown.chars().count() + 1;
        if chars > left {
            words.push("…");
            break;
        }
        left -= chars;
        words.push(shown);
    }
    words.dedup();
    let has_word = words.iter().any(|word| *word != "…");
    has_word.then(|| words.join(" "))
}

/// Where servers put what a person should read.
fn message_of(json: &Value) -> Option<&str> {
    let places = [
        "/error/message",
        "/error/code",
        "/error_description",
        "/error",
        "/message",
        "/detail",
        "/title",
        "/msg",
        "/reason",
    ];
    places
        .iter()
        .find_map(|place| json.pointer(place)?.as_str())
        .or_else(|| json.as_str())
}

fn may_be_shown(word: &str, secrets: &[&str]) -> bool {
    let is_plain =
        |c: char| c.is_alphabetic() || c.is_ascii_digit() || "-_.,:;!?()'\"`".contains(c);
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let has_digit = bare.contains(|c: char| c.is_ascii_digit());
    let is_like_token =
        bare.chars().count() > WORD_CHARS_MAX || bare.len() > DIGITS_MAX && has_digit;
    let lower = word.to_ascii_lowercase();
    let bare_lower = bare.to_ascii_lowercase();
    let is_piece =
        |secret: &&str| bare_lower.len() >= PIECE_CHARS_MIN && secret.contains(&bare_lower);
    let is_secret = secrets
        .iter()
        .any(|secret| lower.contains(secret) || is_piece(secret));
    word.chars().all(is_plain) && !bare.contains("..") && !is_like_token && !is_secret
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shown_and_secrets_are_not() {
        let target = "/services/T00/B00/secretpart?sig=abc123";
        for (text, expected) in [
            ("some_new_word", Some("some_new_word")),
            (
                "The channel is read-only.\nmore",
                Some("The channel is read-only."),
            ),
            (
                r#"{"error":{"code":"X","message":"Flow is paused"}}"#,
                Some("Flow is paused"),
            ),
            (r#"{"message":"no such team"}"#, Some("no such team")),
            (
                "see https://hooks.slack.com/services/T00 now",
                Some("see … now"),
            ),
            ("token xoxb-1234567890abcdef is bad", Some("token … is bad")),
            ("bad secretpart here abc123", Some("bad … here …")),
            ("/services/T00/B00", None),
            ("team t00 has no SECRETPART", Some("team … has no …")),
            ("bad key secretpa", Some("bad key …")),
            ("code 00123456 of 404", Some("code … of 404")),
            ("", None),
            (r#"{"a":1}"#, None),
            ("\u{1b}[31m", None),
        ] {
            assert_eq!(said(text, target).as_deref(), expected, "{text}");
        }
        assert!(said(&"word ".repeat(500), "").unwrap().chars().count() <= CHARS_MAX + 2);
    }
}
