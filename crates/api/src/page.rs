//! Lists in pages: `{items, next_cursor}`.

use crate::{ApiError, query::Query};

/// A page of a list.
#[derive(Debug)]
pub(crate) struct PageBody<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

/// A page of a short list that is whole in memory, sorted by the key that its cursors hold.
pub(crate) fn page_of<T>(
    raw: Option<&str>,
    mut items: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<PageBody<T>, ApiError> {
    let mut query = Query::new(raw, &["limit", "cursor"]);
    let limit = query.limit();
    let cursor = query.one("cursor", decode, "a next_cursor that this list gave");
    query.finish()?;
    items.sort_by_cached_key(&key);
    if let Some(after) = cursor {
        items.retain(|item| key(item) > after);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = if more {
        items.last().map(|item| encode(&key(item)))
    } else {
        None
    };
    Ok(PageBody { items, next_cursor })
}

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
    fn pages_follow_each_other_without_gap_or_repeat() {
        let items = || vec!["c", "a", "b"];
        let first = page_of(Some("limit=2"), items(), |item| (*item).to_owned()).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        let raw = format!("limit=2&cursor={}", first.next_cursor.unwrap());
        let second = page_of(Some(&raw), items(), |item| (*item).to_owned()).unwrap();
        assert_eq!((second.items, second.next_cursor), (vec!["c"], None));
        assert!(page_of(Some("cursor=zz"), items(), |item| (*item).to_owned()).is_err());
        assert!(page_of(Some("limit=0&page=1"), items(), |item| (*item).to_owned()).is_err());
    }
}
