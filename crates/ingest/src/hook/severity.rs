//! How severe a post is: by its leading word, then by its colour.

use alert_connectors_model::Severity;

use super::colour::Colour;
use crate::severity_words::severity_of;

/// Words that name a severity wherever they lead. The others do so only where they are set off: "Low disk space" is no low alert, and
/// "Page load is slow" wakes nobody.
const UNMISTAKABLE: [&str; 5] = ["critical", "fatal", "error", "warning", "warn"];

/// The severity of a post with this title.
pub(super) fn of(title: &str, colour: Option<Colour>) -> Severity {
    let lead = Lead::of(title);
    let word = lead.word.to_ascii_lowercase();
    let by_colour = match colour {
        Some(Colour::Bad) => Severity::High,
        Some(Colour::Good) => Severity::Low,
        None if matches!(word.as_str(), "resolved" | "recovered" | "ok") => Severity::Low,
        Some(Colour::Warning) | None => Severity::Medium,
    };
    let is_plain = is_code(&word) || UNMISTAKABLE.contains(&word.as_str());
    // "Error rate is back to normal" is good news where it is green.
    let is_good = colour == Some(Colour::Good);
    let counts = lead.is_set_off || is_plain && !lead.is_joined && !is_good;
    severity_of(&word).filter(|_| counts).unwrap_or(by_colour)
}

/// Whether a word is a code such as `p1` or `sev2`.
fn is_code(word: &str) -> bool {
    word.ends_with(|last: char| last.is_ascii_digit())
}

/// The first word of a title.
struct Lead<'t> {
    word: &'t str,
    /// Whether it stands apart from the sentence: in brackets, before a colon or a dash, in capitals or alone.
    is_set_off: bool,
    /// Whether it is a part of a word with a hyphen, such as `error-free`.
    is_joined: bool,
}

impl<'t> Lead<'t> {
    fn of(title: &'t str) -> Self {
        let title = without_address(title);
        let rest = title.trim_start_matches(|letter: char| !letter.is_alphanumeric());
        let before = title.strip_suffix(rest).unwrap_or_default();
        let end = rest.find(|letter: char| !letter.is_alphanumeric());
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        let is_bracketed = before.ends_with(['[', '(', '{', '<', '|']);
        let is_divided = after.starts_with([':', ']', ')', '|', '!'])
            || after.trim_start().is_empty()
            || [" - ", " – ", " — ", " | ", " : "]
                .iter()
                .any(|divider| after.starts_with(divider));
        let is_loud =
            |word: &str| word.contains(char::is_uppercase) && !word.contains(char::is_lowercase);
        // Where all is in capitals, the first word does not stand apart by its own.
        let is_loud = is_loud(word) && !after.split_whitespace().next().is_some_and(is_loud);
        let is_joined = after.starts_with('-') && !after.starts_with("- ");
        Self {
            word,
            is_joined,
            is_set_off: is_bracketed || is_divided || is_loud,
        }
    }
}

/// A title without the names of emoji and the mentions that it begins with, such as `:fire: @channel`.
fn without_address(mut title: &str) -> &str {
    loop {
        let rest = title.trim_start();
        let shorter = without_emoji_name(rest).or_else(|| without_mention(rest));
        match shorter {
            Some(shorter) => title = shorter,
            None => return title,
        }
    }
}

fn without_emoji_name(title: &str) -> Option<&str> {
    let (name, after) = title.strip_prefix(':')?.split_once(':')?;
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    is_name.then_some(after)
}

fn without_mention(title: &str) -> Option<&str> {
    let (name, after) = title.strip_prefix('@')?.split_once(char::is_whitespace)?;
    let name = name.trim_end_matches(|letter: char| !letter.is_alphanumeric());
    // "@critical: db is down" mentions nobody.
    (!name.is_empty() && severity_of(name).is_none()).then_some(after)
}
