//! Cursors of lists, which are opaque to callers.

/// Cursors are opaque: the hexadecimal digits of what they hold.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

pub(crate) fn decode(cursor: &str) -> Option<String> {
    if !cursor.len().is_multiple_of(2) || cursor.len() > 2_000 {
        return None;
    }
    let digits = cursor.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_cursor_is_nothing() {
        assert_eq!(decode(&encode("a:ü")).as_deref(), Some("a:ü"));
        for wrong in ["z", "zz", "ff", &"0".repeat(2_002)] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
