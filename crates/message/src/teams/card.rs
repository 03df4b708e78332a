//! The few Adaptive Card elements that messages are made of, all of them older than version 1.4.

use alert_connectors_model::Link;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::rich::Look;

/// The envelope: its one attachment is the card. A workflow would accept an empty array, but post nothing.
#[derive(Serialize)]
pub(super) struct Message {
    r#type: &'static str,
    summary: String,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    content_type: &'static str,
    content_url: Option<()>,
    content: Box<RawValue>,
}

impl Message {
    pub(super) fn around(card: Box<RawValue>, summary: String) -> Self {
        let content_type = "application/vnd.microsoft.card.adaptive";
        let attachment = Attachment {
            content_type,
            content_url: None,
            content: card,
        };
        Self {
            r#type: "message",
            summary,
            attachments: [attachment],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Card {
    #[serde(rename = "$schema")]
    schema: &'static str,
    r#type: &'static str,
    version: &'static str,
    fallback_text: String,
    speak: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    msteams: Option<Width>,
    body: Vec<Element>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
}

/// Teams' own extension: without it cards are narrow.
#[derive(Serialize)]
struct Width {
    width: &'static str,
}

impl Card {
    /// Version 1.4 is the newest that workflows draw.
    pub(super) fn full(body: Vec<Element>, actions: Vec<Action>, summary: String) -> Self {
        let msteams = Some(Width { width: "Full" });
        Self {
            msteams,
            actions,
            ..Self::of("1.4", body, summary)
        }
    }

    pub(super) fn plain(body: Vec<Element>, summary: String) -> Self {
        Self::of("1.2", body, summary)
    }

    fn of(version: &'static str, body: Vec<Element>, summary: String) -> Self {
        Self {
            schema: "http://adaptivecards.io/schemas/adaptive-card.json",
            r#type: "AdaptiveCard",
            version,
            // `speak` may be read as SSML, where these two are marks.
            speak: summary.replace(['<', '&'], " "),
            fallback_text: summary,
            msteams: None,
            body,
            actions: Vec::new(),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(super) enum Element {
    Container {
        style: &'static str,
        bleed: bool,
        items: Vec<Element>,
    },
    /// Reads Markdown: only for our own words and what [`super::text::in_markdown`] lets pass.
    TextBlock {
        text: String,
        size: &'static str,
        weight: &'static str,
        wrap: bool,
    },
    /// Reads nothing: for foreign text.
    RichTextBlock {
        inlines: Vec<TextRun>,
        spacing: &'static str,
    },
    /// Reads Markdown in both texts of a fact.
    FactSet {
        facts: Vec<Fact>,
    },
    ActionSet {
        actions: Vec<Action>,
    },
}

impl Element {
    pub(super) fn word(text: String) -> Self {
        Self::TextBlock {
            text,
            size: "Small",
            weight: "Bolder",
            wrap: true,
        }
    }

    /// A line of a digest.
    pub(super) fn line(text: String) -> Self {
        Self::TextBlock {
            text,
            size: "Default",
            weight: "Default",
            wrap: true,
        }
    }

    pub(super) fn rich(inlines: Vec<TextRun>) -> Self {
        Self::RichTextBlock {
            inlines,
            spacing: "Small",
        }
    }

    /// A line that belongs to the one above it.
    pub(super) fn next_line(inlines: Vec<TextRun>) -> Self {
        Self::RichTextBlock {
            inlines,
            spacing: "None",
        }
    }

    /// What stands below the message itself.
    pub(super) fn subtle(inlines: Vec<TextRun>) -> Self {
        Self::RichTextBlock {
            inlines,
            spacing: "Default",
        }
    }
}

#[derive(Serialize)]
pub(super) struct Fact {
    pub(super) title: String,
    pub(super) value: String,
}

#[derive(Serialize, Default)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(super) struct TextRun {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_subtle: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    italic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    font_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    select_action: Option<OpenUrl>,
}

impl TextRun {
    pub(super) fn plain(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    pub(super) fn heading(text: String) -> Self {
        Self {
            text,
            size: Some("Large"),
            weight: Some("Bolder"),
            ..Self::default()
        }
    }

    pub(super) fn bold(text: String) -> Self {
        Self {
            text,
            weight: Some("Bolder"),
            ..Self::default()
        }
    }

    pub(super) fn small(text: String) -> Self {
        Self {
            text,
            size: Some("Small"),
            is_subtle: true,
            ..Self::default()
        }
    }

    /// A run of a description or a value. Clients that can't open the link of a run still show its text.
    pub(super) fn styled(text: String, look: Look, link: Option<&Link>) -> Self {
        Self {
            text,
            weight: look.bold.then_some("Bolder"),
            italic: look.italic,
            font_type: look.code.then_some("Monospace"),
            select_action: link.map(|link| OpenUrl::new(link.as_str().to_owned())),
            ..Self::default()
        }
    }

    /// A link whose label is ours.
    pub(super) fn link(label: &str, url: String) -> Self {
        Self {
            text: label.to_owned(),
            select_action: Some(OpenUrl::new(url)),
            ..Self::default()
        }
    }
}

/// What a click on a run does.
#[derive(Serialize)]
struct OpenUrl {
    r#type: &'static str,
    url: String,
}

impl OpenUrl {
    const fn new(url: String) -> Self {
        Self {
            r#type: "Action.OpenUrl",
            url,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Action {
    r#type: &'static str,
    title: String,
    url: String,
}

impl Action {
    pub(super) fn open(title: String, url: String) -> Self {
        Self {
            r#type: "Action.OpenUrl",
            title,
            url,
        }
    }
}
