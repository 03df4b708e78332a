//! The few Adaptive Card elements that messages are made of, all of them older than version 1.4.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::markdown::Run;

/// The envelope: its one attachment is the card. An array of none would post nothing and still be accepted.
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
    /// Reads Markdown: only for our own words and what [`super::escape::fact_inert`] made inert.
    TextBlock {
        text: String,
        size: &'static str,
        weight: &'static str,
        is_subtle: bool,
        wrap: bool,
    },
    /// Reads nothing: for foreign text.
    RichTextBlock {
        inlines: Vec<TextRun>,
        spacing: &'static str,
    },
    FactSet {
        facts: Vec<Fact>,
    },
}

impl Element {
    pub(super) fn word(text: String) -> Self {
        Self::TextBlock {
            text,
            size: "Small",
            weight: "Bolder",
            is_subtle: false,
            wrap: true,
        }
    }

    pub(super) fn subtle(text: String) -> Self {
        Self::TextBlock {
            text,
            size: "Small",
            weight: "Default",
            is_subtle: true,
            wrap: true,
        }
    }

    /// A line of a digest.
    pub(super) fn line(text: String) -> Self {
        Self::TextBlock {
            text,
            size: "Default",
            weight: "Default",
            is_subtle: false,
            wrap: true,
        }
    }

    pub(super) fn rich(inlines: Vec<TextRun>) -> Self {
        Self::RichTextBlock {
            inlines,
            spacing: "Small",
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
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    italic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    font_type: Option<&'static str>,
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

    pub(super) fn code(text: String) -> Self {
        Self {
            text,
            font_type: Some("Monospace"),
            ..Self::default()
        }
    }

    /// A run of a description. A link shows where it leads, since not every client lets runs be clicked.
    pub(super) fn of(run: Run) -> Vec<Self> {
        let target = run.link.filter(|link| link.as_str() != run.text);
        let look = Self {
            text: run.text,
            size: None,
            weight: run.bold.then_some("Bolder"),
            italic: run.italic,
            font_type: run.code.then_some("Monospace"),
        };
        let target = target.map(|link| Self::plain(format!(" ({})", link.as_str())));
        std::iter::once(look).chain(target).collect()
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
