//! `NaN`, `Infinity` and `-Infinity`, which Python writes into JSON although JSON has no such numbers. An alert must
//! not be lost because of one: each becomes a string of the same word before the body is read.

use bytes::Bytes;

const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// The body with such words as strings; as it is where there is none.
pub(crate) fn mended(body: &Bytes) -> Bytes {
    let mut mended: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = next_outside_strings(body, at) {
        let rest = body.get(found..).unwrap_or_default();
        let word = WORDS.into_iter().find(|word| rest.starts_with(word));
        let Some(word) = word.filter(|word| ends_here(rest, word.len())) else {
            at = found + 1;
            continue;
        };
        at = found + word.len();
        let text = mended.get_or_insert_with(|| Vec::with_capacity(body.len() + 64));
        text.extend_from_slice(body.get(copied..found).unwrap_or_default());
        text.push(b'"');
        text.extend_from_slice(word);
        text.push(b'"');
        copied = at;
    }
    match mended {
        None => body.clone(),
        Some(mut text) => {
            text.extend_from_slice(body.get(copied..).unwrap_or_default());
            Bytes::from(text)
        }
    }
}

/// Where one of the words may begin, from a place outside strings on.
fn next_outside_strings(body: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match body.get(at)? {
            b'"' => at = after_string(body, at)?,
            b'N' | b'I' => return Some(at),
            b'-' if body.get(at + 1) == Some(&b'I') => return Some(at),
            _ => at += 1,
        }
    }
}

/// Where the text goes on behind the string that begins at a place.
fn after_string(body: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    loop {
        match body.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn ends_here(rest: &[u8], length: usize) -> bool {
    let next = rest.get(length);
    next.is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_outside_strings_become_strings() {
        for (body, expected) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":NaN}"#, r#"{"a":"NaN"}"#),
            (
                "[NaN, -Infinity,Infinity]",
                r#"["NaN", "-Infinity","Infinity"]"#,
            ),
            (r#""NaN \" NaN""#, r#""NaN \" NaN""#),
            (r#"{"NaN":Nan}"#, r#"{"NaN":Nan}"#),
            ("NaNs -1 \"", "NaNs -1 \""),
        ] {
            assert_eq!(mended(&Bytes::from(body)), expected);
        }
    }
}
