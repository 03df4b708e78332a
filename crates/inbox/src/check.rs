//! Checks a payload against the known limits of Slack and Teams.

use serde_json::Value;

/// The service that a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Slack incoming webhook.
    Slack,
    /// A Teams workflow.
    Workflow,
    /// An Office 365 connector.
    Office365,
}

impl Kind {
    /// The service that a request is meant for, by host and path.
    pub fn of(host: &str, path: &str) -> Self {
        if host.contains("office.com") || path.starts_with("/webhookb2/") {
            Self::Office365
        } else if host.contains("powerplatform")
            || host.contains("logic.azure")
            || path.contains("/workflows/")
        {
            Self::Workflow
        } else {
            Self::Slack
        }
    }

    /// The word that stands for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Workflow => "workflow",
            Self::Office365 => "office365",
        }
    }
}

/// <https://docs.slack.dev/reference/block-kit/blocks>
const BLOCKS_MAX: usize = 50;
const ATTACHMENTS_MAX: usize = 100;
const TEXT_OBJECT_MAX: usize = 3_000;
const FIELD_MAX: usize = 2_000;
const FIELDS_MAX: usize = 10;
const CONTEXT_ELEMENTS_MAX: usize = 10;
const BUTTONS_MAX: usize = 25;
const BUTTON_TEXT_MAX: usize = 75;
const BUTTON_URL_MAX: usize = 3_000;
/// Seen on the Web API; Slack does not document it.
const ALL_TEXT_MAX: usize = 13_200;
/// A Teams message, counted as a JSON string inside JSON.
const CARD_BYTES_MAX: usize = 28_672;

/// What is wrong with a payload: Slack's own word for it, or what would fail in Teams after its answer.
pub fn check(kind: Kind, body: &[u8]) -> Result<(), &'static str> {
    match kind {
        Kind::Slack => slack(body),
        Kind::Workflow | Kind::Office365 => teams(body),
    }
}

fn slack(body: &[u8]) -> Result<(), &'static str> {
    let json: Value = serde_json::from_slice(body).map_err(|_malformed| "invalid_payload")?;
    let object = json.as_object().ok_or("invalid_payload")?;
    let text = object
        .get("text")
        .map(|text| text.as_str().ok_or("invalid_payload"))
        .transpose()?
        .unwrap_or_default();
    let mut size = 0;
    if let Some(blocks) = object.get("blocks") {
        size += check_blocks(blocks, "invalid_blocks")?;
    }
    let attachments = object
        .get("attachments")
        .map(|list| list.as_array().ok_or("invalid_attachments"))
        .transpose()?;
    let attachments = attachments.map(Vec::as_slice).unwrap_or_default();
    if attachments.len() > ATTACHMENTS_MAX {
        return Err("too_many_attachments");
    }
    for attachment in attachments {
        let attachment = attachment.as_object().ok_or("invalid_attachments")?;
        if let Some(blocks) = attachment.get("blocks") {
            let allowed = ["color", "blocks", "fallback"];
            if attachment
                .keys()
                .any(|key| !allowed.contains(&key.as_str()))
            {
                return Err("invalid_attachments");
            }
            size += check_blocks(blocks, "invalid_attachments")?;
        }
    }
    if text.is_empty() && attachments.is_empty() && !object.contains_key("blocks") {
        return Err("no_text");
    }
    if size > ALL_TEXT_MAX {
        Err("msg_blocks_too_long")
    } else {
        Ok(())
    }
}

