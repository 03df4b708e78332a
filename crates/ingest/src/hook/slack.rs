//! A message as Slack's incoming webhooks take it (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>): text,
//! blocks (<https://docs.slack.dev/reference/block-kit/blocks>) and attachments
//! (<https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>).

use std::borrow::Cow;

use alert_connectors_model::{Json, ObjectReader};

use super::{HookRefusal, mrkdwn::markdown, post::Post, rich_text};
use crate::values::{items, object, scalar_text, text};

pub(super) fn read<'j>(mut body: ObjectReader<'j>, post: &mut Post<'j>) -> Result<(), HookRefusal> {
    let said = text(body.take("text"));
    let blocks = list(body.take("blocks"))?;
    let attachments = list(body.take("attachments"))?;
    if let Some(said) = said {
        let said = markdown(&said);
        // Beside blocks the text is what a notification shows of them.
        let shown = if blocks.is_empty() {
            said.as_str()
        } else {
            said.lines().next().unwrap_or_default()
        };
        post.text(shown);
    }
    for block in blocks {
        self::block(block, post);
    }
    for attachment in attachments {
        self::attachment(attachment, post);
    }
    Ok(())
}

/// A list, or nothing. Slack refuses anything else.
fn list(value: Option<Json<'_>>) -> Result<Vec<Json<'_>>, HookRefusal> {
    match value {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::List(items)) => Ok(items),
        Some(_) => Err(HookRefusal::INVALID),
    }
}

fn block<'j>(block: Json<'j>, post: &mut Post<'j>) {
    let mut block = object(Some(block));
    let kind = text(block.take("type"));
    match kind.as_deref().unwrap_or_default() {
        "header" => post.heading(&shown(block.take("text"))),
        "section" => section(block, post),
        "context" => {
            let parts = items(block.take("elements")).into_iter();
            let parts: Vec<String> = parts
                .map(element_text)
                .filter(|part| !part.is_empty())
                .collect();
            post.text(&parts.join(" · "));
        }
        "markdown" => post.text(&text(block.take("text")).unwrap_or_default()),
        "rich_text" => post.text(&rich_text::markdown(items(block.take("elements")))),
        "actions" => {
            for element in items(block.take("elements")) {
                button(element, post);
            }
        }
        "image" => {
            let label = shown(block.take("title"));
            let alt = text(block.take("alt_text")).unwrap_or_default();
            let label = if label.is_empty() {
                &alt
            } else {
                label.as_str()
            };
            post.link(label, &text(block.take("image_url")).unwrap_or_default());
        }
        "video" => {
            let label = shown(block.take("title"));
            post.link(&label, &text(block.take("title_url")).unwrap_or_default());
        }
        "table" => table(block, post),
        _ => {}
    }
}

fn section<'j>(mut block: ObjectReader<'j>, post: &mut Post<'j>) {
    post.text(&shown(block.take("text")));
    for one in items(block.take("fields")) {
        let said = shown(Some(one));
        // The usual way to write a pair is a line in bold and the value below it.
        let pair = said.split_once('\n').or_else(|| said.split_once(":** "));
        match pair {
            Some((name, value)) if name.starts_with("**") => {
                post.field(name.trim_matches('*'), value);
            }
            _ => post.text(&said),
        }
    }
    if let Some(accessory) = block.take("accessory") {
        button(accessory, post);
    }
}

/// Rows of cells, each of which has a text.
fn table<'j>(mut block: ObjectReader<'j>, post: &mut Post<'j>) {
    let rows = items(block.take("rows")).into_iter().map(|row| {
        let cells = items(Some(row)).into_iter().map(|cell| {
            let mut cell = object(Some(cell));
            let plain = text(cell.take("text")).map(Cow::into_owned);
            plain.unwrap_or_else(|| rich_text::markdown(items(cell.take("elements"))))
        });
        cells.collect::<Vec<_>>().join(" | ")
    });
    post.text(&rows.collect::<Vec<_>>().join("\n"));
}

/// An element of a context: text, or a picture with its words.
fn element_text(element: Json<'_>) -> String {
    let mut parts = object(Some(element.clone()));
    match text(parts.take("alt_text")) {
        Some(alt) => alt.into_owned(),
        None => shown(Some(element)),
    }
}

/// A button that leads somewhere. One that only Slack's own app could answer is left out.
fn button<'j>(element: Json<'j>, post: &mut Post<'j>) {
    let mut element = object(Some(element));
    let label = shown(element.take("text"));
    if let Some(url) = text(element.take("url")) {
        post.link(&label, &url);
    }
}

/// The Markdown of a text object, or of a string in its place.
fn shown(value: Option<Json<'_>>) -> String {
    match value {
        Some(Json::Text(said)) => markdown(&said),
        other => {
            let mut object = object(other);
            let is_plain = text(object.take("type")).as_deref() == Some("plain_text");
            let said = text(object.take("text")).unwrap_or_default();
            if is_plain {
                said.into_owned()
            } else {
                markdown(&said)
            }
        }
    }
}

fn attachment<'j>(attachment: Json<'j>, post: &mut Post<'j>) {
    let mut attachment = object(Some(attachment));
    if let Some(colour) = text(attachment.take("color")) {
        post.colour(&colour);
    }
    let mut part = |name: &str| text(attachment.take(name)).map(|said| markdown(&said));
    let (pretext, author, title) = (part("pretext"), part("author_name"), part("title"));
    let (said, fallback, footer) = (part("text"), part("fallback"), part("footer"));
    post.text(&pretext.unwrap_or_default());
    if let Some(title) = &title {
        post.heading(title);
    }
    if let Some(url) = text(attachment.take("title_link")) {
        post.leads_to(title.as_deref().unwrap_or_default(), &url);
    }
    post.text(&said.unwrap_or_default());
    for one in items(attachment.take("fields")) {
        let mut one = object(Some(one));
        let name = text(one.take("title")).unwrap_or_default();
        let value = one.take("value").as_ref().and_then(scalar_text);
        post.field(&markdown(&name), &markdown(&value.unwrap_or_default()));
    }
    for block in items(attachment.take("blocks")) {
        self::block(block, post);
    }
    for action in items(attachment.take("actions")) {
        button(action, post);
    }
    if let Some(url) = text(attachment.take("image_url")) {
        post.link("Image", &url);
    }
    // What stands at the edge of an attachment is no title.
    if post.has_title() {
        post.text(&author.unwrap_or_default());
        post.text(&footer.unwrap_or_default());
    } else {
        post.text(&fallback.or(author).or(footer).unwrap_or_default());
    }
}
