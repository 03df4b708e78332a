//! How Teams measures a card.

/// How Teams counts a card: as a JSON string, with everything beyond ASCII as its `\u` escapes.
pub(super) fn weight(card: &str) -> usize {
    let size = |c: char| match c {
        '"' | '\\' => 2,
        _ if c.is_ascii() => 1,
        _ => 6 * c.len_utf16(),
    };
    card.chars().map(size).sum::<usize>() + 2
}
