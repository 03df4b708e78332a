//! A message as Slack's incoming webhooks take it (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>): text,
//! blocks (<https://docs.slack.dev/reference/block-kit/blocks>) and attachments
//! (<https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments>).

use std::borrow::Cow;

use alert_connectors_model::{Json, ObjectReader};

use super::{HookRefusal, mrkdwn::markdown, post::Post, rich_text, said::Said};
use crate::values::{items, object, scalar_text, text};

pub(super) fn read(mut body: ObjectReader<'_>, post: &mut Post) -> Result<(), HookRefusal> {
    let said = text(body.take("text")).map(|said| markdown(&said));
    let blocks = list(body.take("blocks"))?;
    let attachments = list(body.take("attachments"))?;
    let said = said.unwrap_or_default();
    // Beside blocks the text is what a notification shows of them.
    let (notification, rest) = match said.split_once('\n') {
        Some(parts) if !blocks.is_empty() => parts,
        _ => (said.as_str(), ""),
    };
    post.text(notification);
    for block in blocks {
        self::block(block, post);
    }
    for attachment in attachments {
        self::attachment(attachment, post);
    }
    if post.is_title_alone() {
        post.text(rest);
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

fn block(block: Json<'_>, post: &mut Post) {
    let mut block = object(Some(block));
    let kind = text(block.take("type"));
    match kind.as_deref().unwrap_or_default() {
        "header" => post.heading(shown(block.take("text"))),
        "section" => section(block, post),
        "context" => {
            let parts = items(block.take("elements")).into_iter();
            let parts: Vec<String> = parts
                .map(element_text)
                .filter(|part| !part.is_empty())
                .collect();
            post.text(parts.join(" · "));
        }
        "markdown" => post.text(&*text(block.take("text")).unwrap_or_default()),
        "rich_text" => post.text(rich_text::markdown(items(block.take("elements")))),
        "actions" => {
            for element in items(block.take("elements")) {
                button(element, post);
            }
        }
        "image" => {
            let title = shown(block.take("title"));
            let alt = text(block.take("alt_text")).unwrap_or_default();
            let label = if title.is_empty() {
                Said::Plain(alt)
            } else {
                title
            };
            post.link(label, &text(block.take("image_url")).unwrap_or_default());
        }
        "video" => {
            let label = shown(block.take("title"));
            post.link(label, &text(block.take("title_url")).unwrap_or_default());
        }
        "table" => table(block, post),
        _ => {}
    }
}

fn section(mut block: ObjectReader<'_>, post: &mut Post) {
    post.text(shown(block.take("text")));
    for one in items(block.take("fields")) {
        let said = shown(Some(one));
        match named_value(&said) {
            Some((name, value)) => post.field(name, said.like(value)),
            None => post.text(said),
        }
    }
    if let Some(accessory) = block.take("accessory") {
        button(accessory, post);
    }
}

/// The usual way to write a pair: a name in bold, then its value behind it or below it.
fn named_value<'s>(said: &'s Said<'_>) -> Option<(&'s str, &'s str)> {
    let text = match said {
        Said::Markdown(text) => text.trim(),
        Said::Plain(_) => return None,
    };
    let (name, rest) = text.strip_prefix("**")?.split_once("**")?;
    let is_pair = name.ends_with(':') || rest.starts_with([':', '\n']);
    let value = rest.strip_prefix(':').unwrap_or(rest).trim();
    (is_pair && !name.contains('\n') && !value.is_empty()).then_some((name, value))
}

/// Rows of cells, each of which has a text.
fn table(mut block: ObjectReader<'_>, post: &mut Post) {
    let rows = items(block.take("rows")).into_iter().map(|row| {
        let cells = items(Some(row)).into_iter().map(|cell| {
            let mut cell = object(Some(cell));
            let plain = text(cell.take("text")).map(Cow::into_owned);
            plain.unwrap_or_else(|| rich_text::markdown(items(cell.take("elements"))))
        });
        cells.collect::<Vec<_>>().join(" | ")
    });
    post.text(rows.collect::<Vec<_>>().join("\n"));
}

/// An element of a context: text, or a picture with its words.
fn element_text(element: Json<'_>) -> String {
    let mut parts = object(Some(element.clone()));
    match text(parts.take("alt_text")) {
        Some(alt) => alt.into_owned(),
        None => shown(Some(element)).as_str().to_owned(),
    }
}

/// A button that leads somewhere. One that only Slack's own app could answer is left out.
fn button(element: Json<'_>, post: &mut Post) {
    let mut element = object(Some(element));
    let label = shown(element.take("text"));
    if let Some(url) = text(element.take("url")) {
        post.link(label, &url);
    }
}

/// What a text object says, or a string in its place.
fn shown(value: Option<Json<'_>>) -> Said<'_> {
    match value {
        Some(Json::Text(said)) => markdown(&said).into(),
        other => {
            let mut object = object(other);
            let is_plain = text(object.take("type")).as_deref() == Some("plain_text");
            let said = text(object.take("text")).unwrap_or_default();
            if is_plain {
                Said::Plain(said)
            } else {
                markdown(&said).into()
            }
        }
    }
}

fn attachment(attachment: Json<'_>, post: &mut Post) {
    let mut attachment = object(Some(attachment));
    if let Some(colour) = text(attachment.take("color")) {
        post.colour(&colour);
    }
    let mut part = |name: &str| text(attachment.take(name)).map(|said| markdown(&said));
    let (pretext, author, title) = (part("pretext"), part("author_name"), part("title"));
    let (said, fallback, footer) = (part("text"), part("fallback"), part("footer"));
    post.text(pretext.unwrap_or_default());
    if let Some(title) = &title {
        post.heading(&**title);
    }
    if let Some(url) = text(attachment.take("title_link")) {
        post.leads_to(title.as_deref().unwrap_or_default(), &url);
    }
    post.text(said.unwrap_or_default());
    for one in items(attachment.take("fields")) {
        let mut one = object(Some(one));
        let name = text(one.take("title")).unwrap_or_default();
        let value = one.take("value").as_ref().and_then(scalar_text);
        post.field(markdown(&name), markdown(&value.unwrap_or_default()));
    }
    for block in items(attachment.take("blocks")) {
        self::block(block, post);
    }
    for action in items(attachment.take("actions")) {
        button(action, post);
    }
    for name in ["image_url", "thumb_url"] {
        if let Some(url) = text(attachment.take(name)) {
            post.link("Image", &url);
        }
    }
    if let Some(url) = text(attachment.take("author_link")) {
        post.link(author.as_deref().unwrap_or("Author"), &url);
    }
    // What stands at the edge of an attachment is no title.
    if post.has_title() {
        post.text(author.unwrap_or_default());
        post.text(footer.unwrap_or_default());
    } else {
        post.text(fallback.or(author).or(footer).unwrap_or_default());
    }
}
