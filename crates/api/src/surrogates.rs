//! Lone surrogates in JSON: escapes that stand for half a character. JSON's grammar allows them, but no string can hold
//! them. An alert must not be lost because of one: each becomes U+FFFD before the body is read.

use bytes::Bytes;

/// What stands for half a character: as long as the escape that it replaces.
const REPLACED: &[u8; 6] = b"\\ufffd";

/// The body without lone surrogates; as it is where there is none.
pub(crate) fn mended(body: &Bytes) -> Bytes {
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(escape) = next_escape(body, at) {
        let (unit, length) = match unit(body, escape) {
            Some(unit) => (unit, 6),
            None => (0, 2),
        };
        at = escape + length;
        let low_follows = || unit_is_low(body, at);
        match unit {
            0xD800..=0xDBFF if low_follows() => at += 6,
            0xD800..=0xDFFF => {
                let copy = mended.get_or_insert_with(|| body.to_vec());
                if let Some(place) = copy.get_mut(escape..escape + 6) {
                    place.copy_from_slice(REPLACED);
                }
            }
            _ => {}
        }
    }
    mended.map_or_else(|| body.clone(), Bytes::from)
}

fn next_escape(body: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    rest.iter()
        .position(|byte| *byte == b'\\')
        .map(|at| from + at)
}

/// The code unit that `\uXXXX` at a place stands for.
fn unit(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn unit_is_low(body: &[u8], at: usize) -> bool {
    matches!(unit(body, at), Some(0xDC00..=0xDFFF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lone_surrogates_are_replaced() {
        for (body, expected) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\ud83dx\uDE00""#, r#""\ufffdx\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d \" \n""#, r#""\\ud83d \" \n""#),
            (r#""\ud8"#, r#""\ud8"#),
            ("\\", "\\"),
        ] {
            assert_eq!(mended(&Bytes::from(body)), expected, "{body}");
        }
    }
}
