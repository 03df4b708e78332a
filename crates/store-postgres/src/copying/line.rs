//! Rows in the text format of `COPY`, as PostgreSQL itself writes them, so that they can be compared.

use alert_connectors_store::{
    StoreError,
    copying::{CopiedKind, CopiedRow, CopiedTable, CopiedValue},
    stored::unreadable,
};
use uuid::Uuid;

/// A line for each row.
pub(super) fn lines(table: &CopiedTable, rows: &[CopiedRow]) -> Result<String, StoreError> {
    let mut text = String::new();
    for row in rows {
        for (at, ((column, kind), value)) in table.columns.iter().zip(row).enumerate() {
            if at > 0 {
                text.push('\t');
            }
            let written = write(*kind, value, &mut text);
            written.ok_or_else(|| unreadable(table.name, column, key_of(row)))?;
        }
        text.push('\n');
    }
    Ok(text)
}

/// What names a row in an error: its first value, if that is a number.
fn key_of(row: &CopiedRow) -> String {
    match row.first() {
        Some(CopiedValue::Number(number)) => number.to_string(),
        _ => "with another key".to_owned(),
    }
}

/// Writes a value; nothing if PostgreSQL can't hold it.
fn write(kind: CopiedKind, value: &CopiedValue, text: &mut String) -> Option<()> {
    match (kind, value) {
        (_, CopiedValue::Null) => text.push_str("\\N"),
        (CopiedKind::Number, CopiedValue::Number(number)) => text.push_str(&number.to_string()),
        (CopiedKind::Flag, CopiedValue::Number(0)) => text.push('f'),
        (CopiedKind::Flag, CopiedValue::Number(1)) => text.push('t'),
        (CopiedKind::Id, CopiedValue::Bytes(bytes)) => {
            text.push_str(&Uuid::from_slice(bytes).ok()?.to_string());
        }
        (CopiedKind::Bytes, CopiedValue::Bytes(bytes)) => hex(bytes, text),
        (CopiedKind::Bytes, CopiedValue::Text(said)) => hex(said.as_bytes(), text),
        (CopiedKind::Text, CopiedValue::Text(said)) => escape(said, text),
        _ => return None,
    }
    Some(())
}

fn hex(bytes: &[u8], text: &mut String) {
    text.push_str("\\\\x");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
}

fn escape(said: &str, text: &mut String) {
    for letter in said.chars() {
        match letter {
            // PostgreSQL's text has no such character, and the store writes none.
            '\0' => {}
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{b}' => text.push_str("\\v"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        use CopiedKind::{Bytes, Flag, Id, Number, Text};
        let text = |said: &str| CopiedValue::Text(said.to_owned());
        let bytes = |bytes: &[u8]| CopiedValue::Bytes(bytes.to_vec());
        for (kind, value, expected) in [
            (Number, CopiedValue::Number(-7), Some("-7")),
            (Number, CopiedValue::Null, Some("\\N")),
            (Flag, CopiedValue::Number(1), Some("t")),
            (Flag, CopiedValue::Number(2), None),
            (
                Id,
                bytes(&[0x11; 16]),
                Some("11111111-1111-1111-1111-111111111111"),
            ),
            (Id, bytes(&[1; 15]), None),
            (Bytes, bytes(&[0, 255]), Some("\\\\x00ff")),
            (Bytes, text("a\0"), Some("\\\\x6100")),
            (Text, text("a\\b\tc\nd\re"), Some("a\\\\b\\tc\\nd\\re")),
            (Text, text("\\N"), Some("\\\\N")),
            (Text, text("a\0b"), Some("ab")),
            (Text, CopiedValue::Number(1), None),
        ] {
            let mut written = String::new();
            let fits = write(kind, &value, &mut written);
            assert_eq!(fits.map(|()| written.as_str()), expected, "{value:?}");
        }
    }
}