/// The size of all text in the blocks, if every one of them is sound.
fn check_blocks(blocks: &Value, word: &'static str) -> Result<usize, &'static str> {
    let blocks = blocks.as_array().ok_or("invalid_blocks_format")?;
    if blocks.len() > BLOCKS_MAX {
        return Err(word);
    }
    blocks
        .iter()
        .map(|block| check_block(block).ok_or(word))
        .sum()
}

fn check_block(block: &Value) -> Option<usize> {
    match block.get("type")?.as_str()? {
        "divider" => Some(0),
        "header" => {
            text_size(block.get("text")?, 150).filter(|_| block["text"]["type"] == "plain_text")
        }
        "section" => {
            let text = match block.get("text") {
                Some(text) => text_size(text, TEXT_OBJECT_MAX)?,
                None => 0,
            };
            let fields = match block.get("fields") {
                Some(fields) => texts_size(fields, FIELDS_MAX, FIELD_MAX)?,
                None if block.get("text").is_none() => return None,
                None => 0,
            };
            Some(text + fields)
        }
        "rich_text" => rich_text_size(block.get("elements")?),
        "actions" => buttons_size(block.get("elements")?),
        "context" => texts_size(
            block.get("elements")?,
            CONTEXT_ELEMENTS_MAX,
            TEXT_OBJECT_MAX,
        ),
        _ => None,
    }
}

/// <https://docs.slack.dev/reference/block-kit/blocks/rich-text-block>: texts and links, none of them empty.
fn rich_text_size(elements: &Value) -> Option<usize> {
    let inline_size = |inline: &Value| match inline.get("type")?.as_str()? {
        "text" => inline.get("text")?.as_str().map(utf16_size),
        "link" => {
            let text = inline.get("text").map_or(Some(""), Value::as_str)?;
            let url = inline.get("url")?.as_str().filter(|url| is_http(url))?;
            Some(utf16_size(text) + utf16_size(url))
        }
        _ => None,
    };
    let element_size = |element: &Value| {
        let kinds = ["rich_text_section", "rich_text_preformatted"];
        let is_known = kinds.contains(&element.get("type")?.as_str()?);
        let inlines = element.get("elements")?.as_array().filter(|_| is_known)?;
        let sizes = inlines
            .iter()
            .map(|inline| inline_size(inline).filter(|size| *size > 0));
        sizes.sum::<Option<usize>>()
    };
    let elements = elements
        .as_array()
        .filter(|elements| !elements.is_empty())?;
    elements.iter().map(element_size).sum()
}

/// <https://docs.slack.dev/reference/block-kit/block-elements/button-element>
fn buttons_size(elements: &Value) -> Option<usize> {
    let buttons = elements
        .as_array()
        .filter(|buttons| (1..=BUTTONS_MAX).contains(&buttons.len()))?;
    let mut ids = std::collections::HashSet::new();
    let button_size = |button: &Value| {
        let url = button.get("url")?.as_str()?;
        let id = button.get("action_id")?.as_str()?.to_owned();
        let is_sound = button.get("type")? == "button"
            && is_http(url)
            && utf16_size(url) <= BUTTON_URL_MAX
            && ids.insert(id);
        let text = button
            .get("text")
            .filter(|text| text["type"] == "plain_text")?;
        text_size(text, BUTTON_TEXT_MAX).filter(|_| is_sound)
    };
    buttons.iter().map(button_size).sum()
}

fn is_http(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn utf16_size(text: &str) -> usize {
    text.encode_utf16().count()
}

fn texts_size(texts: &Value, count_max: usize, size_max: usize) -> Option<usize> {
    let texts = texts
        .as_array()
        .filter(|texts| (1..=count_max).contains(&texts.len()))?;
    texts.iter().map(|text| text_size(text, size_max)).sum()
}

fn text_size(text: &Value, max: usize) -> Option<usize> {
    let size = utf16_size(text.get("text")?.as_str()?);
    let known = matches!(text.get("type")?.as_str()?, "plain_text" | "mrkdwn");
    (known && (1..=max).contains(&size)).then_some(size)
}

fn teams(body: &[u8]) -> Result<(), &'static str> {
    let json: Value = serde_json::from_slice(body).map_err(|_malformed| "InvalidRequestContent")?;
    let attachments = json
        .get("attachments")
        .and_then(Value::as_array)
        .ok_or("TriggerInputSchemaMismatch")?;
    if attachments.is_empty() {
        return Err("nothing is posted");
    }
    for attachment in attachments {
        if attachment.get("contentType") != Some(&"application/vnd.microsoft.card.adaptive".into())
        {
            return Err("InvalidBotAdaptiveCard");
        }
        let card = attachment.get("content").ok_or("InvalidBotAdaptiveCard")?;
        let version = card
            .get("version")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if card.get("type") != Some(&"AdaptiveCard".into())
            || !matches!(version, "1.0" | "1.1" | "1.2" | "1.3" | "1.4")
        {
            return Err("InvalidBotAdaptiveCard");
        }
        let text = card.to_string();
        let escapes = text
            .bytes()
            .filter(|byte| matches!(byte, b'"' | b'\\'))
            .count();
        if text.len() + escapes > CARD_BYTES_MAX {
            return Err("MessageSizeExceeded");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_refuses_what_slack_refuses() {
        let long = format!(
            r#"{{"blocks":[{{"type":"section","text":{{"type":"mrkdwn","text":"{}"}}}}]}}"#,
            "x".repeat(3_001)
        );
        for (body, expected) in [
            (r#"{"text":"hi"}"#, Ok(())),
            ("{", Err("invalid_payload")),
            ("{}", Err("no_text")),
            (
                r#"{"attachments":[{"blocks":[],"footer":"x"}]}"#,
                Err("invalid_attachments"),
            ),
            (
                r#"{"attachments":[{"blocks":[{"type":"section","text":{"type":"mrkdwn","text":""}}]}]}"#,
                Err("invalid_attachments"),
            ),
            (long.as_str(), Err("invalid_blocks")),
            (
                r#"{"blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a"},{"type":"link","url":"https://a.example/","text":"b"}]}]}]}"#,
                Ok(()),
            ),
            (
                r#"{"blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":""}]}]}]}"#,
                Err("invalid_blocks"),
            ),
            (
                r#"{"blocks":[{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"plain_text","text":"a"},"url":"ftp://a"}]}]}"#,
                Err("invalid_blocks"),
            ),
        ] {
            assert_eq!(check(Kind::Slack, body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn teams_cards_must_be_of_version_one_point_four_at_most() {
        let card = |version: &str| {
            format!(
                r#"{{"attachments":[{{"contentType":"application/vnd.microsoft.card.adaptive","content":{{"type":"AdaptiveCard","version":"{version}"}}}}]}}"#
            )
        };
        assert_eq!(check(Kind::Workflow, card("1.4").as_bytes()), Ok(()));
        assert_eq!(
            check(Kind::Workflow, card("1.5").as_bytes()),
            Err("InvalidBotAdaptiveCard")
        );
        assert_eq!(
            check(Kind::Workflow, br#"{"text":"hi"}"#),
            Err("TriggerInputSchemaMismatch")
        );
    }
}
