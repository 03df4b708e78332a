//! Cards as incoming webhooks of Teams take them: the `MessageCard` of Office 365 connectors
//! (<https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference>), and Adaptive Cards
//! (<https://adaptivecards.io/explorer/>), bare or in a message of a workflow.

use alert_connectors_model::{Json, ObjectReader};

use super::{post::Post, said::Said};
use crate::values::{items, object, scalar_text, text};

/// Containers within containers are read to this depth.
const DEPTH_MAX: usize = 16;

pub(super) fn read_message_card(mut body: ObjectReader<'_>, post: &mut Post) {
    if let Some(colour) = text(body.take("themeColor")) {
        post.colour(&colour);
    }
    let summary = text(body.take("summary"));
    if let Some(title) = text(body.take("title")) {
        post.heading(&*title);
    }
    post.text(&*text(body.take("text")).unwrap_or_default());
    for section in items(body.take("sections")) {
        self::section(section, post);
    }
    for action in items(body.take("potentialAction")) {
        open_uri(action, post);
    }
    if let Some(summary) = summary.filter(|_| !post.has_title()) {
        post.heading(&*summary);
    }
}

fn section(section: Json<'_>, post: &mut Post) {
    let mut section = object(Some(section));
    for heading in ["title", "activityTitle"] {
        post.heading(&*text(section.take(heading)).unwrap_or_default());
    }
    for said in ["activitySubtitle", "activityText", "text"] {
        post.text(&*text(section.take(said)).unwrap_or_default());
    }
    for fact in items(section.take("facts")) {
        pair(fact, "name", post);
    }
    for action in items(section.take("potentialAction")) {
        open_uri(action, post);
    }
}

/// A name and its value.
fn pair(fact: Json<'_>, name: &str, post: &mut Post) {
    let mut fact = object(Some(fact));
    let name = text(fact.take(name)).unwrap_or_default();
    let value = fact.take("value").as_ref().and_then(scalar_text);
    post.field(&*name, value.unwrap_or_default());
}

/// A link. The older shape has a list of addresses, the other an address for each system.
fn open_uri(action: Json<'_>, post: &mut Post) {
    let mut action = object(Some(action));
    let label = text(action.take("name")).unwrap_or_default();
    let first_target = items(action.take("target")).into_iter().next();
    let first_uri = items(action.take("targets")).into_iter().next();
    let uri = first_target.or_else(|| object(first_uri).take("uri"));
    if let Some(uri) = text(uri) {
        post.link(&*label, &uri);
    }
}

/// How a message names a card of the retired Office 365 connectors.
const MESSAGE_CARD: &str = "application/vnd.microsoft.teams.card.o365connector";

/// A message with a text or cards.
pub(super) fn read_message(mut body: ObjectReader<'_>, post: &mut Post) {
    post.text(&*text(body.take("text")).unwrap_or_default());
    for attachment in items(body.take("attachments")) {
        let mut attachment = object(Some(attachment));
        let kind = text(attachment.take("contentType"));
        let content = object(attachment.take("content"));
        if kind.as_deref() == Some(MESSAGE_CARD) {
            read_message_card(content, post);
        } else {
            read_card(content, post);
        }
    }
    if let Some(summary) = text(body.take("summary")).filter(|_| !post.has_title()) {
        post.heading(&*summary);
    }
}

/// An Adaptive Card.
pub(super) fn read_card(card: ObjectReader<'_>, post: &mut Post) {
    self::card(card, post, 0);
}

fn card(mut card: ObjectReader<'_>, post: &mut Post, depth: usize) {
    for element in items(card.take("body")) {
        self::element(element, post, depth);
    }
    for action in items(card.take("actions")) {
        open_url(action, post, depth);
    }
    open_url(card.take("selectAction").unwrap_or(Json::Null), post, depth);
    if let Some(said) = text(card.take("fallbackText")).filter(|_| !post.has_title()) {
        post.text(&*said);
    }
}

fn element(element: Json<'_>, post: &mut Post, depth: usize) {
    if depth > DEPTH_MAX {
        return;
    }
    let mut element = object(Some(element));
    let kind = text(element.take("type"));
    for colour in ["color", "style"] {
        if let Some(colour) = text(element.take(colour)) {
            post.colour(&colour);
        }
    }
    match kind.as_deref().unwrap_or_default() {
        "TextBlock" => post.text(&*text(element.take("text")).unwrap_or_default()),
        "RichTextBlock" => {
            let inlines = items(element.take("inlines")).into_iter();
            post.text(Said::Plain(inlines.map(inline).collect::<String>().into()));
        }
        "FactSet" => {
            for fact in items(element.take("facts")) {
                pair(fact, "title", post);
            }
        }
        "Image" => {
            let label = text(element.take("altText")).unwrap_or("Image".into());
            post.link(&*label, &text(element.take("url")).unwrap_or_default());
        }
        "ActionSet" => {
            for action in items(element.take("actions")) {
                open_url(action, post, depth);
            }
        }
        "CodeBlock" => {
            if let Some(code) = text(element.take("codeSnippet")) {
                post.paragraph(format!("```\n{}\n```", code.trim_matches('\n')));
            }
        }
        _ => {
            for inner in ["items", "columns", "rows", "cells", "images"] {
                for one in items(element.take(inner)) {
                    self::element(one, post, depth + 1);
                }
            }
        }
    }
    open_url(
        element.take("selectAction").unwrap_or(Json::Null),
        post,
        depth,
    );
}

/// A run of text, which may stand as a string.
fn inline(run: Json<'_>) -> String {
    match run {
        Json::Text(said) => said.into_owned(),
        other => match object(Some(other)).take("text") {
            Some(Json::Text(said)) => said.into_owned(),
            _ => String::new(),
        },
    }
}

/// A button that leads somewhere, or that opens a card below this one.
fn open_url(action: Json<'_>, post: &mut Post, depth: usize) {
    let mut action = object(Some(action));
    let label = text(action.take("title")).unwrap_or_default();
    if let Some(url) = text(action.take("url")) {
        post.link(&*label, &url);
    }
    if depth < DEPTH_MAX {
        card(object(action.take("card")), post, depth + 1);
    }
}
