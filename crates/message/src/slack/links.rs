//! The links of a message: in a row of text as long as they are short, the long ones as buttons.
//!
//! Text links are the first choice: a button warns of a missing app back end
//! (<https://github.com/slackapi/node-slack-sdk/issues/869>). But Slack counts the address of a text link against the
//! limits of its text, and that of a button it does not.

use super::{
    TITLE_LINK_UNITS_MAX,
    block::{Block, Button, Text},
    facts::link_around,
    mrkdwn,
};
use crate::{
    Shown,
    links::{WantedLink, given, labels},
    truncate::{Trim, units},
};

/// The row has at most this many units.
const ROW_UNITS_MAX: usize = 2_000;
/// Below the 75 of a button's text (<https://docs.slack.dev/reference/block-kit/block-elements/button-element>).
const LABEL_UNITS_MAX: usize = 70;

pub(super) fn blocks(
    shown: Shown<'_>,
    title_is_link: bool,
    trimmed: &mut Vec<Trim>,
    blocks: &mut Vec<Block>,
) {
    let wanted = wanted(shown, title_is_link, !trimmed.is_empty());
    let labels = labels(&wanted, LABEL_UNITS_MAX, trimmed);
    let mut row = String::new();
    let mut buttons = Vec::new();
    for (link, label) in wanted.iter().zip(labels) {
        match in_row(&row, &label, link.url) {
            Some(longer) => row = longer,
            None => buttons.push(Button::new(buttons.len(), &label, link.url.to_owned())),
        }
    }
    if !row.is_empty() {
        blocks.push(Block::section(Text::mrkdwn(row)));
    }
    if !buttons.is_empty() {
        blocks.push(Block::Actions { elements: buttons });
    }
}

/// The row with one more link, if that fits and the label can be shown as it is.
fn in_row(row: &str, label: &str, url: &str) -> Option<String> {
    let target = mrkdwn::link_target(url)?;
    let can_stand = mrkdwn::can_be_label(label) && mrkdwn::is_unmarked(label);
    let dot = if row.is_empty() { "" } else { " · " };
    let longer = format!("{row}{dot}<{target}|{}>", mrkdwn::escape(label));
    (can_stand && units(&longer) <= ROW_UNITS_MAX).then_some(longer)
}

/// The alert's page here or its own link, then its actions, then the links of product and check that are too long to go
/// around their names.
fn wanted(shown: Shown<'_>, title_is_link: bool, is_trimmed: bool) -> Vec<WantedLink<'_>> {
    let alert = shown.alert;
    let mut wanted = Vec::new();
    let open = |label| if is_trimmed { "Read the rest" } else { label };
    if let Some(page) = shown.page {
        wanted.push(WantedLink::new("page", open("Open alert"), page));
    }
    if let Some(url) = &alert.url {
        let is_only_way = shown.page.is_none() && is_trimmed;
        if !title_is_link || is_only_way {
            let label = if shown.page.is_none() {
                open("Open")
            } else {
                "Open"
            };
            wanted.push(WantedLink::new("url", label, url.as_str()));
        }
    }
    wanted.extend(given(alert).filter(|link| {
        let part = match link.place.as_str() {
            "product" => &alert.product,
            "check" => &alert.check,
            _ => return true,
        };
        let name = part.as_ref().map_or("", |part| part.name.as_str());
        shown.whole && link_around(name, link.url).is_none()
    }));
    wanted
}

const _: () = assert!(
    TITLE_LINK_UNITS_MAX <= mrkdwn::LINK_CHARS_MAX,
    "a link of the title is a link"
);
