//! The few Block Kit elements that messages are made of.

use serde::Serialize;

use crate::{
    rich::Look,
    truncate::{Size, cut},
};

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Section {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<Text>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        fields: Vec<Text>,
    },
    /// Slack parses nothing in its texts, so foreign text needs no escape. Slack documents it for messages; whether
    /// attachments take it as well is not measured, so the plain form is the fallback.
    RichText {
        elements: Vec<RichElement>,
    },
    Context {
        elements: [Text; 1],
    },
    Actions {
        elements: Vec<Button>,
    },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Text {
    /// Markup is read; `verbatim` keeps Slack from finding channels and people in it on its own.
    Mrkdwn { text: String, verbatim: bool },
    /// Nothing is read.
    PlainText { text: String, emoji: bool },
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum RichElement {
    RichTextSection { elements: Vec<Inline> },
    RichTextPreformatted { elements: Vec<Inline> },
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Inline {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        style: Option<Style>,
    },
    Link {
        url: String,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        style: Option<Style>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Style {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bold: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    italic: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    code: bool,
}

/// A button that opens a link.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "button")]
pub(super) struct Button {
    action_id: String,
    text: Text,
    url: String,
}

impl Style {
    pub(super) const BOLD: Self = Self {
        bold: true,
        italic: false,
        code: false,
    };

    pub(super) fn of(look: Look) -> Option<Self> {
        (!look.is_plain()).then_some(Self {
            bold: look.bold,
            italic: look.italic,
            code: look.code,
        })
    }
}

impl Block {
    pub(super) fn section(text: Text) -> Self {
        Self::Section {
            text: Some(text),
            fields: Vec::new(),
        }
    }

    pub(super) fn fields(fields: Vec<Text>) -> Self {
        Self::Section { text: None, fields }
    }

    pub(super) fn context(text: Text) -> Self {
        Self::Context { elements: [text] }
    }

    /// The size of all its text.
    pub(super) fn size(&self) -> Size {
        match self {
            Self::Section { text, fields } => text.iter().chain(fields).map(Text::size).sum(),
            Self::RichText { elements } => elements.iter().map(RichElement::size).sum(),
            Self::Context { elements } => elements.iter().map(Text::size).sum(),
            Self::Actions { elements } => elements.iter().map(|button| button.text.size()).sum(),
        }
    }
}

impl Text {
    pub(super) fn mrkdwn(text: String) -> Self {
        Self::Mrkdwn {
            text,
            verbatim: true,
        }
    }

    pub(super) fn plain(text: String) -> Self {
        Self::PlainText { text, emoji: false }
    }

    fn size(&self) -> Size {
        let (Self::Mrkdwn { text, .. } | Self::PlainText { text, .. }) = self;
        Size::of(text)
    }
}

impl RichElement {
    /// The elements of its text.
    pub(super) fn inlines(&self) -> &[Inline] {
        let (Self::RichTextSection { elements } | Self::RichTextPreformatted { elements }) = self;
        elements
    }

    fn size(&self) -> Size {
        self.inlines().iter().map(Inline::size).sum()
    }
}

impl Inline {
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Text { text, style: None }
    }

    pub(super) fn bold(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            style: Some(Style::BOLD),
        }
    }

    /// A link counts with its address: Slack does not say that it doesn't.
    fn size(&self) -> Size {
        match self {
            Self::Text { text, .. } => Size::of(text),
            Self::Link { url, text, .. } => Size::of(url) + Size::of(text),
        }
    }
}

impl Button {
    /// A label that looks like a token is broken up, since it is not known how Slack reads the plain text of a button.
    pub(super) fn new(number: usize, label: &str, url: String) -> Self {
        let tokens = ["<!", "<@", "<#"];
        let label = tokens.iter().fold(label.to_owned(), |label, token| {
            label.replace(token, &token.replace('<', "<\u{200B}"))
        });
        Self {
            action_id: format!("open_{number}"),
            // What breaks it up counts as well.
            text: Text::plain(cut(&label, BUTTON_UNITS_MAX).text),
            url,
        }
    }
}

/// The documented limit of a button's text.
const BUTTON_UNITS_MAX: usize = 75;
