//! Counts the values of a body while it arrives: one that has too many is refused before all of it is here.

use crate::json::VALUES_MAX;

/// Counts the values in pieces of JSON. For other text the count means nothing; the parser refuses it.
#[derive(Debug, Default)]
pub struct JsonValues {
    count: usize,
    is_in_text: bool,
    is_escaped: bool,
}

impl JsonValues {
    /// Reads on; returns whether the body may still have this many values.
    pub fn read(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.is_in_text {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.is_in_text = true,
                // Each value but the first stands behind one of these.
                b',' | b'[' | b'{' => self.count += 1,
                _ => {}
            }
        }
        self.count <= VALUES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_over_pieces_and_text_is_none() {
        let text = r#"{"a[,{\"[": [1, {"b": ",,\\"}], "c": []}"#;
        for size in [1, 2, 5, text.len()] {
            let mut values = JsonValues::default();
            assert!(text.as_bytes().chunks(size).all(|piece| values.read(piece)));
            // The object, its two values, and the three and one in the lists, but for those that are empty.
            assert_eq!(values.count, 6, "{size}");
        }
        let mut values = JsonValues::default();
        assert!(values.read(&b"0,".repeat(VALUES_MAX)));
        assert!(!values.read(b","));
    }
}
