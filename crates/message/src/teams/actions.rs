//! The buttons of a card: the alert's own link first, then its page here, its actions, and where product and check are
//! seen.

use super::{
    card::{Action, Element, TextRun},
    text::{notification, runs},
};
use crate::{
    Shown,
    links::{WantedLink, given, labels},
    text::one_line,
    truncate::Trim,
};

/// At most this many buttons in a row; a seventh would hide in a menu, and older clients do not show it at all.
const ROW_MAX: usize = 6;
/// Longer titles of buttons are cut off by the clients.
const TITLE_UNITS_MAX: usize = 22;

/// The buttons of a card: a first row in the card's own place for them, further ones in its body.
pub(super) struct Actions {
    pub(super) row: Vec<Action>,
    /// What stands in the body: further buttons, and the names of those left out.
    pub(super) more: Vec<Element>,
}

/// The buttons, at most `at_most`. Those that there is no room for are named.
pub(super) fn actions(shown: Shown<'_>, at_most: usize, trimmed: &mut Vec<Trim>) -> Actions {
    let wanted = wanted(shown, !trimmed.is_empty());
    let titles = labels(&wanted, TITLE_UNITS_MAX, trimmed);
    let (fitting, left_out) = wanted.split_at(wanted.len().min(at_most));
    let mut row: Vec<Action> = fitting
        .iter()
        .zip(titles)
        .map(|(link, title)| Action::open(notification(&title).into_owned(), link.url.to_owned()))
        .collect();
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
        more.push(Element::subtle(runs(&text, TextRun::small)));
    }
    Actions { row, more }
}

fn wanted(shown: Shown<'_>, is_trimmed: bool) -> Vec<WantedLink<'_>> {
    let mut wanted = Vec::new();
    if let Some(url) = &shown.alert.url {
        let is_only_way = is_trimmed && shown.page.is_none();
        let label = if is_only_way { "Read the rest" } else { "Open" };
        wanted.push(WantedLink::new("url", label, url.as_str()));
    }
    if let Some(page) = shown.page {
        let label = if is_trimmed {
            "Read the rest"
        } else {
            "Alert details"
        };
        wanted.push(WantedLink::new("page", label, page));
    }
    wanted.extend(given(shown.alert));
    wanted
}
