//! Slack's rich text (<https://docs.slack.dev/reference/block-kit/blocks/rich-text-block>) as Markdown.

use alert_connectors_model::{Json, ObjectReader};

use super::mrkdwn::markdown_link;
use crate::values::{items, object, scalar_text, text};

/// Lists within lists are read to this depth.
const DEPTH_MAX: usize = 8;
/// How far a list within a list of Markdown is indented.
const INDENT_SPACES: usize = 3;

/// The Markdown of the elements of a rich text.
pub(super) fn markdown(elements: Vec<Json<'_>>) -> String {
    let parts = elements.into_iter().map(|element| part(element, 0));
    parts.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn part(element: Json<'_>, depth: usize) -> String {
    let mut element = object(Some(element));
    let kind = text(element.take("type"));
    let inner = items(element.take("elements"));
    match kind.as_deref().unwrap_or_default() {
        "rich_text_list" if depth < DEPTH_MAX => list(element, inner, depth),
        "rich_text_preformatted" => format!("```\n{}\n```", words(inner, false)),
        "rich_text_quote" => {
            let said = words(inner, true);
            let line = |line| format!("> {line}");
            said.lines().map(line).collect::<Vec<_>>().join("\n")
        }
        _ => words(inner, true),
    }
}

/// A list, numbered or not. Slack writes a list within a list as the next element, with an indent.
fn list(mut element: ObjectReader<'_>, items: Vec<Json<'_>>, depth: usize) -> String {
    let is_numbered = text(element.take("style")).as_deref() == Some("ordered");
    let mut number = |name: &str| {
        let text = scalar_text(&element.take(name)?)?;
        text.parse::<usize>().ok()
    };
    let indent = " ".repeat(INDENT_SPACES * number("indent").unwrap_or(0).min(DEPTH_MAX));
    let before = number("offset").unwrap_or(0);
    let item = |(at, inner)| {
        let said = part(inner, depth + 1);
        if is_numbered {
            format!("{indent}{}. {said}", before.saturating_add(at + 1))
        } else {
            format!("{indent}- {said}")
        }
    };
    let lines: Vec<String> = items.into_iter().enumerate().map(item).collect();
    lines.join("\n")
}

fn words(elements: Vec<Json<'_>>, is_styled: bool) -> String {
    elements
        .into_iter()
        .map(|element| word(object(Some(element)), is_styled))
        .collect()
}

fn word(mut element: ObjectReader<'_>, is_styled: bool) -> String {
    let kind = text(element.take("type"));
    // A space between two styled words is text, too.
    let said = match element.take("text") {
        Some(Json::Text(said)) => said.into_owned(),
        _ => String::new(),
    };
    let mut named = |name: &str| text(element.take(name)).unwrap_or_default().into_owned();
    match kind.as_deref().unwrap_or_default() {
        "link" => match named("url") {
            url if said.is_empty() => url,
            url => markdown_link(&said, &url),
        },
        "emoji" => format!(":{}:", named("name")),
        "user" => format!("@{}", named("user_id")),
        "usergroup" => format!("@{}", named("usergroup_id")),
        "channel" => format!("#{}", named("channel_id")),
        "broadcast" => format!("@{}", named("range")),
        "date" => named("fallback"),
        _ if is_styled => styled(said, object(element.take("style"))),
        _ => said,
    }
}

fn styled(said: String, mut style: ObjectReader<'_>) -> String {
    let mut is = |name: &str| matches!(style.take(name), Some(Json::Bool(true)));
    let marks = [
        ("code", "`"),
        ("bold", "**"),
        ("italic", "_"),
        ("strike", "~"),
    ];
    let mut out = said;
    for (name, mark) in marks {
        if is(name) && !out.trim().is_empty() {
            out = format!("{mark}{out}{mark}");
        }
    }
    out
}
