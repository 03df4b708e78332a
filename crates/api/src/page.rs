//! Lists in pages: `{items, next_cursor}`.

use crate::{
    ApiError,
    cursor::{decode, encode},
    query::Query,
};

/// A page of a list.
#[derive(Debug)]
pub(crate) struct PageBody<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

impl<T> PageBody<T> {
    /// The page as an answer, which `make` makes of the items and the cursor of the next page.
    pub(crate) fn answer<A>(self, make: impl FnOnce(Vec<T>, Option<String>) -> A) -> A {
        make(self.items, self.next_cursor)
    }
}

/// A page of a short list that is whole in memory, sorted by the key that its cursors hold.
pub(crate) fn page_of<T>(
    raw: Option<&str>,
    items: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<PageBody<T>, ApiError> {
    page_in(Query::new(raw, &["limit", "cursor"]), items, key)
}

/// The same for a list with parameters of its own, which were read from the query before.
pub(crate) fn page_in<T>(
    mut query: Query<'_>,
    mut items: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<PageBody<T>, ApiError> {
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
