//! The key that names an ongoing problem within its space.

use std::fmt::Write as _;

/// The longest key that is kept as it is, in characters.
const CHARS_MAX: usize = 255;
/// Of a longer one this much is kept; `#` and the hash of the whole make it 255.
const KEPT_CHARS: usize = 190;

/// A key as it is stored and searched: NUL made visible; what is too long is kept as its beginning and the hex SHA-256 of the
/// whole, so that two long keys never name the same problem.
pub fn dedup_key(text: &str) -> String {
    let text = text.replace('\0', "\u{FFFD}");
    // A string of at most `CHARS_MAX` bytes has at most `CHARS_MAX` characters.
    if text.len() <= CHARS_MAX || text.chars().count() <= CHARS_MAX {
        return text;
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let mut key: String = text.chars().take(KEPT_CHARS).collect();
    key.push('#');
    for byte in hash.as_ref() {
        write!(key, "{byte:02x}").expect("writing to a string never fails");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_that_begin_alike_stay_apart() {
        let long = |end: &str| dedup_key(&format!("{}{end}", "ä".repeat(255)));
        assert_ne!(long("a"), long("b"));
        assert_eq!(long("a").chars().count(), CHARS_MAX);
        assert_eq!(dedup_key(&long("a")), long("a"));
        assert!(long("a").starts_with(&format!("{}#", "ä".repeat(190))));
        assert_eq!(dedup_key(&"ä".repeat(255)), "ä".repeat(255));
        assert_eq!(dedup_key("a\0b"), "a\u{FFFD}b");
    }
}
