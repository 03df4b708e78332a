//! The buttons of a card: the alert's own link first, then its page here, its actions, and where product and check are
//! seen.

use super::card::{Action, Element, TextRun};
use crate::{Shown, fit::Trim, labels, text::one_line, words::label as label_of};

/// At most this many buttons in a row; a seventh would hide in a menu, and older clients do not show it at all.
const ROW_MAX: usize = 6;
/// Longer titles of buttons are cut off by the clients.
const TITLE_UNITS_MAX: usize = 22;

/// The buttons of a card: a first row in the card's own place for them, further ones in its body.
pub(super) struct Actions {
    pub(super) row: Vec<Action>,
    /// What of them stands in the body.
    pub(super) more: Vec<Element>,
}

struct Wanted<'a> {
    place: String,
    label: &'a str,
    url: &'a str,
}

/// The buttons, at most `at_most`. Those that there is no room for are named.
pub(super) fn actions(shown: Shown<'_>, at_most: usize, trimmed: &mut Vec<Trim>) -> Actions {
    let wanted = wanted(shown, !trimmed.is_empty());
    let given: Vec<_> = wanted.iter().map(|link| one_line(link.label)).collect();
    let given: Vec<&str> = given.iter().map(AsRef::as_ref).collect();
    let titles = labels::distinct(&given, TITLE_UNITS_MAX);
    let (fitting, left_out) = wanted.split_at(wanted.len().min(at_most));
    let mut row = Vec::new();
    for ((link, given), title) in fitting.iter().zip(&given).zip(titles) {
        labels::note(&format!("{}.label", link.place), given, &title, trimmed);
        let title = super::text::notification(&title).into_owned();
        row.push(Action::open(title, link.url.to_owned()));
    }
    for link in left_out {
        trimmed.push(Trim {
            field: format!("{}.url", link.place),
            from: link.url.chars().count(),
            to: 0,
        });
    }
    let mut more = Vec::new();
    if row.len() > ROW_MAX {
        let actions = row.split_off(ROW_MAX);
        more.push(Element::ActionSet { actions });
    }
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(|link| one_line(link.label)).collect();
        let text = format!("No room for the links: {}", names.join(", "));
        more.push(Element::subtle(super::text::runs(&text, TextRun::small)));
    }
    Actions { row, more }
}

fn wanted(shown: Shown<'_>, is_trimmed: bool) -> Vec<Wanted<'_>> {
    let alert = shown.alert;
    let mut wanted = Vec::new();
    let mut add = |place: String, label, url| wanted.push(Wanted { place, label, url });
    if let Some(url) = &alert.url {
        let is_only_way = is_trimmed && shown.page.is_none();
        let label = if is_only_way { "Read the rest" } else { "Open" };
        add("url".to_owned(), label, url.as_str());
    }
    if let Some(page) = shown.page {
        let label = if is_trimmed {
            "Read the rest"
        } else {
            "Alert details"
        };
        add("page".to_owned(), label, page);
    }
    for (index, action) in alert.actions.iter().enumerate() {
        add(
            format!("actions.{index}"),
            label_of(action),
            action.url.as_str(),
        );
    }
    for (place, label, part) in [
        ("product", "Product", &alert.product),
        ("check", "Check", &alert.check),
    ] {
        if let Some(url) = part.as_ref().and_then(|part| part.url.as_ref()) {
            add(place.to_owned(), label, url.as_str());
        }
    }
    wanted
}
